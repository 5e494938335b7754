"""The world's time: business days, weekday and hour rhythm, instants as µs since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.synthetic.columns import Floats, Ints
from ingestion.synthetic.randomness import Luck, pick

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

HISTORY_DAYS = 200
"""Days before the first observed one that instants may lie in."""

_BEYOND_DAYS = 60

WEEKDAYS = np.array([0.98, 0.95, 0.95, 1.0, 1.02, 1.0, 1.1])
"""How busy Monday to Sunday are; the mean is 1."""

_NIGHT_AND_MORNING = (0.4, 0.25, 0.15, 0.1, 0.1, 0.2, 0.6, 1.0, 1.2, 1.1, 1.1, 1.2)
_AFTERNOON_AND_EVENING = (1.4, 1.3, 1.1, 1.1, 1.2, 1.4, 1.7, 2.1, 2.4, 2.3, 1.7, 0.9)

HOURS = np.array([*_NIGHT_AND_MORNING, *_AFTERNOON_AND_EVENING])
"""How busy the hours of a day are."""


@dataclass(frozen=True)
class Clock:
    """The days of one world; day 0 is the first observed.

    Attributes:
        starts: Begin of each day from `-HISTORY_DAYS` on, µs.
        weights: How busy each day from day 0 on is; some days beyond the end are included.
    """

    days: int
    first: date
    starts: Ints
    weights: Floats

    @property
    def start(self) -> int:
        """Begin of day 0, µs."""
        return int(self.starts[HISTORY_DAYS])

    @property
    def end(self) -> int:
        """Begin of the first day not observed, µs; the world's `as_of`."""
        return int(self.starts[HISTORY_DAYS + self.days])

    def begin_of(self, day: Ints) -> Ints:
        """Begin of days, µs."""
        return self.starts[day + HISTORY_DAYS]

    def day_of(self, instants: Ints) -> Ints:
        """The business day an instant falls on; negative before day 0."""
        found = np.searchsorted(self.starts, instants, side="right") - 1 - HISTORY_DAYS
        return found.astype(np.int64)

    def date_of(self, day: int) -> date:
        """The calendar day."""
        return self.first + timedelta(days=day)

    def random_days(self, luck: Luck, size: int) -> Ints:
        """Observed days, busy ones more often."""
        return luck.choice(self.weights[: self.days], size)

    def at(self, day: Ints, luck: Luck, shift: Floats | None = None) -> Ints:
        """Instants on days, by the rhythm of hours; `shift` in hours moves night owls."""
        size = len(day)
        hour = pick(HOURS, luck.uniform(size)) + luck.uniform(size)
        if shift is not None:
            hour = np.mod(hour + shift, 24.0)
        # DST lengthens or shortens one day a season; its last hour may then be the next day's.
        inside = np.minimum((hour * HOUR).astype(np.int64), 24 * HOUR - SECOND)
        return self.begin_of(day) + inside


def make(*, first: date, days: int, timezone: str) -> Clock:
    """The clock of a world."""
    zone = ZoneInfo(timezone)
    starts = [
        _micros(datetime.combine(first + timedelta(days=day), time(), zone))
        for day in range(-HISTORY_DAYS, days + _BEYOND_DAYS)
    ]
    weekdays = (first.weekday() + np.arange(days + _BEYOND_DAYS)) % 7
    return Clock(days, first, np.array(starts, dtype=np.int64), WEEKDAYS[weekdays])


def instant(micros: int) -> datetime:
    """An instant as an aware datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _micros(value: datetime) -> int:
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def whole_seconds(instants: Ints) -> Ints:
    """Cut to the second, as a shop's clock does."""
    return instants // SECOND * SECOND
