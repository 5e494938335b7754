"""What an experiment added, by permutation of its own lot: what `int_experiments__estimated` runs.

Units (creators' audiences, countries, people) were assigned by lot to waves that start one after
the other, or to no wave. Of each wave, the change from the days before its start to the days until
the next wave starts is compared with the change of the units that start later or never:

    D = sum over waves of h (mean change of the wave - mean change of the later) / sum of h,
    h = n m / (n + m) for n units against m

so nobody who has started already is ever a comparison. The interval needs no model of the outcome:
the same D is computed for every other way the lot could have fallen (all of them where they are
few, else a seeded sample), and a lift is inside when, taken away from the started units, it makes
the real assignment look like any other. It supposes that the lift a unit and day is the same for
all (as an interval; that there is none, as a test, needs no such thing), and that one unit's start
does not change another's outcome.

A design that cannot tell is refused, with the reason.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from estimation.estimates import seed_of
from estimation.hierarchy import Floats, Integers

_TIE = 1e-9
"""Statistics closer than this are equal: their sums were taken in another order."""

_CHUNK = 2_000_000
_LEAST_SAMPLE = 999


@dataclass(frozen=True)
class Rules:
    """What a design has to have.

    Attributes:
        level: Of the interval.
        minimum_units: Units below which nothing is estimated, by kind of unit.
        minimum_events: Orders in all windows below which nothing is estimated.
        minimum_history_days: Days before the first start that units have to be observed, by kind;
            0 where a comparison after the start alone is fair.
        exact_limit: Up to so many assignments all are computed.
        sample: Else so many are drawn.
    """

    level: float
    minimum_units: dict[str, int]
    minimum_events: int
    minimum_history_days: dict[str, int]
    exact_limit: int
    sample: int


@dataclass(frozen=True)
class Design:
    """One experiment.

    Attributes:
        key: Names the seed.
        kind: creator_activation, geo or audience.
        start: Of each unit, the first day of its wave; None where it never starts.
        first_day: First day of the history.
        end: First day after the last that counts.
        has_history: Whether the days before the start are compared as well.
    """

    key: str
    kind: str
    start: list[date | None]
    first_day: date
    end: date
    has_history: bool


@dataclass(frozen=True)
class Lift:
    """The answer; amounts are per unit and day of the outcome.

    Attributes:
        refusal: Why there is none; everything below is then None.
        value: Lift a unit and day.
        low: Lower end of its interval.
        high: Upper end.
        level_after: Mean outcome of started units a day, lift included.
        unit_days: Days of started units until the next wave, or the end.
        p_value: Two-sided, of no lift for anybody.
        assignments: Ways the lot could have fallen.
        computed: Of these, computed.
        is_exact: All of them were.
    """

    refusal: str | None
    wave_count: int = 0
    started_units: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level_after: float | None = None
    unit_days: int | None = None
    p_value: float | None = None
    assignments: int | None = None
    computed: int | None = None
    is_exact: bool | None = None


@dataclass(frozen=True)
class _Window:
    """A wave's days: `before` (None without history), `start`, `end`."""

    before: date | None
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days


