"""The raw gate: every check that can stop a run is fed what should stop it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from quality import gate
from quality.gate import GateReport
from setae.warehouse import connect
from tests.unit.quality.conftest import CONFIG, RawWorld, make_raw_world

Outcome = Callable[[GateReport, str], str]


def orders(count: int, *, gross: str = "10.00") -> list[dict[str, object]]:
    return [
        {
            "order_id": str(n),
            "currency": "EUR",
            "customer_pid": "k1_a",
            "gross_amount": gross,
            "ordered_at": datetime.fromisoformat("2026-03-31 12:00"),
            "_record_key": f"order:{n}",
        }
        for n in range(count)
    ]


def lines(count: int, *, net: str = "10.00") -> list[dict[str, object]]:
    return [
        {
            "order_id": str(n),
            "line_id": "1",
            "quantity": 1,
            "net_amount": net,
            "_record_key": f"line:{n}",
        }
        for n in range(count)
    ]


def test_nothing_waiting_passes_and_says_so(world: RawWorld) -> None:
    report = gate.check_raw(world.settings)
    assert report.passed
    assert report.message == "gate raw: nothing to judge"
    assert report.file_status == {}
    assert "Nothing was waiting" in report.report.read_text()


def test_sound_files_pass_and_are_recorded(world: RawWorld, outcome: Outcome) -> None:
    first = world.land("orders", orders(25))
    second = world.land("order_lines", lines(25))
    report = gate.check_raw(world.settings)
    assert report.passed, report.message
    assert report.warnings == ()
    assert report.file_status == {first: "passed", second: "passed"}
    assert outcome(report, "orders_match_their_lines") == "passed"
    with connect(world.settings) as connection:
        rows = connection.execute(
            "select gate_run_id, stage, count(*) from ops.gate_results group by all"
        ).fetchall()
        assert rows == [("raw-000001", "raw", report.check_count)]
    assert gate.check_raw(world.settings).gate_run_id == "raw-000002"


def test_records_that_are_not_accounted_for_stop(world: RawWorld, outcome: Outcome) -> None:
    world.land("orders", orders(3), received=4)
    report = gate.check_raw(world.settings)
    assert outcome(report, "every_record_is_accounted_for") == "failed"
    assert not report.passed


def test_rows_that_left_the_raw_table_stop(world: RawWorld, outcome: Outcome) -> None:
    file_id = world.land("orders", orders(3))
    world.execute("delete from raw_drops.orders where order_id = '1'")
    report = gate.check_raw(world.settings)
    assert outcome(report, "raw_rows_match_the_ledger") == "failed"
    assert report.file_status == {file_id: "failed"}


def test_rejects_stop_beyond_the_limits(world: RawWorld) -> None:
    # Limits: at least 20 and more than 0.5 %, or at least 2 and more than 5 % of the file.
    cases = [
        (0, 10, False),
        (1, 2, False),  # one reject never stops
        (2, 40, False),  # 5 % exactly
        (2, 39, True),
        (19, 381, False),  # 4.99 %, and not yet 20
        (20, 4000, False),  # 0.5 % exactly
        (20, 3999, True),
    ]
    expected = {}
    for rejected, received, stops in cases:
        file_id = world.land(
            "products",
            name=f"{rejected}-of-{received}",
            loaded=0,
            rejected=rejected,
            received=received,
        )
        expected[file_id] = "failed" if stops else "passed"
    world.execute("update ops.loaded_files set duplicate_count = received_count - rejected_count")
    report = gate.check_raw(world.settings)
    assert report.file_status == expected
    (warning,) = [w for w in report.warnings if w.check.name == "no_record_is_rejected"]
    assert len(warning.failed_file_ids) == 6
    assert warning.observed == "64 open rejects, at most 20 in a file"


def test_released_rejects_do_not_count(world: RawWorld, outcome: Outcome) -> None:
    file_id = world.land("products", rejected=2)
    assert not gate.check_raw(world.settings).passed
    world.execute(
        "insert into ops.quarantine_records by name select 'q' || n as quarantine_id, "
        f"'{file_id}' as file_id, 'drops' as source, 'demo' as source_account, "
        "'products' as entity, 'Q05' as rule, '[]' as reasons, '' as message, "
        "'reject' as severity, 'released' as status, 1 as times_seen, "
        "'1.0' as contract_version from range(2) as t(n)"
    )
    assert gate.check_raw(world.settings).passed


def test_limits_come_from_the_source_settings(tmp_path: Path, outcome: Outcome) -> None:
    config = CONFIG.replace('kind = "drops"', 'kind = "drops"\nsmall_reject_minimum_count = 3')
    world = make_raw_world(tmp_path / "home", config)
    world.land("products", rejected=2)
    assert gate.check_raw(world.settings).passed


def test_only_the_bad_file_fails_and_is_judged_again(world: RawWorld) -> None:
    good = world.land("products", [{"product_id": "1"}], name="good")
    bad = world.land("products", rejected=2, name="bad")
    report = gate.check_raw(world.settings)
    assert report.file_status == {good: "passed", bad: "failed"}
    assert bad in report.message
    assert good not in report.message
    world.execute("update ops.loaded_files set gate_status = 'passed' where file_id like '%good'")
    world.execute("update ops.loaded_files set gate_status = 'failed' where file_id like '%bad'")
    again = gate.check_raw(world.settings)
    assert again.file_status == {bad: "failed"}
    assert not again.passed


def test_failing_rows_can_be_shown_after_the_gate(world: RawWorld) -> None:
    world.land("products", rejected=2)
    report = gate.check_raw(world.settings)
    world.execute("update ops.loaded_files set gate_status = 'failed'")
    with connect(world.settings) as connection:
        sql, count = connection.execute(
            "select failing_sql, failed_row_count from ops.gate_results "
            "where check_name = 'rejects_stay_below_the_limits' and outcome = 'failed'"
        ).fetchall()[0]
        assert len(connection.execute(sql).fetchall()) == count == 1
    assert len(report.failures) == 1


def test_many_files_are_looked_up_instead_of_spelled_out(world: RawWorld) -> None:
    for number in range(21):
        world.land("products", rejected=2, name=f"{number:02d}")
    gate.check_raw(world.settings)
    with connect(world.settings) as connection:
        sql, count = connection.execute(
            "select failing_sql, failed_row_count from ops.gate_results "
            "where check_name = 'rejects_stay_below_the_limits'"
        ).fetchall()[0]
        assert "unnest(file_ids)" in sql
        assert len(connection.execute(sql).fetchall()) == count == 21


def test_thirteen_batches_are_no_history(world: RawWorld, outcome: Outcome) -> None:
    world.history("activity_events", [100] * 13, windows=True)
    world.land("activity_events", loaded=0, window=("2026-03-31", "2026-04-01"))
    report = gate.check_raw(world.settings)
    assert outcome(report, "volume_is_as_usual") == "no_history"
    assert outcome(report, "values_are_distributed_as_usual") == "no_history"
    observed = [r.observed for r in report.results if r.check.name == "volume_is_as_usual"]
    assert observed == ["no history: 13 of 14 batches"]
    assert report.counts["no_history"] == 2


def test_volume_of_a_windowed_feed_is_near_its_history(world: RawWorld) -> None:
    # The usual day has 100 records: warn below 33.3 and above 300, stop below 10 and above 1000.
    world.history("products", [100] * 14, windows=True)
    for received in (0, 9, 10, 33, 34, 300, 301, 1000, 1001):
        window = ("2026-03-30", "2026-03-31")
        world.land("products", name=str(received), loaded=0, received=received, window=window)
    world.execute("update ops.loaded_files set duplicate_count = received_count - loaded_count")
    report = gate.check_raw(world.settings)
    outside = {
        result.check.name: {int(file_id.rsplit("/", 1)[1]) for file_id in result.failed_file_ids}
        for result in report.results
        if result.check.name.startswith("volume")
    }
    assert outside == {
        "volume_is_within_3_times_the_usual": {0, 9, 10, 33, 301, 1000, 1001},
        "volume_is_within_10_times_the_usual": {0, 9, 1001},
    }
    assert not report.passed


def test_a_longer_window_may_hold_more(world: RawWorld, outcome: Outcome) -> None:
    world.history("products", [100] * 14, windows=True)
    world.land("products", loaded=0, received=3100, window=("2026-03-01", "2026-04-01"))
    world.execute("update ops.loaded_files set duplicate_count = received_count - loaded_count")
    report = gate.check_raw(world.settings)
    assert outcome(report, "volume_is_within_3_times_the_usual") == "passed"


def test_a_small_drop_without_window_only_warns(world: RawWorld, outcome: Outcome) -> None:
    world.history("products", [100] * 14)
    world.land("products", [{"product_id": "1"}])
    report = gate.check_raw(world.settings)
    assert outcome(report, "volume_is_within_3_times_the_usual") == "failed"
    assert outcome(report, "volume_is_within_10_times_the_usual") == "absent"
    assert report.passed


def test_a_silent_source_warns_and_a_required_feed_stops(tmp_path: Path, outcome: Outcome) -> None:
    world = make_raw_world(tmp_path / "optional")
    # as_of is 2026-04-01: warn after 2 days, stop after 7
    world.land("orders", orders(1), newest="2026-03-24 23:59:00", status="passed")
    report = gate.check_raw(world.settings)
    assert outcome(report, "drops_is_at_most_2_days_old") == "failed"
    assert report.passed
    config = CONFIG.replace('kind = "drops"', 'kind = "drops"\nrequired_entities = ["orders"]')
    world = make_raw_world(tmp_path / "required", config)
    world.land("orders", orders(1), newest="2026-03-24 23:59:00", status="passed")
    report = gate.check_raw(world.settings)
    assert outcome(report, "orders_is_at_most_7_days_old") == "failed"
    assert not report.passed
    assert report.file_status == {}
    world.land("orders", orders(1), newest="2026-03-31 12:00:00", name="fresh")
    assert gate.check_raw(world.settings).passed


def test_a_required_feed_that_never_came_stops(tmp_path: Path, outcome: Outcome) -> None:
    config = CONFIG.replace('kind = "drops"', 'kind = "drops"\nrequired_entities = ["refunds"]')
    world = make_raw_world(tmp_path / "home", config)
    world.land("orders", orders(1))
    report = gate.check_raw(world.settings)
    assert outcome(report, "refunds_is_at_most_7_days_old") == "failed"
    assert "no event" in report.message


def test_columns_that_change_warn(world: RawWorld, outcome: Outcome) -> None:
    for day in range(14):
        world.land(
            "orders",
            [{**order, "_record_key": f"{day}:{order['order_id']}"} for order in orders(10)],
            name=f"day-{day:02d}",
            status="passed",
        )
    rows = [{**order, "currency": None} for order in orders(100, gross="1000.00")]
    world.land("orders", rows, name="today")
    report = gate.check_raw(world.settings)
    assert outcome(report, "currency_is_present_as_often_as_usual") == "failed"
    assert outcome(report, "gross_amount_has_its_usual_median") == "failed"
    assert outcome(report, "order_id_is_present_as_often_as_usual") == "passed"
    assert report.passed  # distributions only warn


# 20 of 400 orders are 5 % exactly: not more.
@pytest.mark.parametrize(
    ("wrong", "count", "stops"), [(19, 100, False), (20, 400, False), (20, 399, True)]
)
@pytest.mark.parametrize("late", ["orders", "order_lines"])
def test_orders_that_do_not_match_their_lines_stop(
    world: RawWorld, outcome: Outcome, late: str, wrong: int, count: int, stops: bool
) -> None:
    placed, sold = orders(count), lines(count - wrong)
    sold += [{**line, "net_amount": "9.97"} for line in lines(count)[count - wrong :]]
    world.land("orders", placed, status="pending" if late == "orders" else "passed")
    world.land("order_lines", sold, status="pending" if late == "order_lines" else "passed")
    report = gate.check_raw(world.settings)
    assert outcome(report, "orders_match_their_lines") == ("failed" if stops else "passed")
    assert outcome(report, "every_order_matches_its_lines") == "failed"
    assert set(report.file_status.values()) == {"failed" if stops else "passed"}


def test_an_old_version_of_an_order_is_not_compared(world: RawWorld, outcome: Outcome) -> None:
    world.land("orders", [{**order, "_revision": 1} for order in orders(30)], status="passed")
    world.land("order_lines", lines(30), status="passed")
    world.land("orders", orders(30, gross="99.00"), name="late-and-old")
    report = gate.check_raw(world.settings)
    assert outcome(report, "every_order_matches_its_lines") == "passed"


def test_references_to_feeds_that_may_still_come_only_warn(
    world: RawWorld, outcome: Outcome
) -> None:
    rows = [{"redemption_id": "1", "code_norm": "GHOST", "customer_pid": "k1_b"}]
    world.land("code_redemptions", rows)
    report = gate.check_raw(world.settings)
    assert outcome(report, "promo_codes_are_known") == "passed"  # nothing of that feed yet
    world.land("promo_codes", [{"code_norm": "REAL"}])
    world.land("orders", orders(1))
    report = gate.check_raw(world.settings)
    assert outcome(report, "promo_codes_are_known") == "failed"
    assert outcome(report, "redeeming_customers_are_known") == "failed"
    assert report.passed


def journey_lines(count: int = 100, **values: object) -> list[dict[str, object]]:
    return [
        {
            "basket_id": str(n),
            "product_id": "p",
            "customer_pid": "k1_h",
            "quantity": 1,
            "sales_value": "3.00",
            "retail_disc": 0,
            "coupon_disc": 0,
            "coupon_match_disc": 0,
            "transaction_timestamp": datetime.fromisoformat("2026-03-31 12:00"),
            **values,
        }
        for n in range(count)
    ]


def sound_journey(world: RawWorld) -> None:
    """One campaign, one coupon, one household: everything agrees."""
    day = date(2026, 3, 31)
    source = "complete_journey"
    world.land("products", [{"product_id": "p"}], source=source)
    world.land(
        "campaign_descriptions",
        [{"campaign_id": "1", "start_date": date(2026, 3, 1), "end_date": day}],
        source=source,
    )
    world.land("campaigns", [{"campaign_id": "1", "customer_pid": "k1_h"}], source=source)
    world.land(
        "coupons", [{"campaign_id": "1", "coupon_upc": "c", "product_id": "p"}], source=source
    )
    world.land("transactions", journey_lines(), source=source)
    world.land(
        "coupon_redemptions",
        [{"campaign_id": "1", "coupon_upc": "c", "customer_pid": "k1_h", "redemption_date": day}]
        * 5,
        source=source,
    )


def test_a_journey_that_agrees_passes(world: RawWorld) -> None:
    sound_journey(world)
    report = gate.check_raw(world.settings)
    assert report.passed, report.message
    assert report.warnings == ()


MORE_CAMPAIGNS = """
update raw_complete_journey.campaign_descriptions set campaign_id = '2';
insert into raw_complete_journey.campaigns by name
    select c.* replace ('3' as campaign_id)
    from raw_complete_journey.campaigns as c, range(4) as t(n);
