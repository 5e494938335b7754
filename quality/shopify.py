"""Raw checks of `shopify`: an order, its lines and its refunds say the same.

All records of an order come out of one answer, so there is nothing to wait for: sums that do not
tie are a fault of the split or of the shop, not of the moment. Cents may differ by rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quality.checks import Check, Severity, share_check
from quality.facts import Batch, newest, raw_table

_CENTS = 0.02
"""Rounding a shop may do between an order and its parts."""

_SHARE = 0.05
"""Of the orders of a batch; beyond it nobody should publish."""


def checks(batch: Batch) -> Sequence[Check]:
    """Checks of one entity's waiting rows.

    Args:
        batch: Of this source.
    """
    make = _CHECKS.get(batch.entity)
    return make(batch) if make else ()


def _orders(batch: Batch) -> list[Check]:
    return [
        *_lines(batch),
        *_refunds(batch),
        share_check(
            name="totals_are_goods_shipping_and_tax",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as placed where abs(total_amount - subtotal_amount "
            "- coalesce(shipping_amount, 0) - case when is_tax_included then 0 "
            f"else coalesce(tax_amount, 0) end) > {_CENTS}",
            limit=0.0,
            expected="total = subtotal + shipping + tax, for every order",
            todo="see what else the shop adds up, such as duties or tips; net sales leave it out",
        ),
        share_check(
            name="prices_are_without_tax",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as placed where is_tax_included",
            limit=0.0,
            expected="no order with the tax in its prices",
            todo="net sales of these orders hold the tax: compare them with no shop that leaves "
            "it out",
        ),
        share_check(
            name="orders_are_in_one_currency",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as placed where currency <> "
            f"(select mode(currency) from {raw_table(batch.source, 'orders')})",
            limit=0.0,
            expected="only the shop's currency",
            todo="deliver `fx_rates_daily`, or nothing of these orders is in reporting totals",
        ),
    ]


def _lines(batch: Batch) -> list[Check]:
    """Orders whose lines do not add up to them, whichever of the two is waiting."""
    lines = newest(raw_table(batch.source, "order_lines"))
    bad_rows = (
        "select placed.*, sold.line_net_amount "
        f"from ({newest(raw_table(batch.source, 'orders'))}) as placed "
        "inner join (select order_id, _source_account, sum(net_amount) as line_net_amount "
        f"from ({lines}) as newest_lines group by order_id, _source_account) as sold "
        "on placed.order_id = sold.order_id and placed._source_account = sold._source_account "
        f"where {_is_waiting(batch)} "
        f"and abs(placed.subtotal_amount - sold.line_net_amount) > {_CENTS}"
    )
    return _both(
        batch,
        name="orders_match_their_lines",
        every="every_order_matches_its_lines",
        bad_rows=bad_rows,
        expected="subtotal = net amounts of the lines",
        todo="an edited order keeps the subtotal it was placed with; if many differ, report a bug",
    )


def _refunds(batch: Batch) -> list[Check]:
    """Orders whose refunds do not add up to what they say was refunded."""
    refunds = newest(raw_table(batch.source, "refunds"))
    bad_rows = (
        "select placed.*, given.refund_amount "
        f"from ({newest(raw_table(batch.source, 'orders'))}) as placed "
        "left join (select order_id, _source_account, sum(amount) as refund_amount "
        f"from ({refunds}) as newest_refunds group by order_id, _source_account) as given "
        "on placed.order_id = given.order_id and placed._source_account = given._source_account "
        f"where {_is_waiting(batch)} and abs(coalesce(placed.refunded_amount, 0) "
        f"- coalesce(given.refund_amount, 0)) > {_CENTS}"
    )
    return _both(
        batch,
        name="orders_match_their_refunds",
        every="every_order_matches_its_refunds",
        bad_rows=bad_rows,
        expected="refunded = amounts of the refunds",
        todo="backfill the days of these orders; if they still differ, report a bug",
    )


def _refund_rows(batch: Batch) -> list[Check]:
    return [
        *_refunds(batch),
        share_check(
            name="returned_goods_are_part_of_the_refund",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as given "
            f"where returned_sales_amount > amount + {_CENTS}",
            limit=0.0,
            expected="goods given back for no more than was refunded",
            todo="see whether the shop kept a fee; net sales fall by the goods, not by the money",
        ),
    ]


def _is_waiting(batch: Batch) -> str:
    return (
        "(placed.order_id, placed._source_account) in (select order_id, _source_account "
        f"from {batch.table} where _file_id in {batch.file_filter})"
    )


def _both(
    batch: Batch, *, name: str, every: str, bad_rows: str, expected: str, todo: str
) -> list[Check]:
    """The same claim twice: an error for too many, a warning for any."""
    levels: list[tuple[str, Severity, float, int, str]] = [
        (name, "error", _SHARE, 20, f"{expected}, but for {_SHARE:.0%} of orders"),
        (every, "warn", 0.0, 0, f"{expected}, for every order"),
    ]
    return [
        share_check(
            name=one,
            table=batch.table,
            severity=severity,
            bad_rows=bad_rows,
            limit=limit,
            minimum_count=minimum,
            expected=wanted,
            todo=todo,
            file_column="_file_id" if batch.entity == "orders" else None,
        )
        for one, severity, limit, minimum, wanted in levels
    ]


_CHECKS: dict[str, Callable[[Batch], Sequence[Check]]] = {
    "order_lines": _lines,
    "orders": _orders,
    "refunds": _refund_rows,
}
