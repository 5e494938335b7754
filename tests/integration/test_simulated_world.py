"""A simulated world through the whole pipeline: what is broken on purpose, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb
import pytest
import yaml

from evaluation import figures, worlds
from ingestion import quarantine
from ingestion.synthetic.scenario import preset
from ingestion.synthetic.world import Summary, generate
from setae import stages
from setae.settings import Settings
from setae.transformation import project_directory
from setae.warehouse import Home, connect
from tests import searching
from tests.conftest import make_home
from tests.integration.conftest import published
from tests.integration.semantic_layer import Query, semantic_layer

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


AGREEMENTS = [
    pytest.param(
        ["orders", "buyers", "new_customers", "net_sales", "average_order_value"],
        ["metric_time__month", "order__currency_code"],
        """
        select
            date_trunc('month', order_date), currency_code, count(*), count(distinct person_key),
            count(*) filter (customer_order_number = 1), sum(net_sales_amount),
            sum(net_sales_amount) / count(*)
        from marts.fct_orders group by all
        """,
        id="orders",
    ),
    pytest.param(
        ["attributed_orders", "attributed_net_sales"],
        ["creator", "metric_time__month"],
        """
        select creator_key, period_start_date, order_credit_share, net_sales_amount
        from marts.fct_creator_conversion
        where
            period_type = 'month' and is_default and order_credit_share > 0
            and creator_key not in ('unattributed', 'ambiguous')
        """,
        id="credit of creators",
    ),
    pytest.param(
        ["attributed_net_sales"],
        ["order__currency_code"],
        "select currency_code, sum(net_sales_amount) from marts.fct_orders group by all",
        id="credit of everybody is what was sold",
    ),
    pytest.param(
        [
            "daily_active_persons",
            "weekly_active_persons",
            "monthly_active_persons",
            "stickiness_ratio",
        ],
        ["metric_time__day"],
        """
        select activity_date, dau_count, wau_count, mau_28d_count, dau_mau_28d_ratio
        from marts.fct_stickiness_daily where segment_type = 'all'
        """,
        id="active persons",
    ),
    pytest.param(
        ["monthly_active_persons"],
        ["metric_time__month"],
        """
        select date_trunc('month', activity_date), max_by(mau_28d_count, activity_date)
        from marts.fct_stickiness_daily where segment_type = 'all' group by all
        """,
        id="active persons at the end of a month",
    ),
    pytest.param(
        ["exposed_persons_7d", "returned_persons_7d", "return_visit_7d_rate"],
        ["creator", "metric_time__day"],
        """
        select
            creator_key, exposure_week_start_date, exposed_person_count, returned_7d_count,
            return_visit_7d_rate
        from marts.fct_return_visits_creator_weekly where is_mature_7d
        """,
        id="return visits",
    ),
    pytest.param(
        ["clicking_persons", "converted_persons", "person_conversion_rate"],
        ["creator", "metric_time__day"],
        """
        select
            creator_key, period_start_date, person_conversion_denominator_count,
            person_conversion_numerator_count, person_conversion_rate
        from marts.fct_creator_conversion
        where period_type = 'month' and is_default and is_person_conversion_mature
        """,
        id="person conversion",
    ),
]


@pytest.fixture(scope="module")
def metrics(home: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    marts = (home.home / "serving" / "current.duckdb").resolve()
    with semantic_layer(marts, tmp_path_factory.mktemp("semantic-layer")) as query:
        yield query


@pytest.mark.parametrize(("names", "groups", "sql"), AGREEMENTS)
def test_metricflow_says_what_the_marts_say(
    metrics: Query, home: Settings, names: list[str], groups: list[str], sql: str
) -> None:
    with published(home.home) as connection:
        rows = connection.execute(sql).fetchall()
    keys = len(groups)
    expected = {tuple(map(_plain, row[:keys])): row[keys:] for row in rows}
    found = {
        tuple(map(_plain, key)): values
        for key, values in metrics(names, groups).items()
        if key[0] is not None
    }
    assert len(expected) >= 1
    assert found.keys() == expected.keys()
    for key, values in found.items():
        for name, one, other in zip(names, values, expected[key], strict=True):
            if other is None:
                assert one is None, (key, name)
            else:
                assert float(one) == pytest.approx(float(other), rel=1e-9), (key, name)


def _plain(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value


def test_every_metric_is_held_against_the_marts() -> None:
    declared = {
        metric["name"]
        for path in project_directory().rglob("models/**/*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", [])
        for metric in model.get("metrics", [])
    }
    assert declared == {name for case in AGREEMENTS for name in case.values[0]}


def test_no_byte_of_the_home_names_a_person(world: Summary, home: Settings) -> None:
    canaries = json.loads((world.folder / "truth" / "truth.json").read_text())["canaries"]
    assert searching.find(home.home, canaries.values()) == []