def estimate(
    design: Design,
    rules: Rules,
    *,
    unit: Integers,
    day: NDArray[np.datetime64],
    outcome: Floats,
    events: Floats,
) -> Lift:
    """Estimate a design, or say why not.

    Args:
        design: Units in a fixed order.
        rules: What it has to have.
        unit: Of each row of outcomes, the position of its unit.
        day: Its day.
        outcome: What is judged, summed over the day.
        events: Orders of the day: how much there is to go by, whatever the outcome.
    """
    size = len(design.start)
    least = rules.minimum_units[design.kind]
    if size < least:
        return Lift(f"{size} units, and {least} are needed")
    starts = sorted({start for start in design.start if start is not None and start < design.end})
    if not starts:
        return Lift("no wave has started by the last complete day")
    history = (starts[0] - design.first_day).days
    wanted = rules.minimum_history_days[design.kind]
    if history < wanted:
        return Lift(f"{history} days before the first start, and {wanted} are needed")
    never = len(starts)
    labels = np.array([_label(start, starts) for start in design.start], dtype=np.int64)
    usable = [number for number in range(len(starts)) if (labels > number).any()]
    if not usable:
        return Lift("nobody is left to compare with: the last wave has no later one and no control")
    windows = [_window(design, starts, number) for number in usable]
    counts = np.bincount(labels, minlength=never + 1)
    ways = _ways([int(count) for count in counts])
    needed = math.ceil(2.0 / (1.0 - rules.level) - _TIE)
    if ways < needed:
        return Lift(f"the lot could fall in {ways} ways, and an interval needs {needed}")
    total = sum(_within(day, events, window).sum() for window in windows)
    if total < rules.minimum_events:
        return Lift(f"{int(total)} orders in the windows, and {rules.minimum_events} are needed")
    changes = np.column_stack([_change(unit, day, outcome, window, size) for window in windows])
    status = np.column_stack([_status(design, window) for window in windows])
    numbers = np.array(usable, dtype=np.int64)
    real = labels[None, :]
    observed = float(_statistic(real, changes, numbers)[0])
    dose = float(_statistic(real, status, numbers)[0])
    is_exact = ways <= rules.exact_limit
    sample = min(rules.sample, max(_LEAST_SAMPLE, 50_000_000 // size))
    drawn = (
        _all(labels)
        if is_exact
        else _some(labels, sample, np.random.default_rng(seed_of(design.key)))
    )
    others, doses = _over(drawn, changes, status, numbers)
    low, high, p_value = _inverted(others, doses, observed, dose, rules.level)
    started = np.isin(labels, numbers)
    unit_days = sum(
        int((labels == number).sum()) * window.days
        for number, window in zip(usable, windows, strict=True)
    )
    after = sum(
        float(np.bincount(unit, _within(day, outcome, window), size)[labels == number].sum())
        for number, window in zip(usable, windows, strict=True)
    )
    return Lift(
        refusal=None,
        wave_count=len(usable),
        started_units=int(started.sum()),
        value=observed / dose,
        low=low,
        high=high,
        level_after=after / unit_days,
        unit_days=unit_days,
        p_value=p_value,
        assignments=ways,
        computed=len(others),
        is_exact=is_exact,
    )


def _label(start: date | None, starts: list[date]) -> int:
    return len(starts) if start is None or start not in starts else starts.index(start)


def _window(design: Design, starts: list[date], number: int) -> _Window:
    start = starts[number]
    end = min(starts[number + 1], design.end) if number + 1 < len(starts) else design.end
    length = min((end - start).days, (start - design.first_day).days)
    before = start - timedelta(days=length) if design.has_history and length > 0 else None
    return _Window(before, start, end)


def _within(
    day: NDArray[np.datetime64], values: Floats, window: _Window, *, is_before: bool = False
) -> Floats:
    """The values of a window's days, 0 elsewhere."""
    begin, end = (window.before, window.start) if is_before else (window.start, window.end)
    inside = (day >= np.datetime64(begin)) & (day < np.datetime64(end))
    return np.where(inside, values, 0.0)


def _change(
    unit: Integers, day: NDArray[np.datetime64], outcome: Floats, window: _Window, size: int
) -> Floats:
    """Of each unit, the mean day of the window less the mean day before it."""
    after = np.bincount(unit, _within(day, outcome, window), size) / window.days
    if window.before is None:
        return after
    length = (window.start - window.before).days
    before = np.bincount(unit, _within(day, outcome, window, is_before=True), size) / length
    return after - before


def _status(design: Design, window: _Window) -> Floats:
    """Of each unit, the share of the window's days it had started, less that of the days before."""
    shares = []
    for start in design.start:
        after = float(start is not None and start <= window.start)
        before = 0.0
        if start is not None and window.before is not None and start < window.start:
            length = (window.start - window.before).days
            before = (window.start - max(start, window.before)).days / length
        shares.append(after - before)
    return np.array(shares)


def _statistic(labels: Integers, values: Floats, numbers: Integers) -> Floats:
    """D of each row of labels."""
    total = np.zeros(len(labels))
    weights = 0.0
    for column, number in enumerate(numbers):
        wave, later = labels == number, labels > number
        n, m = int(wave[0].sum()), int(later[0].sum())
        weight = n * m / (n + m)
        mine = np.where(wave, values[:, column], 0.0).sum(axis=1) / n
        theirs = np.where(later, values[:, column], 0.0).sum(axis=1) / m
        total += weight * (mine - theirs)
        weights += weight
    return total / weights


def _over(
    drawn: Iterator[Integers], changes: Floats, status: Floats, numbers: Integers
) -> tuple[Floats, Floats]:
    others, doses = [], []
    for labels in drawn:
        others.append(_statistic(labels, changes, numbers))
        doses.append(_statistic(labels, status, numbers))
    return np.concatenate(others), np.concatenate(doses)


def _inverted(
    others: Floats, doses: Floats, observed: float, dose: float, level: float
) -> tuple[float, float, float]:
    """Ends of the interval of lifts under which the real assignment is not extreme, and p of none.

    With a lift t taken away, another assignment is at least as high as the real one when
    t (dose - its dose) >= observed - its D: from one t on, where it started other units.
    """
    scale = max(float(np.abs(others).max()), abs(observed), 1e-300)
    size, limit = len(others), (1.0 - level) / 2.0
    apart = dose - doses > _TIE
    turning = np.sort((observed - others[apart]) / (dose - doses[apart]))
    always = size - len(turning)  # the real assignment and its equals
    place = max(math.floor(limit * size + _TIE) - always, 0)
    low = float(turning[place])
    high = float(turning[len(turning) - 1 - place])
    above = float((others >= observed - _TIE * scale).mean())
    below = float((others <= observed + _TIE * scale).mean())
    return low, high, min(1.0, 2.0 * min(above, below))


def _ways(counts: list[int]) -> int:
    total, ways = 0, 1
    for count in counts:
        total += count
        ways *= math.comb(total, count)
    return ways


def _all(labels: Integers) -> Iterator[Integers]:
    """Every distinct arrangement of the labels, in chunks."""
    counts = np.bincount(labels)
    rows: list[Integers] = []
    for arrangement in _arrangements(list(range(len(labels))), [int(c) for c in counts]):
        row = np.empty(len(labels), dtype=np.int64)
        for label, places in enumerate(arrangement):
            row[list(places)] = label
        rows.append(row)
        if len(rows) * len(labels) >= _CHUNK:
            yield np.stack(rows)
            rows = []
    if rows:
        yield np.stack(rows)


def _arrangements(places: list[int], counts: list[int]) -> Iterator[list[tuple[int, ...]]]:
    if not counts:
        yield []
        return
    for chosen in itertools.combinations(places, counts[0]):
        taken = set(chosen)
        left = [place for place in places if place not in taken]
        for rest in _arrangements(left, counts[1:]):
            yield [chosen, *rest]


def _some(labels: Integers, sample: int, generator: np.random.Generator) -> Iterator[Integers]:
    """The real arrangement and a sample of others, in chunks."""
    yield labels[None, :]
    rows = max(_CHUNK // len(labels), 1)
    for begin in range(0, sample, rows):
        count = min(rows, sample - begin)
        yield generator.permuted(np.tile(labels, (count, 1)), axis=1)
