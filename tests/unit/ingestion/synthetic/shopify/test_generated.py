"""A generated world through the simulated shop, against its tables as DuckDB reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.server import Host
from ingestion.synthetic.shopify.shop import Shop
from ingestion.synthetic.world import Summary
from tests.unit.ingestion.synthetic.shopify.asking import ask

ORDERS = """query ($after: String) { orders(first: 50, after: $after, sortKey: UPDATED_AT) { nodes {
  legacyResourceId updatedAt cancelledAt displayFinancialStatus discountCodes
  totalPriceSet { shopMoney { amount } } totalRefundedSet { shopMoney { amount } }
  customer { legacyResourceId email }
  customerJourneySummary { ready customerOrderIndex firstVisit { occurredAt } }
  lineItems(first: 50) { nodes { sku
    discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } }
    discountAllocations { allocatedAmountSet { shopMoney { amount } }
      discountApplication { index ... on DiscountCodeApplication { code } } } } }
  refunds { refundLineItems(first: 50) { nodes { subtotalSet { shopMoney { amount } } } } }
} pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
def folder(tiny_shop: Summary) -> Path:
    """The tables of the generated shop."""
    return tiny_shop.folder / "shop"


@pytest.fixture
def generated(folder: Path, tiny_shop: Summary, shop_host: Host) -> Iterator[Shop]:
    """The generated shop at the end of its world."""
    shop = Shop(ShopDatabase.load(folder), "shpat_generated", now=as_of(tiny_shop))
    with shop_host.show(shop):
        yield shop


def as_of(world: Summary) -> datetime:
    value = world.as_of
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def read(shop: Shop) -> list[dict[str, Any]]:
    orders, after = [], None
    while True:
        page = ask(shop, ORDERS, after=after)["orders"]
        orders += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return orders
        after = page["pageInfo"]["endCursor"]
        shop.advance(60)


def cents(bag: dict[str, Any]) -> Decimal:
    return Decimal(bag["shopMoney"]["amount"]).quantize(Decimal("0.01"))


def text(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("back", [0, 9, 23], ids=lambda days: f"{days} days before the end")
def test_every_order_is_told_as_it_was_at_that_instant(
    generated: Shop, folder: Path, back: int
) -> None:
    generated.now -= timedelta(days=back)
    told = {
        int(order["legacyResourceId"]): (
            order["updatedAt"],
            order["cancelledAt"],
            order["displayFinancialStatus"],
            cents(order["totalPriceSet"]),
            cents(order["totalRefundedSet"]),
            sum(
                (cents(line["discountedTotalSet"]) for line in order["lineItems"]["nodes"]),
                Decimal("0.00"),
            ),
            sum(
                (
                    cents(part["subtotalSet"])
                    for refund in order["refunds"]
                    for part in refund["refundLineItems"]["nodes"]
                ),
                Decimal("0.00"),
            ),
            order["customerJourneySummary"]["ready"],
            None if order["customer"] is None else int(order["customer"]["legacyResourceId"]),
        )
        for order in read(generated)
    }
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        rows = connection.execute(
            """
            with seen as (
                select * from read_parquet($folder || '/orders.parquet') where created_at <= $now
            ),
            changed as (
                select order_id, max(updated_at) as updated_at
                from read_parquet($folder || '/order_updates.parquet')
                where updated_at <= $now group by order_id
            ),
            given_back as (
                select order_id, sum(total_amount) as amount, sum(subtotal) as subtotal
                from read_parquet($folder || '/refunds.parquet') as refunds
                left join (
                    select refund_id, sum(subtotal) as subtotal
                    from read_parquet($folder || '/refund_lines.parquet') group by refund_id
                ) as parts using (refund_id)
                where visible_at <= $now group by order_id
            ),
            lines as (
                select order_id, sum(net_amount) as net
                from read_parquet($folder || '/order_lines.parquet') group by order_id
            )
            select
                order_id, changed.updated_at,
                case when cancelled_at <= $now then cancelled_at end,
                case
                    when given_back.amount >= total and given_back.amount > 0 then 'REFUNDED'
                    when given_back.amount > 0 then 'PARTIALLY_REFUNDED'
                    when cancelled_at <= $now then 'VOIDED'
                    when paid_at <= $now then 'PAID'
                    else 'PENDING'
                end,
                total, coalesce(given_back.amount, 0), net, coalesce(given_back.subtotal, 0),
                journey_ready_at <= $now, customer_id
            from seen
            left join changed using (order_id)
            left join given_back using (order_id)
            left join lines using (order_id)
            """,
            {"folder": str(folder), "now": generated.now},
        ).fetchall()
    assert len(rows) > 40
    assert told == {row[0]: (text(row[1]), text(row[2]), *row[3:]) for row in rows}


def test_what_a_code_took_off_is_told_to_the_cent(generated: Shop, folder: Path) -> None:
    told: dict[tuple[int, str], Decimal] = {}
    for order in read(generated):
        for line in order["lineItems"]["nodes"]:
            for part in line["discountAllocations"]:
                code = part["discountApplication"].get("code")
                if code is None:  # a sale's discount
                    continue
                key = int(order["legacyResourceId"]), code
                told[key] = told.get(key, Decimal()) + cents(part["allocatedAmountSet"])
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select order_id, code, amount from read_parquet($path) where amount > 0",
            {"path": str(folder / "order_codes.parquet")},
        ).fetchall()
    assert len(rows) >= 5
    assert told == {(order, code): amount for order, code, amount in rows}


def test_a_generated_shop_hides_its_people_without_protected_data(generated: Shop) -> None:
    generated.personal = False
    assert {(order["customer"] or {}).get("email") for order in read(generated)} == {None}
