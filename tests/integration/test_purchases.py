"""Orders, refunds, costs, customers and dimensions agree with a slow oracle, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from setae import stages
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, connect
from tests.conftest import KEY, make_home
from tests.oracle import dimensions
from tests.oracle.purchases import Mart, Purchases
from tests.oracle.shop import Rules, Shop
from tests.worlds import purchases as world

RULES = Rules(
    account="shop",
    master=KEY,
    timezone=world.ZONE.key,
    through=world.THROUGH,
    today=world.AS_OF.date(),
    week_start="sunday",
    reporting_currency="EUR",
    maturity_days=world.MATURITY_DAYS,
    staleness_days=world.STALENESS_DAYS,
    ages_days=world.AGES_DAYS,
)
GRAINS = {
    "fct_orders": ("order_key",),
    "fct_order_lines": ("order_line_key",),
    "fct_refund_maturity": ("segment_type", "segment", "currency_code", "order_age_days"),
    "fct_creator_costs": ("cost_key",),
    "fct_customer_value_cohorts": (
        *("cohort_month_start_date", "segment_type", "tier_scheme", "segment", "age_days"),
    ),
    "dim_customers": ("customer_key",),
    "dim_products": ("product_key",),
    "dim_promo_codes": ("promo_code_key",),
    "dim_campaigns": ("campaign_key",),
    "dim_channels": ("channel_key",),
    "dim_dates": ("calendar_date",),
}
"""What is compared: mart → its grain."""


def expected() -> dict[str, Mart]:
    """What the oracle says of the world."""
    rows = [(one.entity, row) for one in world.deliveries() for row in one.rows]
    return dimensions.all_marts(Purchases(Shop(rows, RULES)))


def differences(connection: duckdb.DuckDBPyConnection, table: str, wanted: Mart) -> Iterator[str]:
    """Cells in which a mart is not what the oracle says, and rows that only one of them has."""
    cursor = connection.execute(f"select * from {MARTS_ALIAS}.marts.{table}")
    names = [column[0] for column in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    found = {tuple(row[name] for name in GRAINS[table]): row for row in rows}
    if len(found) != len(rows):
        yield f"{table}: {len(rows) - len(found)} rows too many"
    for key in sorted(found.keys() ^ wanted.keys(), key=str):
        yield f"{table} {key}: only {'the mart' if key in found else 'the oracle'} has it"
    for key in sorted(found.keys() & wanted.keys(), key=str):
        for name in {*names, *wanted[key]}:
            ours, theirs = (one.get(name, "no such column") for one in (found[key], wanted[key]))
            if not _is_same(ours, theirs):
                yield f"{table} {key} {name}: {ours!r}, {theirs!r}"


def _is_same(ours: Any, wanted: Any) -> bool:
    """Equal; a wanted float stands for a fraction, which the mart may have rounded to money."""
    if isinstance(wanted, float) and isinstance(ours, float | Decimal):
        return abs(float(ours) - wanted) <= (1e-4 if isinstance(ours, Decimal) else 1e-8)
    return bool(ours == wanted)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse with the marts of the world."""
    settings = home(tmp_path_factory.mktemp("purchases") / "home")
    with connect(settings, attach_marts=True) as connection:
        yield connection


def home(folder: Any) -> Settings:
    """A home in which the world was delivered and built."""
    settings = make_home(folder, world.CONFIG)
    for delivery in world.deliveries():
        delivery.write(settings.home / "drops")
    stages.fetch(settings, source="drops")
    stages.load(settings)
    stages.check(settings, stage="raw")
    stages.transform(settings)
    return settings


@pytest.fixture(scope="module")
def marts() -> dict[str, Mart]:
    """What they should be."""
    return expected()


@pytest.mark.parametrize("table", list(GRAINS))
def test_every_cell_is_what_the_oracle_says(
    built: duckdb.DuckDBPyConnection, marts: dict[str, Mart], table: str
) -> None:
    wrong = list(differences(built, table, marts[table]))
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"