update ops.loaded_files set received_count = 5, loaded_count = 5 where entity = 'campaigns'
"""


@pytest.mark.parametrize(
    ("check", "damage"),
    [
        ("products_are_known", "products set product_id = 'other'"),
        ("few_lines_have_quantity_zero", "transactions set quantity = 0 where _line <= 20"),
        ("few_lines_cost_more_than_100", "transactions set sales_value = 100.01 where _line <= 20"),
        ("a_line_costs_what_groceries_cost", "transactions set sales_value = 6.01"),
        ("campaign_descriptions_are_known", MORE_CAMPAIGNS),
        ("redeeming_households_shop", "transactions set customer_pid = 'k1_other'"),
        ("coupons_are_known", "coupons set coupon_upc = 'other'"),
        ("campaigns_are_known", "campaigns set customer_pid = 'k1_other'"),
        (
            "redemptions_fall_into_their_campaign",
            "campaign_descriptions set end_date = '2026-03-30'",
        ),
    ],
)
def test_a_journey_that_does_not_agree_stops(world: RawWorld, check: str, damage: str) -> None:
    sound_journey(world)
    world.execute(damage if ";" in damage else f"update raw_complete_journey.{damage}")
    report = gate.check_raw(world.settings)
    assert check in {failure.check.name for failure in report.failures}


def test_tables_that_have_not_arrived_are_not_missed(world: RawWorld) -> None:
    world.land(
        "coupon_redemptions",
        [
            {
                "campaign_id": "1",
                "coupon_upc": "c",
                "customer_pid": "k1_h",
                "redemption_date": date(2026, 3, 31),
            }
        ]
        * 5,
        source="complete_journey",
    )
    assert gate.check_raw(world.settings).passed


def test_the_line_names_check_table_rows_and_what_to_do(world: RawWorld) -> None:
    world.land("products", rejected=2, name="bad")
    (failure,) = gate.check_raw(world.settings).failures
    assert failure.line.startswith("raw_drops.products: rejects_stay_below_the_limits: ")
    assert "1 row in drops/products/bad" in failure.line
    assert "setae quarantine list" in failure.line
    assert "\n" not in failure.line
