"""One world told in two ways: through drops alone, and through Shopify plus drops.

The shop's keys differ (`drops:demo:1001` and `shopify:demo:1001`; a customer's pseudonym is made
within its shop), so they are mapped through the world's native ids. What else may differ is listed,
each with its reason.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.pseudonyms import Pseudonyms
from ingestion.synthetic import world
from ingestion.synthetic.scenario import PRESETS
from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.server import listen
from ingestion.synthetic.shopify.shop import Shop
from setae import stages
from setae.settings import Settings
from tests.conftest import KEY, make_home

TOKEN = "shpat_same_world"
SCENARIO = replace(PRESETS["tiny"][1], people=220)

LEFT_OUT = (
    "source",
    "dim_creators.customer_key",
    "dim_creators.is_customer_creator",
    "fct_sessions.session_key",
)
"""Columns that may differ.

`source` names the connector, which is what differs. A customer's pseudonym is made within the
source that brings the customer, so a dropped list of creators cannot name a customer of Shopify's.
The key of a session is its person's with the instant behind it; both are compared beside it.
"""

UNEQUAL = ("fct_ambassador_conversion",)
"""Marts that are told by dropped referrals, which name both customers: see above."""

CONFIG = """
as_of = {as_of}
business_timezone = "{zone}"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "{folder}"
account = "demo"
currency = "EUR"
"""

SHOP = """
[sources.shopify]
kind = "shopify"
url = "{url}"
account = "demo"
history_start_date = 2020-01-01
"""


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Settings, Path]:
    """The home that knows drops only, the one with Shopify, and the shop's tables; both ran."""
    place = tmp_path_factory.mktemp("worlds")
    told = {}
    for shop in ("drops", "shopify"):
        told[shop] = world.generate(SCENARIO, place / shop, shop=shop)
    as_of = told["drops"].as_of
    text = {
        shop: CONFIG.format(
            as_of=as_of, zone=SCENARIO.business_timezone, folder=place / shop / "drops"
        )
        for shop in told
    }
    first = make_home(place / "home-drops", text["drops"])
    stages.run(first)
    tables = place / "shopify" / "shop"
    with (
        pytest.MonkeyPatch.context() as environment,
        listen() as host,
        host.show(Shop(ShopDatabase.load(tables), TOKEN, now=datetime.fromisoformat(as_of))) as url,
    ):
        environment.setenv("SETAE_SOURCES__SHOPIFY__TOKEN", TOKEN)
        second = make_home(place / "home-shopify", text["shopify"] + SHOP.format(url=url))
        stages.run(second)
    return first, second, tables


def native_keys(tables: Path, path: Path) -> Path:
    """The names one thing has in the two homes, by the shop's own ids."""
    people = Pseudonyms(KEY)

    def ids(table: str, *columns: str) -> set[tuple[int, ...]]:
        rows = pq.read_table(tables / f"{table}.parquet", columns=list(columns)).to_pylist()
        return {tuple(row[column] for column in columns) for row in rows}

    shared = [
        *ids("orders", "order_id"),
        *ids("order_lines", "order_id", "line_id"),
        *ids("products", "product_id"),
        *ids("refunds", "refund_id"),
        *ids("refund_lines", "refund_id", "line_id"),
    ]
    pairs = {
        (f"drops:demo:{':'.join(map(str, one))}", f"shopify:demo:{':'.join(map(str, one))}")
        for one in shared
    }
    for (customer,) in ids("customers", "customer_id"):
        here = people.make("customer", "drops:demo", str(customer))
        there = people.make("customer", "shopify:demo", str(customer))
        pairs |= {
            (f"drops:demo:{here}", f"shopify:demo:{there}"),
            (f"customer:{here}", f"customer:{there}"),
            (str(here), str(there)),
        }
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("first", "second"))
        writer.writerows(sorted(pairs))
    return path


def test_a_shop_through_its_interface_gives_the_marts_of_its_drops(
    homes: tuple[Settings, Settings, Path], tmp_path: Path
) -> None:
    first, second, tables = homes
    result = stages.compare(
        first.home / "serving" / "current.duckdb",
        second.home / "serving" / "current.duckdb",
        keys=native_keys(tables, tmp_path / "keys.csv"),
        ignore=LEFT_OUT,
        examples=2,
    )
    different = {
        table.name: (table.columns_only_a, table.columns_only_b, table.details)
        for table in result.tables
        if not table.equal and table.name not in UNEQUAL
    }
    assert not different
    rows = {table.name: table.rows_a or 0 for table in result.tables}
    assert rows["fct_orders"] > 50
    assert rows["fct_order_lines"] > rows["fct_orders"]
    assert min(rows[name] for name in ("dim_customers", "dim_products", "dim_promo_codes")) > 5
    assert result.mapped > rows["fct_orders"]
