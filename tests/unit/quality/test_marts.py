"""The marts gate: small marts by hand, sound first, then broken one claim at a time."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from quality import gate
from setae.errors import DataError
from setae.warehouse import Home
from tests.unit.quality.conftest import RawWorld, make_raw_world

# Two orders of complete_journey (12.00 in two lines, 3.00 in one) and one of drops (5.00).
SOUND = """
create schema m.build_state;
create table m.build_state.build as select 'build-1' as build_digest,
    timestamp '2026-04-01' as as_of, date '2026-03-31' as data_through_date;
create schema m.marts;
create table m.marts.fct_orders (order_key varchar, source varchar, customer_key varchar,
    order_date date, discount_amount decimal(18,4), net_sales_amount decimal(18,4));
insert into m.marts.fct_orders values
    ('cj:1', 'complete_journey', 'a', '2026-03-30', 0, 12),
    ('cj:2', 'complete_journey', 'b', '2026-03-31', 1, 3),
    ('d:1', 'drops', 'c', '2026-03-31', 0, 5);
create table m.marts.fct_order_lines (order_key varchar, source varchar,
    net_sales_amount decimal(18,4));
insert into m.marts.fct_order_lines values ('cj:1', 'complete_journey', 10),
    ('cj:1', 'complete_journey', 2), ('cj:2', 'complete_journey', 3), ('d:1', 'drops', 5);
create table m.marts.fct_attribution_credits (order_key varchar, model varchar,
    window_days bigint, is_default boolean, credit_share decimal(18,12),
    credit_amount decimal(18,4), currency_code varchar);
insert into m.marts.fct_attribution_credits
    select order_key, model, 30, model = 'code', share, amount, currency
    from (values ('code'), ('last_touch')) as models(model), (values
        ('cj:1', 0.333333333333, 4.5, 'USD'), ('cj:1', 0.666666666667, 7.5, 'USD'),
        ('cj:2', 1, 3, 'USD'), ('d:1', 1, 5, 'JPY')
    ) as credit(order_key, share, amount, currency);
create table m.marts.fct_retention_cohorts (cohort_kind varchar, cohort_recurrence varchar,
    period varchar, segment_type varchar, tier_scheme varchar, segment varchar,
    cohort_start timestamp, cohort_start_date date, definition varchar, n bigint,
    is_mature boolean, cohort_size_count bigint, retained_count bigint, retention_rate double);
insert into m.marts.fct_retention_cohorts select 'first_order', 'first_ever', 'day', 'all',
    'none', 'all', '2026-03-30', '2026-03-30', 'on', n, n < 2, 10,
    case when n < 2 then 5 end, case when n < 2 then 0.5 end from range(4) as t(n);
create table m.marts.fct_stickiness_daily as select date '2026-03-31' as activity_date,
    'all' as segment_type, true as is_window_complete, 2000 as mau_28d_count,
    0.2::double as dau_mau_28d_ratio;
create table m.marts.fct_creator_conversion as select 'creator' as creator_key,
    0.5::double as person_conversion_rate, 200 as person_conversion_numerator_count;
"""


def on_marts(world: RawWorld, sql: str, *, path: Path | None = None) -> None:
    """Statements on the marts file, which is catalog `m`."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path or Home(world.settings.home).marts}' as m")
        connection.execute(sql)


@pytest.fixture
def built(tmp_path: Path) -> RawWorld:
    """A warehouse and its marts that agree."""
    world = make_raw_world(tmp_path / "home")
    world.land(
        "transactions",
        [
            {"basket_id": basket, "product_id": product, "sales_value": value}
            for basket, product, value in (("1", "p", 10), ("1", "q", 2), ("2", "p", 3))
        ],
        source="complete_journey",
        status="passed",
    )
    world.land("orders", [{"order_id": "1"}, {"order_id": "2", "is_test": True}], status="passed")
    on_marts(world, SOUND)
    return world


def failing(world: RawWorld) -> set[str]:
    return {result.check.name for result in gate.check_marts(world.settings).failures}


def publish_by_hand(world: RawWorld) -> None:
    """What the next gate compares with: a copy of the marts, and the day they reach."""
    serving = Home(world.settings.home).serving
    serving.mkdir()
    target = serving / "marts-20260401T000000Z-0001.duckdb"
    on_marts(world, "checkpoint m")
    target.write_bytes(Home(world.settings.home).marts.read_bytes())
    on_marts(
        world,
        "create table m.marts.publication as select date '2026-03-30' as data_through_date",
        path=target,
    )
    (serving / "current.duckdb").symlink_to(target.name)


def test_sound_marts_pass(built: RawWorld) -> None:
    report = gate.check_marts(built.settings)
    assert report.passed, report.message
    assert report.warnings == ()
    # nothing is published yet: three comparisons have nothing to compare with
    assert report.counts["no_history"] == 3
    assert report.file_status == {}


