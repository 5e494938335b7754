"""From outcomes of assigned units to one answer an experiment, for `int_experiments__estimated`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from estimation.lift import Design, Lift, Rules, estimate as estimate_lift
from estimation.table import DIGITS

SORTED_BY = ("experiment_key", "unit_key", "order_date")
METRICS = {
    "order_count": "order_count",
    "new_customer_count": "new_customer_count",
    "net_sales_amount": "net_sales_units",
}
"""Metrics an experiment may be registered with, and their column; money comes in minor units."""

_SCHEMA = pa.schema(
    [
        ("experiment_key", pa.string()),
        ("unit", pa.string()),
        ("metric", pa.string()),
        ("currency_code", pa.string()),
        ("starts_at", pa.timestamp("us")),
        ("ends_at", pa.timestamp("us")),
        ("refusal_reason", pa.string()),
        ("assigned_count", pa.int64()),
        ("unit_count", pa.int64()),
        ("started_unit_count", pa.int64()),
        ("wave_count", pa.int64()),
        ("unit_days", pa.int64()),
        ("assignment_count", pa.float64()),
        ("computed_assignment_count", pa.int64()),
        ("is_exact", pa.bool_()),
        ("started_mean", pa.float64()),
        ("lift", pa.float64()),
        ("lift_ci_low", pa.float64()),
        ("lift_ci_high", pa.float64()),
        ("p_value", pa.float64()),
    ]
)


def estimate(outcomes: pa.Table, rules: Rules) -> pa.Table:
    """One row an experiment.

    Args:
        outcomes: Rows of `int_experiment_outcomes__counted`, in the order of `SORTED_BY`.
        rules: What a design has to have.

    Returns:
        The answer; `refusal_reason` says why there is none. Lifts and means are of one unit and
        day, money in minor units.
    """
    rows = outcomes.to_pylist()
    found = []
    for key in sorted({row["experiment_key"] for row in rows}):
        mine = [row for row in rows if row["experiment_key"] == key]
        found.append(_answer(key, mine, rules))
    return pa.Table.from_pylist(found, schema=_SCHEMA)


def _answer(key: str, rows: list[dict[str, Any]], rules: Rules) -> dict[str, Any]:
    head = rows[0]
    units = sorted({row["unit_key"] for row in rows if row["unit_key"] is not None})
    currencies = {
        row[name]
        for row in rows
        for name in ("first_currency_code", "last_currency_code")
        if row[name] is not None
    }
    is_money = head["metric"] == "net_sales_amount"
    refusal = _unreadable(head, units, currencies if is_money else set())
    lift = Lift(refusal) if refusal else _lift(key, rows, units, rules, head["data_through_date"])
    return {
        **{name: head[name] for name in ("unit", "metric", "starts_at", "ends_at")},
        "experiment_key": key,
        "currency_code": min(currencies) if is_money and len(currencies) == 1 else None,
        "refusal_reason": lift.refusal,
        "assigned_count": head["assigned_count"],
        "unit_count": len(units),
        "started_unit_count": lift.started_units if lift.refusal is None else None,
        "wave_count": lift.wave_count if lift.refusal is None else None,
        "unit_days": lift.unit_days,
        "assignment_count": float(min(lift.assignments, 10**300)) if lift.assignments else None,
        "computed_assignment_count": lift.computed,
        "is_exact": lift.is_exact,
        "started_mean": _rounded(lift.level_after),
        "lift": _rounded(lift.value),
        "lift_ci_low": _rounded(lift.low),
        "lift_ci_high": _rounded(lift.high),
        "p_value": _rounded(lift.p_value),
    }


def _unreadable(head: dict[str, Any], units: list[str], currencies: set[str]) -> str | None:
    if head["metric"] not in METRICS:
        return f"metric {head['metric']!r} is none of {', '.join(METRICS)}"
    if not head["assigned_count"]:
        return "no assignments: an object of unit and arm is needed"
    if not head["known_count"]:
        return "no arm is known: name a wave of `waves`, `treated` or `control`"
    if not units:
        wanted = {
            "creator_activation": "no creator has an audience that was known before the start",
            "audience": "no list of people: none of the campaigns has exposures",
        }
        return wanted.get(head["unit"], "no unit has orders")
    if len(currencies) > 1:
        return f"orders in {len(currencies)} currencies have no sum"
    return None


def _lift(key: str, rows: list[dict[str, Any]], units: list[str], rules: Rules, last: date) -> Lift:
    head = rows[0]
    position = {unit: number for number, unit in enumerate(units)}
    start: list[date | None] = [None] * len(units)
    for row in rows:
        if row["unit_key"] is not None:
            start[position[row["unit_key"]]] = row["start_date"]
    after_last = last + timedelta(days=1)
    design = Design(
        key=key,
        kind=head["unit"],
        start=start,
        first_day=head["history_first_date"],
        end=min(head["end_date"], after_last) if head["end_date"] else after_last,
        has_history=head["unit"] != "audience",
    )
    told = [row for row in rows if row["order_date"] is not None]
    return estimate_lift(
        design,
        rules,
        unit=np.array([position[row["unit_key"]] for row in told], dtype=np.int64),
        day=np.array([row["order_date"] for row in told], dtype="datetime64[D]"),
        outcome=np.array([row[METRICS[head["metric"]]] for row in told], dtype=np.float64),
        events=np.array([row["order_count"] for row in told], dtype=np.float64),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0
