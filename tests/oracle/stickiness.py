"""Sessions, stickiness, retention, return visits, their lift and customers' value, once more.

Straight from the definitions in `docs/metrics/`, person by person and day by day, with no thought
of speed and nothing shared with the SQL. Times are naive UTC, days are dates in the zone of the
rules; results are dictionaries from a row's key to its values.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Rules:
    """The settings a result depends on."""

    timezone: str = "UTC"
    week_start: str = "monday"
    through: date = date(2026, 12, 31)
    gap: timedelta = timedelta(minutes=30)
    is_split: bool = True
    types: frozenset[str] = frozenset({"page_view", "product_view", "search", "purchase"})
    minimum_events: int = 1
    maximum_events: int = 0
    minimum_start_events: int = 1
    minimum_return_events: int = 1
    is_rolling: bool = False
    lookback_days: int = 28
    recency_days: tuple[int, ...] = (0, 1, 3, 7, 14, 28)
    frequency_visits: tuple[int, ...] = (0, 1, 3, 7)
    history_days: int = 28
    creator_days: int = 90

    def day(self, instant: datetime) -> date:
        """The business day of an instant."""
        return instant.replace(tzinfo=UTC).astimezone(ZoneInfo(self.timezone)).date()

    def hour(self, instant: datetime) -> datetime:
        """The instant at which the wall clock's hour began, UTC."""
        local = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(self.timezone))
        return instant - timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )

    def midnight(self, day: date) -> datetime:
        """The instant at which a business day begins, UTC."""
        local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.timezone))
        return local.astimezone(UTC).replace(tzinfo=None)

    def week(self, day: date) -> date:
        """The first day of the week of a day."""
        behind = day.weekday() if self.week_start == "monday" else (day.weekday() + 1) % 7
        return day - behind * DAY


@dataclass(frozen=True)
class Event:
    """Something a person did.

    Attributes:
        creator: Where the event itself is a creator's touch.
        is_brought: A channel's touch: an e-mail, an ad, a partner's link.
    """

    person: str
    at: datetime
    kind: str = "page_view"
    platform: str = "web"
    is_bot: bool = False
    is_internal: bool = False
    creator: str | None = None
    is_brought: bool = False

    @property
    def is_counted(self) -> bool:
        """Neither a bot's nor the team's own."""
        return not self.is_bot and not self.is_internal


@dataclass(frozen=True)
class Touch:
    """A creator reached a person; an act is the person's own doing. Ties in time go by key."""

    person: str
    at: datetime
    creator: str
    key: str = ""
    is_act: bool = True


@dataclass(frozen=True)
class Session:
    """A run of events."""

    person: str
    start: datetime
    end: datetime
    events: int
    qualifying: int
    creator: str | None
    touched: datetime | None
    is_brought: bool = False

    @property
    def is_direct(self) -> bool:
        """Nobody's touch: neither a creator's, one or several, nor a channel's."""
        return self.creator is None and not self.is_brought


@dataclass
class _Open:
    events: list[Event] = field(default_factory=list)
    creator: str | None = None
    touched: datetime | None = None


def sessions(events: Iterable[Event], touches: Iterable[Touch], rules: Rules) -> list[Session]:
    """Every person's events in order; a gap or another creator's touch begins a new session."""
    by_person: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.is_counted:
            by_person[event.person].append(event)
    acts: dict[str, list[Touch]] = defaultdict(list)
    for touch in touches:
        if touch.is_act:
            acts[touch.person].append(touch)
    found: list[Session] = []
    for person, own in by_person.items():
        own.sort(key=lambda event: event.at)
        waiting = sorted(acts[person], key=lambda touch: (touch.at, touch.key))
        current: _Open | None = None
        last: datetime | None = None
        for event in own:
            touch = None
            while waiting and waiting[0].at <= event.at:
                touch = waiting.pop(0)
            if touch is not None and touch.at < event.at - rules.gap:
                touch = None
            is_new = last is None or event.at - last > rules.gap
            if touch is not None and not is_new and rules.is_split:
                assert current is not None
                is_new = current.creator != touch.creator
            if is_new:
                if current is not None:
                    found.append(_close(person, current, rules))
                current = _Open()
            assert current is not None
            if touch is not None and current.creator is None:
                current.creator, current.touched = touch.creator, touch.at
            current.events.append(event)
            last = event.at
        if current is not None:
            found.append(_close(person, current, rules))
    return found