def test_results_are_kept_under_the_build(built: RawWorld) -> None:
    gate.check_marts(built.settings)
    with duckdb.connect(str(Home(built.settings.home).warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select distinct gate_run_id, build_digest, as_of::varchar from ops.gate_results"
        ).fetchall()
    assert rows == [("marts-000001", "build-1", "2026-04-01 00:00:00")]


def test_without_marts_there_is_nothing_to_judge(world: RawWorld) -> None:
    with pytest.raises(DataError, match="run `setae transform` first"):
        gate.check_marts(world.settings)


MANY_ORDERS = """
insert into m.marts.fct_orders
    select 'x:' || n, 'other', 'a', '2026-03-01', 0, 10 from range(100) as t(n);
insert into m.marts.fct_order_lines
    select 'x:' || n, 'other', case when n < 20 then 10.03 else 10 end from range(100) as t(n);
insert into m.marts.fct_attribution_credits
    select 'x:' || n, model, 30, model = 'code', 1, 10, 'USD'
    from range(100) as t(n), (values ('code'), ('last_touch')) as models(model)
"""


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        (
            "credit_shares_sum_to_one",
            (
                "update m.marts.fct_attribution_credits set credit_share = 0.666666666666 "
                "where credit_amount = 7.5 and model = 'code'"
            ),
        ),
        (
            "credit_amounts_sum_to_net_sales",
            (
                "update m.marts.fct_attribution_credits set credit_amount = 3.02 "
                "where order_key = 'cj:2' and model = 'code'"
            ),
        ),
        (
            "credit_amounts_sum_to_net_sales",
            (
                "insert into m.marts.fct_attribution_credits "
                "values ('ghost', 'code', 30, true, 1, 1, 'JPY')"
            ),
        ),
        (
            # a whole number in a currency that has cents
            "credit_amounts_sum_to_net_sales",
            "update m.marts.fct_orders set net_sales_amount = 3.4 where order_key = 'cj:2'",
        ),
        (
            "every_order_has_its_credit",
            (
                "delete from m.marts.fct_attribution_credits "
                "where order_key = 'd:1' and model = 'last_touch'"
            ),
        ),
        (
            "one_model_and_window_is_the_default",
            "update m.marts.fct_attribution_credits set is_default = true",
        ),
        ("orders_equal_their_lines", MANY_ORDERS),
        ("every_raw_order_is_an_order", "delete from m.marts.fct_orders where order_key = 'd:1'"),
        (
            "orders_lines_and_raw_have_one_total",
            "update m.marts.fct_order_lines set net_sales_amount = 3.01 where order_key = 'cj:2'",
        ),
        (
            "no_cell_is_seen_before_its_time",
            "update m.marts.fct_retention_cohorts set retained_count = 0 where n = 3",
        ),
        (
            "no_cell_is_seen_before_its_time",
            "update m.marts.fct_retention_cohorts set cohort_start_date = '2026-04-01' where n = 0",
        ),
        (
            "a_cohort_keeps_its_size",
            "update m.marts.fct_retention_cohorts set cohort_size_count = 9 where n = 3",
        ),
        (
            "days_end_with_the_data",
            "update m.marts.fct_stickiness_daily set activity_date = '2026-04-01'",
        ),
    ],
)
def test_broken_marts_stop(built: RawWorld, check: str, damage: str) -> None:
    on_marts(built, damage)
    assert check in failing(built)


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("conversion_is_credible", "fct_creator_conversion set person_conversion_rate = 0.61"),
        ("people_do_not_all_come_every_day", "fct_stickiness_daily set dau_mau_28d_ratio = 0.91"),
        ("discounts_are_part_of_the_price", "fct_orders set discount_amount = -1"),
    ],
)
def test_numbers_outside_business_bands_warn(built: RawWorld, check: str, damage: str) -> None:
    on_marts(built, f"update m.marts.{damage}")
    report = gate.check_marts(built.settings)
    assert check in {warning.check.name for warning in report.warnings}
    assert report.passed


def test_late_raw_rows_that_no_gate_passed_are_not_missed(built: RawWorld) -> None:
    built.land("orders", [{"order_id": "3"}], name="waiting")
    assert gate.check_marts(built.settings).passed


@pytest.mark.parametrize(
    ("net_sales", "stops"), [("5.4", set()), ("5.6", {"credit_amounts_sum_to_net_sales"})]
)
def test_credit_in_whole_yen_is_the_order_rounded(
    built: RawWorld, net_sales: str, stops: set[str]
) -> None:
    for mart in ("fct_orders", "fct_order_lines"):
        on_marts(
            built,
            f"update m.marts.{mart} set net_sales_amount = {net_sales} where order_key = 'd:1'",
        )
    assert failing(built) == stops


def test_an_emptied_mart_stops_and_a_shrunken_one_warns(built: RawWorld) -> None:
    on_marts(
        built,
        "create table m.marts.dim_big as select range as n from range(100); "
        "create table m.marts.dim_small as select range as n from range(100)",
    )
    publish_by_hand(built)
    assert gate.check_marts(built.settings).passed
    on_marts(built, "delete from m.marts.dim_big where n >= 49")  # drift_warn_rate is 0.5
    report = gate.check_marts(built.settings)
    assert report.passed
    assert {warning.check.name for warning in report.warnings} == {
        "row_counts_are_near_the_last_publication"
    }
    on_marts(built, "drop table m.marts.dim_small")
    assert failing(built) == {"no_mart_lost_all_its_rows"}


def test_a_published_day_that_moves_warns(built: RawWorld) -> None:
    publish_by_hand(built)
    # the 30th was complete and halves, the 31st was not and may do as it likes
    world_sql = (
        "update m.marts.fct_orders set net_sales_amount = net_sales_amount * {factor} "
        "where order_date = '2026-03-{day}'"
    )
    on_marts(built, world_sql.format(factor=3, day=31))
    warned = {w.check.name for w in gate.check_marts(built.settings).warnings}
    assert "published_days_keep_their_sales" not in warned
    on_marts(built, world_sql.format(factor=0.4, day=30))
    warned = {w.check.name for w in gate.check_marts(built.settings).warnings}
    assert "published_days_keep_their_sales" in warned
