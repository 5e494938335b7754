"""What an experiment added: by hand where the lot is small, and how often intervals hold."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from estimation.lift import Design, Lift, Rules, estimate

FIRST = date(2026, 1, 1)
RULES = Rules(
    level=0.5,
    minimum_units={"creator_activation": 2, "geo": 2, "audience": 2},
    minimum_events=1,
    minimum_history_days={"creator_activation": 0, "geo": 0, "audience": 0},
    exact_limit=10_000,
    sample=400,
)


def on(day: int) -> date:
    return FIRST + timedelta(days=day)


def lift_of(table: list[list[float]], design: Design, rules: Rules = RULES) -> Lift:
    """Estimate from a table of units by days."""
    values = np.array(table, dtype=float)
    unit, day = np.nonzero(values)
    return estimate(
        design,
        rules,
        unit=unit,
        day=np.datetime64(FIRST) + day,
        outcome=values[unit, day],
        events=values[unit, day],
    )


def two_arms(kind: str = "audience") -> Design:
    return Design(
        key="x",
        kind=kind,
        start=[on(0), on(0), None, None],
        first_day=FIRST,
        end=on(1),
        has_history=False,
    )


def test_two_against_two_by_hand() -> None:
    """Started units have 3 and 5, the others 1 and 1: the difference of means is 3.

    The lot could fall in six ways. Of the other five, those that start one of each (differences -1,
    -1, 1, 1, and half of the real units each way, so dose 0) turn at lifts of 4, 4, 2, 2; the
    opposite one (difference -3, dose -1) at 6 / 2 = 3. At a level of one half a quarter of six may
    lie outside at either end: the real one itself, and nothing more. So the ends are 2 and 4. No
    other way shows 3 or more: p = 2/6.
    """
    found = lift_of([[3], [5], [1], [1]], two_arms())
    assert found.refusal is None
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 2.0, 4.0))
    assert found.p_value == pytest.approx(1 / 3)
    assert (found.assignments, found.computed, found.is_exact) == (6, 6, True)
    assert (found.level_after, found.unit_days, found.started_units) == (4.0, 2, 2)


def test_waves_are_compared_with_those_not_yet_started_by_hand() -> None:
    """a starts on day 2, b on day 4, c never.

    First wave, days 2 and 3 against 0 and 1: a rises by 1, b and c by nothing; 1 against 2 weighs
    2/3. Second, days 4 and 5 against 2 and 3: b rises by 3, c by nothing; 1 against 1 weighs 1/2.
    a has started and is no comparison. (2/3 of 1 and 1/2 of 3) / (7/6) = 13/7.
    """
    design = Design(
        key="x",
        kind="creator_activation",
        start=[on(2), on(4), None],
        first_day=FIRST,
        end=on(6),
        has_history=True,
    )
    table = [[1, 1, 2, 2, 9, 9], [1, 1, 1, 1, 4, 4], [0, 0, 0, 0, 0, 0]]
    found = lift_of(table, design)
    assert found.value == pytest.approx(13 / 7)
    assert (found.wave_count, found.started_units, found.unit_days) == (2, 2, 4)
    assert found.level_after == pytest.approx((2 + 2 + 4 + 4) / 4)


def test_the_last_wave_without_anybody_later_counts_for_nothing() -> None:
    design = Design(
        key="x",
        kind="creator_activation",
        start=[on(2), on(2), on(4), on(4)],
        first_day=FIRST,
        end=on(6),
        has_history=True,
    )
    found = lift_of([[1] * 6, [1] * 6, [1] * 6, [1, 1, 1, 1, 50, 50]], design)
    assert (found.wave_count, found.started_units) == (1, 2)
    assert found.value == pytest.approx(0.0)


def test_every_way_the_lot_could_fall_is_computed_once() -> None:
    from estimation.lift import _all

    labels = np.array([0, 1, 1, 2])
    rows = {tuple(row) for chunk in _all(labels) for row in chunk.tolist()}
    assert rows == set(itertools.permutations(labels.tolist()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"minimum_units": {"audience": 5}}, "4 units, and 5 are needed"),
        ({"minimum_history_days": {"audience": 3}}, "0 days before the first start, and 3"),
        ({"level": 0.9}, "the lot could fall in 6 ways, and an interval needs 20"),
        ({"minimum_events": 11}, "10 orders in the windows, and 11 are needed"),
    ],
)
def test_a_design_that_cannot_tell_is_refused_with_the_reason(
    change: dict[str, object], says: str
) -> None:
    found = lift_of([[3], [5], [1], [1]], two_arms(), replace(RULES, **change))
    assert found.refusal is not None
    assert found.refusal.startswith(says)
    assert found.value is None


def test_no_wave_and_no_comparison_are_refused() -> None:
    late = replace(two_arms(), start=[on(1), on(1), None, None])
    assert "no wave has started" in str(lift_of([[3], [5], [1], [1]], late).refusal)
    alone = replace(two_arms(), start=[on(0)] * 4)
    assert "nobody is left to compare with" in str(lift_of([[3], [5], [1], [1]], alone).refusal)


def simulated(
    effect: float, *, worlds: int, rules: Rules, units: int = 48
) -> tuple[float, float, float]:
    """Share of intervals with the effect inside, of p below a tenth, and the mean estimate."""
    luck = np.random.default_rng(int(effect * 1000) + 1)
    held = small = 0
    values = []
    for number in range(worlds):
        waves = [on(10), on(30), on(50), None]
        start = [waves[place] for place in luck.permutation(np.arange(units) % 4)]
        rate = np.repeat(luck.gamma(1.5, 0.3, units)[:, None], 70, axis=1)
        for unit, day in enumerate(start):
            if day is not None:
                rate[unit, (day - FIRST).days :] += effect
        design = Design(
            key=f"w{number}",
            kind="creator_activation",
            start=start,
            first_day=FIRST,
            end=on(70),
            has_history=True,
        )
        found = lift_of(luck.poisson(rate).tolist(), design, rules)
        assert found.refusal is None
        held += found.low <= effect <= found.high
        small += found.p_value < 0.1
        values.append(found.value)
    return held / worlds, small / worlds, float(np.mean(values))


def test_intervals_hold_what_was_put_in_and_nothing_is_found_in_a_null_world() -> None:
    rules = replace(RULES, level=0.9)
    held, false_calls, mean = simulated(0.0, worlds=250, rules=rules)
    assert 0.85 <= held <= 0.95
    assert false_calls <= 0.15
    assert abs(mean) < 0.01
    held, found, mean = simulated(0.15, worlds=100, rules=rules)
    assert 0.82 <= held <= 0.98
    assert found >= 0.7
    assert mean == pytest.approx(0.15, abs=0.02)


def test_the_same_key_draws_the_same_lots() -> None:
    design = Design(
        key="x",
        kind="audience",
        start=[on(0) if number % 2 else None for number in range(30)],
        first_day=FIRST,
        end=on(1),
        has_history=False,
    )
    table = [[float(number % 7)] for number in range(30)]
    first = lift_of(table, design)
    assert first == lift_of(table, design)
    assert first.is_exact is False
    assert first.computed == RULES.sample + 1