def _close(person: str, opened: _Open, rules: Rules) -> Session:
    return Session(
        person=person,
        start=opened.events[0].at,
        end=opened.events[-1].at,
        events=len(opened.events),
        qualifying=sum(event.kind in rules.types for event in opened.events),
        creator=opened.creator,
        touched=opened.touched,
        is_brought=any(event.is_brought for event in opened.events),
    )


def _active(events: Iterable[Event], rules: Rules) -> list[Event]:
    return [
        event
        for event in events
        if event.is_counted and event.kind in rules.types and rules.day(event.at) <= rules.through
    ]


def active_days(
    events: Iterable[Event], rules: Rules, platform: str | None = None
) -> dict[str, set[date]]:
    """Person → days with enough events."""
    counts: Counter[tuple[str, date]] = Counter()
    for event in _active(events, rules):
        if platform is None or event.platform == platform:
            counts[event.person, rules.day(event.at)] += 1
    days: dict[str, set[date]] = defaultdict(set)
    for (person, day), count in counts.items():
        if count >= rules.minimum_events:
            days[person].add(day)
    return days


def stickiness_daily(days: dict[str, set[date]], rules: Rules) -> dict[date, dict[str, Any]]:
    """Day → counts, from the first active day to the last complete one."""
    everything = sorted({day for own in days.values() for day in own})
    rows: dict[date, dict[str, Any]] = {}
    if not everything:
        return rows
    day = everything[0]
    while day <= rules.through:

        def within(
            first: int, last: int, *, end: date = day
        ) -> set[str]:  # days back, both inclusive
            wanted = {end - back * DAY for back in range(first, last + 1)}
            return {person for person, own in days.items() if own & wanted}

        today, yesterday = within(0, 0), within(1, 1)
        month, month_before = within(0, 27), within(28, 55)
        first = {person: min(own) for person, own in days.items() if own}
        new = {person for person in today if first[person] == day}
        new_28d = {person for person in month if first[person] > day - 28 * DAY}
        rows[day] = {
            "dau_count": len(today),
            "wau_count": len(within(0, 6)),
            "mau_28d_count": len(month),
            "mau_30d_count": len(within(0, 29)),
            "new_count": len(new),
            "returning_count": len(today & yesterday),
            "resurrecting_count": len(today - yesterday - new),
            "dormant_count": len(yesterday - today),
            "new_28d_count": len(new_28d),
            "returning_28d_count": len(month & month_before),
            "resurrecting_28d_count": len(month - month_before - new_28d),
            "dormant_28d_count": len(month_before - month),
            "active_day_28d_count": sum(
                len(own & {day - back * DAY for back in range(28)}) for own in days.values()
            ),
        }
        day += DAY
    return rows


def distribution(
    events: Iterable[Event],
    rules: Rules,
    *,
    first: date,
    last: date,
    unit: str,
    length: int = 1,
) -> dict[int, tuple[int, int]]:
    """k → persons active in exactly and in at least k intervals of a window, ends inclusive."""

    def place(instant: datetime) -> int:
        day = rules.day(instant)
        if unit == "hour":
            return (rules.hour(instant) - rules.midnight(first)) // timedelta(hours=1) // length
        if unit == "day":
            return (day - first).days // length
        if unit == "week":
            return (rules.week(day) - rules.week(first)).days // 7 // length
        return ((day.year - first.year) * 12 + day.month - first.month) // length

    counts: Counter[tuple[str, int]] = Counter()
    for event in _active(events, rules):
        if first <= rules.day(event.at) <= last:
            counts[event.person, place(event.at)] += 1
    intervals: Counter[str] = Counter()
    for (person, _), count in counts.items():
        if count >= rules.minimum_events and (
            not rules.maximum_events or count <= rules.maximum_events
        ):
            intervals[person] += 1
    end = rules.midnight(last + DAY) - timedelta(microseconds=1)
    return {
        k: (
            sum(number == k for number in intervals.values()),
            sum(number >= k for number in intervals.values()),
        )
        for k in range(1, place(end) + 2)
    }


