"""A simulated world through the whole pipeline: what is broken on purpose, and nothing else."""

from __future__ import annotations

import json
from collections import Counter

import duckdb
import pytest

from evaluation import figures, worlds
from ingestion import quarantine
from ingestion.synthetic.scenario import preset
from ingestion.synthetic.world import Summary, generate
from setae import stages
from setae.settings import Settings
from setae.warehouse import Home, connect
from tests import searching
from tests.conftest import make_home
from tests.integration.conftest import published

CONFIG = """
as_of = {as_of}
business_timezone = "Europe/Berlin"
reporting_currency = "USD"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "{folder}/drops"
currency = "EUR"
required_entities = ["activity_events", "orders"]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return generate(preset("tiny"), tmp_path_factory.mktemp("simulated") / "world")


@pytest.fixture(scope="module")
def home(world: Summary, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = make_home(
        tmp_path_factory.mktemp("simulated") / "home",
        CONFIG.format(as_of=world.as_of, folder=world.folder),
    )
    stages.run(settings)
    return settings


def test_the_quarantine_holds_the_broken_rows_and_the_orphans(
    world: Summary, home: Settings
) -> None:
    planted = Counter(
        duckdb.sql(
            "select entity || '/' || file || ':' || line, rule "
            f"from '{world.folder}/truth/feed_faults.parquet' where rule is not null"
        ).fetchall()
    )
    with connect(home) as connection:
        records = quarantine.find(connection, status=None)
    found = Counter((one.place, one.rule) for one in records if one.severity != "warn")
    assert found == planted
    assert {rule for _, rule in planted} >= {"Q01", "Q02", "Q03", "Q05", "Q08", "Q09", "Q12", "Q15"}


def test_every_row_delivered_is_accounted_for(world: Summary, home: Settings) -> None:
    told = json.loads((world.folder / "truth" / "truth.json").read_text())["expected"]
    # The roster is fanned out into other entities, which are counted with their own files.
    of_roster = {"creators", "creator_accounts", "promo_codes", "tracked_links", "creator_costs"}
    with connect(home) as connection:
        found = connection.execute(
            "select entity, sum(received_count), sum(rejected_count), sum(duplicate_count) "
            "from ops.loaded_files where source = 'drops' group by entity"
        ).fetchall()
    for entity, received, rejected, duplicate in found:
        if entity not in of_roster:
            one = told[entity]
            assert (received, rejected) == (one["received"], one["rejected"]), entity
            assert duplicate == one["repeated"], entity


def test_every_mart_has_rows(home: Settings) -> None:
    with published(home.home) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts'"
        ).fetchall()
        empty = {
            name
            for (name,) in tables
            if connection.execute(f"select count(*) from marts.{name}").fetchone() == (0,)
        }
    # A proxy that foretells next month's conversion needs more months than this world has.
    assert empty == {"fct_trust_proxy_predictions"}


def test_orders_and_their_money_are_those_of_the_world(world: Summary, home: Settings) -> None:
    planted = duckdb.sql(
        f"select count(*), sum(subtotal) from '{world.folder}/truth/orders.parquet' "
        "where cause <> 'test'"
    ).fetchone()
    with published(home.home) as connection:
        found = connection.execute(
            "select count(*), sum(net_sales_amount + returned_amount) from marts.fct_orders"
        ).fetchone()
    assert found == planted


def test_what_the_marts_find_of_the_truth_is_no_worse_than_accepted(
    world: Summary, home: Settings
) -> None:
    (tiny,) = worlds.SMALL
    found = worlds.compare(tiny, marts=Home(home.home).marts, truth=world.folder / "truth")
    accepted = worlds.from_json(figures.accepted("small_worlds"))
    assert worlds.compare_accepted([found], accepted) == []


def test_no_byte_of_the_home_names_a_person(world: Summary, home: Settings) -> None:
    canaries = json.loads((world.folder / "truth" / "truth.json").read_text())["canaries"]
    assert searching.find(home.home, canaries.values()) == []
