"""One answer an experiment, and the words of a refusal."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from estimation.designs import estimate
from estimation.lift import Rules

RULES = Rules(
    level=0.5,
    minimum_units={"creator_activation": 2, "geo": 2, "audience": 2},
    minimum_events=1,
    minimum_history_days={"creator_activation": 0, "geo": 0, "audience": 0},
    exact_limit=10_000,
    sample=400,
)
HEAD = {
    "experiment_key": "x",
    "unit": "audience",
    "metric": "net_sales_amount",
    "starts_at": datetime(2026, 3, 1),
    "ends_at": None,
    "end_date": None,
    "history_first_date": date(2026, 2, 1),
    "assigned_count": 4,
    "known_count": 4,
}


def outcome(name: str | None, cents: int, *, treated: bool, **other: Any) -> dict[str, Any]:
    return {
        **HEAD,
        "unit_key": name,
        "start_date": date(2026, 3, 1) if treated else None,
        "order_date": date(2026, 3, 1) if name else None,
        "first_currency_code": "EUR" if name else None,
        "last_currency_code": "EUR" if name else None,
        "order_count": 1,
        "new_customer_count": 0,
        "net_sales_units": cents,
        **other,
    }


FOUR = [
    outcome("a", 300, treated=True),
    outcome("b", 500, treated=True),
    outcome("c", 100, treated=False),
    outcome("d", 100, treated=False),
]


def answer(rows: list[dict[str, Any]], through: date = date(2026, 3, 1)) -> dict[str, Any]:
    table = pa.Table.from_pylist([{**row, "data_through_date": through} for row in rows])
    (found,) = estimate(table, RULES).to_pylist()
    return found


def test_the_answer_is_that_of_the_lot_in_minor_units() -> None:
    found = answer(FOUR)
    assert found["refusal_reason"] is None
    assert (found["lift"], found["lift_ci_low"], found["lift_ci_high"]) == (300.0, 200.0, 400.0)
    assert (found["started_mean"], found["unit_days"]) == (400.0, 2)
    assert (found["currency_code"], found["assignment_count"]) == ("EUR", 6.0)


def test_days_after_the_last_complete_one_do_not_count() -> None:
    late = [*FOUR, outcome("a", 99_999, treated=True, order_date=date(2026, 3, 2))]
    assert answer(late)["lift"] == 300.0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metric": "applause"}, "metric 'applause' is none of order_count"),
        ({"assigned_count": 0}, "no assignments"),
        ({"known_count": 0}, "no arm is known"),
        ({"last_currency_code": "USD"}, "orders in 2 currencies have no sum"),
        ({"metric": "new_customer_count", "last_currency_code": "USD"}, None),
    ],
)
def test_what_cannot_be_read_is_refused(change: dict[str, Any], says: str | None) -> None:
    found = answer([{**row, **change} for row in FOUR])
    if says is None:
        assert found["refusal_reason"] is None
    else:
        assert found["refusal_reason"].startswith(says)
        assert found["lift"] is None


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        ("creator_activation", "no creator has an audience that was known before the start"),
        ("audience", "no list of people"),
    ],
)
def test_without_units_the_reason_names_what_is_missing(unit: str, says: str) -> None:
    found = answer([outcome(None, 0, treated=False, unit=unit)])
    assert found["refusal_reason"].startswith(says)
    assert found["unit_count"] == 0