def retention(
    starts: Iterable[tuple[str, datetime]],
    returns: Iterable[tuple[str, datetime]],
    rules: Rules,
    *,
    period: str,
    recurrence: str,
    definition: str,
    n: int,
    n_to: int | None = None,
) -> dict[Any, tuple[int, int | None]]:
    """Cohort's first day (hour) → its size and who was retained, None where not observable.

    Args:
        starts: Persons and instants of what starts a cohort.
        returns: The same of what counts as coming back.
    """

    def interval(instant: datetime) -> Any:
        day = rules.day(instant)
        if period == "hour":
            return rules.hour(instant)
        if period == "day":
            return day
        return rules.week(day) if period == "week" else day.replace(day=1)

    def after(start: Any, count: int) -> Any:
        if period == "month":
            number = start.year * 12 + start.month - 1 + count
            return date(number // 12, number % 12 + 1, 1)
        return start + count * {"hour": timedelta(hours=1), "day": DAY, "week": 7 * DAY}[period]

    def is_over(start: Any) -> bool:
        following = after(start, 1)
        end = following if period == "hour" else rules.midnight(following)
        return bool(end <= rules.midnight(rules.through + DAY))

    def qualified(
        acts: Iterable[tuple[str, datetime]], minimum: int
    ) -> dict[str, dict[Any, datetime]]:
        counts: Counter[tuple[str, Any]] = Counter()
        firsts: dict[tuple[str, Any], datetime] = {}
        for person, at in acts:
            if rules.day(at) <= rules.through:
                key = (person, interval(at))
                counts[key] += 1
                firsts[key] = min(at, firsts.get(key, at))
        kept: dict[str, dict[Any, datetime]] = defaultdict(dict)
        for (person, number), count in counts.items():
            if count >= minimum:
                kept[person][number] = firsts[person, number]
        return kept

    began = qualified(starts, rules.minimum_start_events)
    came = qualified(returns, rules.minimum_return_events)
    instants: dict[str, list[datetime]] = defaultdict(list)
    for person, at in returns:
        if rules.day(at) <= rules.through:
            instants[person].append(at)
    cohorts: dict[Any, list[tuple[str, datetime]]] = defaultdict(list)
    for person, own in began.items():
        for number in [min(own)] if recurrence == "first_ever" else own:
            cohorts[number].append((person, own[number]))
    rows: dict[Any, tuple[int, int | None]] = {}
    is_rolling = rules.is_rolling and period == "day"
    for start, members in cohorts.items():
        last_n = n if n_to is None else n_to
        last = after(start, last_n + (1 if is_rolling and n > 0 else 0))
        retained = 0
        for person, at in members:
            if is_rolling:
                own_numbers = {(back - at) // DAY for back in instants[person] if back > at}
                own_numbers.discard(0)
            else:
                own_numbers = {
                    _steps(start, other, after) for other in came.get(person, {}) if other > start
                }
            if n == 0:
                is_back = True
            elif definition == "on":
                is_back = n in own_numbers
            elif definition == "on_or_after":
                is_back = any(number >= n for number in own_numbers)
            else:
                assert n_to is not None
                is_back = any(n <= number <= n_to for number in own_numbers)
            retained += is_back
        rows[start] = (len(members), retained if is_over(last) else None)
    return rows


def _steps(start: Any, other: Any, after: Any) -> int:
    number = 0
    while after(start, number) < other:
        number += 1
    return number


def visits(found: Iterable[Session], rules: Rules) -> list[Session]:
    """Sessions with an event that counts as activity, up to the last complete day."""
    return [
        session
        for session in found
        if session.qualifying > 0 and rules.day(session.start) <= rules.through
    ]


def return_visits(
    found: Iterable[Session], rules: Rules, window: int
) -> dict[tuple[str, date], dict[str, Any]]:
    """Creator and week of the first visit by him → who came back within so many days, and how."""
    by_person: dict[str, list[Session]] = defaultdict(list)
    for session in sorted(visits(found, rules), key=lambda session: session.start):
        by_person[session.person].append(session)
    cohorts: dict[tuple[str, date], list[tuple[list[Session], Session]]] = defaultdict(list)
    for own in by_person.values():
        for creator in {session.creator for session in own if session.creator}:
            first = next(session for session in own if session.creator == creator)
            cohorts[creator, rules.week(rules.day(first.start))].append((own, first))
    rows = {}
    for (creator, week), members in cohorts.items():
        is_mature = week + (6 + window) * DAY <= rules.through
        back = by_creator = directly = same_day = 0
        times: list[tuple[int, bool]] = []
        for own, first in members:
            day = rules.day(first.start)
            later = [one for one in own if rules.day(one.start) > day]
            in_time = [one for one in later if (rules.day(one.start) - day).days <= window]
            back += bool(in_time)
            by_creator += any(one.creator == creator for one in in_time)
            directly += any(one.is_direct for one in in_time)
            same_day += any(rules.day(one.start) == day and one.start > first.start for one in own)
            times.append(
                ((rules.day(later[0].start) - day).days, True)
                if later
                else ((rules.through - day).days, False)
            )
        rows[creator, week] = {
            "exposed_person_count": len(members),
            "same_day_return_count": same_day,
            "returned": back if is_mature else None,
            "by_creator": by_creator if is_mature else None,
            "directly": directly if is_mature else None,
            "median_return_days": kaplan_meier_median(times),
        }
    return rows


def kaplan_meier_median(times: list[tuple[int, bool]]) -> int | None:
    """First day by which half are back; (day, True) is a return, (day, False) the last look."""
    standing = 1.0
    for day in sorted({day for day, is_back in times if is_back}):
        at_risk = sum(other >= day for other, _ in times)
        standing *= 1 - sum(other == day and is_back for other, is_back in times) / at_risk
        if standing <= 0.5 + 1e-12:
            return day
    return None


@dataclass(frozen=True)
class _Index:
    session: Session
    day: date
    stratum: tuple[int | None, int]
    return_days: int | None
    exposure_days: int | None
    is_comparison: bool


def _indexes(found: Iterable[Session], touches: Iterable[Touch], rules: Rules) -> list[_Index]:
    exposed: dict[str, set[date]] = defaultdict(set)
    for touch in touches:
        exposed[touch.person].add(rules.day(touch.at))
    by_person: dict[str, list[Session]] = defaultdict(list)
    for session in sorted(visits(found, rules), key=lambda session: session.start):
        by_person[session.person].append(session)
        if session.creator:
            exposed[session.person].add(rules.day(session.start))
    indexes = []
    for person, own in by_person.items():
        for number, session in enumerate(own):
            day = rules.day(session.start)
            before = own[:number]
            recency = (day - rules.day(before[-1].start)).days if before else None
            recent = sum((day - rules.day(one.start)).days <= rules.history_days for one in before)
            later = [rules.day(one.start) for one in own if rules.day(one.start) > day]
            touched = [one for one in exposed[person] if day < one <= rules.through]
            looked_at = [
                one for one in exposed[person] if 0 <= (day - one).days <= rules.lookback_days
            ]
            indexes.append(
                _Index(
                    session=session,
                    day=day,
                    stratum=(
                        None if recency is None else _class(recency, rules.recency_days),
                        _class(recent, rules.frequency_visits),
                    ),
                    return_days=(min(later) - day).days if later else None,
                    exposure_days=(min(touched) - day).days if touched else None,
                    is_comparison=session.creator is None and not looked_at,
                )
            )
    return indexes


def _class(value: int, bounds: tuple[int, ...]) -> int:
    return next((place for place, bound in enumerate(bounds) if value <= bound), len(bounds))


def lift(
    found: Iterable[Session],
    touches: Iterable[Touch],
    rules: Rules,
    *,
    creator: str,
    first: date,
    last: date,
    window: int,
) -> dict[str, Any]:
    """Return-visit lift of a creator over visits of some days (metrics.md, definition 9a).

    Args:
        first: First day of the exposed visits.
        last: Their last; must be followed for the whole window.
    """
    indexes = _indexes(found, touches, rules)
    cells: dict[tuple[date, Any], list[_Index]] = defaultdict(list)
    for index in indexes:
        if index.is_comparison:
            cells[index.day, index.stratum].append(index)
    exposed = [
        index
        for index in indexes
        if index.session.creator == creator and first <= index.day <= last
    ]
    matched = [index for index in exposed if cells[index.day, index.stratum]]
    expected = math.fsum(_return_rate(cells[index.day, index.stratum], window) for index in matched)
    returned = sum(
        index.return_days is not None and index.return_days <= window for index in matched
    )
    return {
        "exposed_person_count": len({index.session.person for index in exposed}),
        "exposed_visit_count": len(exposed),
        "matched_visit_count": len(matched),
        "comparison_visit_count": sum(
            len(cells[key]) for key in {(index.day, index.stratum) for index in matched}
        ),
        "returned_visit_count": returned,
        "expected_return_count": expected,
        "lift": (returned - expected) / len(matched) if matched else None,
    }


def _return_rate(comparison: list[_Index], window: int) -> float:
    """Kaplan and Meier: an exposure ends the follow-up, a return on its day still counts."""
    standing = 1.0
    for day in range(1, window + 1):
        at_risk = [
            index
            for index in comparison
            if (index.return_days is None or index.return_days >= day)
            and (index.exposure_days is None or index.exposure_days >= day)
        ]
        back = sum(index.return_days == day for index in at_risk)
        if at_risk:
            standing *= 1 - back / len(at_risk)
    return 1 - standing


def lift_variance(
    found: list[Session],
    touches: list[Touch],
    rules: Rules,
    *,
    creator: str,
    first: date,
    last: date,
    window: int,
    groups: int,
) -> tuple[float, int]:
    """Variance of a lift by leaving out one group of people at a time, and groups exposed."""
    begun: dict[str, datetime] = {}
    for session in visits(found, rules):
        begun[session.person] = min(session.start, begun.get(session.person, session.start))

    def group(person: str) -> int:
        seconds = (begun[person] - datetime(1970, 1, 1)) // timedelta(seconds=1)
        return seconds * 2654435761 % 2**32 * groups // 2**32

    without = []
    for left_out in range(groups):
        kept = [one for one in found if one.person in begun and group(one.person) != left_out]
        part = lift(kept, touches, rules, creator=creator, first=first, last=last, window=window)
        if part["lift"] is not None:
            without.append(part["lift"])
    mean = math.fsum(without) / len(without) if without else 0.0
    variance = (
        (len(without) - 1) / len(without) * math.fsum((one - mean) ** 2 for one in without)
        if without
        else 0.0
    )
    exposed = {
        group(one.person)
        for one in visits(found, rules)
        if one.creator == creator and first <= rules.day(one.start) <= last
    }
    return variance, len(exposed)


def shrunk(lifts: list[float], variances: list[float]) -> list[float]:
    """Drawn towards their mean as DerSimonian and Laird estimate how far they truly differ."""
    weights = [1 / variance for variance in variances]
    total = math.fsum(weights)
    mean = math.fsum(weight * one for weight, one in zip(weights, lifts, strict=True)) / total
    spread = math.fsum(
        weight * (one - mean) ** 2 for weight, one in zip(weights, lifts, strict=True)
    )
    scale = total - math.fsum(weight**2 for weight in weights) / total
    between = max((spread - (len(lifts) - 1)) / scale, 0.0) if scale > 0 else 0.0
    weights = [1 / (variance + between) for variance in variances]
    mean = math.fsum(weight * one for weight, one in zip(weights, lifts, strict=True)) / math.fsum(
        weights
    )
    return [
        mean + between / (between + variance) * (one - mean)
        for one, variance in zip(lifts, variances, strict=True)
    ]


def customer_value(
    orders: Iterable[tuple[str, datetime, int]], rules: Rules, age_days: int
) -> dict[date, dict[str, Any]]:
    """Month of the first order → customers, and of matured ones repeat buyers, orders and sales."""
    by_person: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for person, at, amount in orders:
        if rules.day(at) <= rules.through:
            by_person[person].append((at, amount))
    cohorts: dict[date, list[list[tuple[datetime, int]]]] = defaultdict(list)
    for own in by_person.values():
        first = min(at for at, _ in own)
        young = [(at, amount) for at, amount in own if at < first + age_days * DAY]
        cohorts[rules.day(first).replace(day=1)].append(young)
    rows = {}
    for month, customers in cohorts.items():
        following = (month + 31 * DAY).replace(day=1)
        is_mature = following - DAY + age_days * DAY <= rules.through
        rows[month] = {
            "customer_count": len(customers),
            "repeat_customer_count": sum(len(own) > 1 for own in customers) if is_mature else None,
            "order_count": sum(len(own) for own in customers) if is_mature else None,
            "net_sales_amount": sum(amount for own in customers for _, amount in own)
            if is_mature
            else None,
        }
    return rows
