"""Sessions, stickiness, retention and returns against an oracle, step by step of a delivery.

Two worlds in zones whose clocks change. Each is built in increments (late events, links that merge
users, a link revoked) and compared with the oracle after each; at the end a build from nothing must
give the same bits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from scipy import stats

from serving import content
from setae import stages
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, connect
from tests.conftest import make_home
from tests.oracle import estimates, stickiness as oracle
from tests.worlds.visitors import ACCOUNT, STEPS, Seen, Visitors

DAY = timedelta(days=1)
FIRST = date(2026, 2, 20)
DAYS = 72


@dataclass(frozen=True)
class Case:
    """A world and the settings under which it is built."""

    seed: int
    rules: oracle.Rules
    variables: str = ""
    built_steps: tuple[str, ...] = STEPS
    """What came in steps that are left out is built with the next one."""

    @property
    def config(self) -> str:
        """Body of the home's `setae.toml`."""
        end = self.rules.midnight(self.rules.through + DAY)
        return f"""
as_of = {end.isoformat()}Z
business_timezone = "{self.rules.timezone}"
week_start = "{self.rules.week_start}"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "drops"
account = "{ACCOUNT}"
currency = "EUR"

[dbt_vars]
activity_event_types = ["page_view", "product_view", "search", "purchase"]
return_lift_minimum_persons = 2
customer_value_ages_days = [10, 30]
{self.variables}
"""


CASES = {
    "calendar days in Berlin": Case(
        seed=11,
        rules=oracle.Rules(timezone="Europe/Berlin", through=FIRST + (DAYS - 1) * DAY),
        variables="""
retention_hour_lookback_days = 100
stickiness_distributions = [
    {period = "week", interval = "day"},
    {period = "month", interval = "week"},
    {period = "window", from = "2026-03-28", to = "2026-03-30", interval = "hour", length = 5},
]
retention_segment_periods = []
""",
    ),
    "own days, several events and Sundays in Kolkata": Case(
        seed=12,
        rules=oracle.Rules(
            timezone="Asia/Kolkata",
            week_start="sunday",
            through=FIRST + (DAYS - 1) * DAY,
            is_split=False,
            minimum_events=2,
            maximum_events=3,
            is_rolling=True,
            lookback_days=7,
        ),
        built_steps=(STEPS[0], STEPS[-1]),
        variables="""
split_on_new_creator_touch = false
active_minimum_events = 2
active_maximum_events = 3
day_definition = "rolling_24h"
return_lift_lookback_days = 7
retention_hour_lookback_days = 100
retention_segment_periods = []
stickiness_distributions = [
    {period = "week", interval = "day"},
    {period = "month", interval = "week"},
    {period = "window", from = "2026-03-28", to = "2026-03-30", interval = "hour", length = 5},
]
""",
    ),
}


@pytest.fixture(params=CASES, scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    """One of the worlds."""
    return CASES[request.param]


@pytest.mark.timeout(1800)
def test_every_step_of_a_delivery_ends_in_what_the_oracle_says(case: Case, tmp_path: Path) -> None:
    world = Visitors(seed=case.seed, timezone=case.rules.timezone, first=FIRST, days=DAYS)
    settings = make_home(tmp_path / "home", case.config)
    for step in STEPS:
        for delivery in world.deliveries(step):
            delivery.write(settings.home / "drops")
        if step not in case.built_steps:
            continue
        stages.fetch(settings, source="drops")
        stages.load(settings)
        stages.check(settings, stage="raw")
        work = stages.transform(settings)
        assert work.plan.is_full_refresh == (step == STEPS[0])
        with connect(settings, attach_marts=True) as connection:
            connection.execute(f"use {MARTS_ALIAS}.marts")
            for difference in differences(connection, world.seen(step), case.rules):
                pytest.fail(f"{step}: {difference}")
    increments = hashes(settings)
    stages.transform(settings, full_refresh=True)
    assert hashes(settings) == increments


def test_the_worlds_have_visits_that_channels_brought(case: Case) -> None:
    """Or the test above would not see them counted as direct ones."""
    world = Visitors(seed=case.seed, timezone=case.rules.timezone, first=FIRST, days=DAYS)
    seen = world.seen(STEPS[-1])
    found = oracle.sessions(seen.events, seen.touches, case.rules)
    assert sum(one.is_brought for one in found) >= 5
    assert sum(one.creator == "ambiguous" for one in found) >= 2
    mistaken = [oracle.Session(**{**vars(one), "is_brought": False}) for one in found]
    assert oracle.return_visits(found, case.rules, 7) != oracle.return_visits(
        mistaken, case.rules, 7
    )


def hashes(settings: Settings) -> dict[str, str]:
    """Content hash of every mart."""
    with connect(settings, attach_marts=True) as connection:
        found = content.content_hash(connection, catalog=MARTS_ALIAS)
    return {table.name: table.content_hash for table in found.tables}


def differences(
    connection: duckdb.DuckDBPyConnection, seen: Seen, rules: oracle.Rules
) -> Iterator[str]:
    """What the marts and the oracle say differently."""
    found = oracle.sessions(seen.events, seen.touches, rules)
    yield from _sessions(connection, found)
    yield from _stickiness(connection, seen, rules)
    yield from _distribution(connection, seen, rules)
    yield from _retention(connection, seen, found, rules)
    yield from _returns(connection, found, rules)
    yield from _lift(connection, seen, found, rules)
    yield from _value(connection, seen, rules)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def _creator(key: str | None) -> str | None:
    return key.removeprefix(f"drops:{ACCOUNT}:") if key else None


def _sessions(connection: duckdb.DuckDBPyConnection, found: list[oracle.Session]) -> Iterator[str]:
    rows = _rows(
        connection,
        "select started_at, ended_at, event_count, qualifying_event_count, creator_key, "
        "touched_at, person_key from fct_sessions",
    )
    ours = Counter((*row[:4], _creator(row[4]), row[5]) for row in rows)
    wanted = Counter(
        (one.start, one.end, one.events, one.qualifying, one.creator, one.touched) for one in found
    )
    if ours != wanted:
        yield f"sessions: only ours {ours - wanted}, only the oracle's {wanted - ours}"
    if len({row[6] for row in rows}) != len({one.person for one in found}):
        yield "sessions: other persons"


def _stickiness(
    connection: duckdb.DuckDBPyConnection, seen: Seen, rules: oracle.Rules
) -> Iterator[str]:
    for segment in ("all", "web", "ios"):
        days = oracle.active_days(seen.events, rules, None if segment == "all" else segment)
        wanted = oracle.stickiness_daily(days, rules)
        names = list(next(iter(wanted.values())))
        ours = {
            row[0]: dict(zip(names, row[1:], strict=True))
            for row in _rows(
                connection,
                f"select activity_date, {', '.join(names)} from fct_stickiness_daily "
                f"where segment = '{segment}'",
            )
        }
        for day in wanted.keys() | ours.keys():
            if ours.get(day) != wanted.get(day):
                yield f"stickiness {segment} {day}: {ours.get(day)}, {wanted.get(day)}"
    left_out = _rows(
        connection,
        "select sum(bot_event_count), sum(internal_event_count) from fct_stickiness_daily "
        "where segment = 'all'",
    )[0]
    first = min(wanted)
    days_seen = [event for event in seen.events if rules.day(event.at) <= rules.through]
    counted = (
        sum(event.is_bot for event in days_seen if rules.day(event.at) >= first),
        sum(
            event.is_internal and not event.is_bot
            for event in days_seen
            if rules.day(event.at) >= first
        ),
    )
    if left_out[0] > counted[0] or left_out[1] > counted[1] or not left_out[0]:
        yield f"left out: {left_out}, {counted}"


def _distribution(
    connection: duckdb.DuckDBPyConnection, seen: Seen, rules: oracle.Rules
) -> Iterator[str]:
    rows = _rows(
        connection,
        "select period_start_date, period_end_date, interval, segment, is_mature, "
        "active_intervals, persons_exactly_count, persons_at_least_count "
        "from fct_stickiness_distribution "
        "where segment_type in ('all', 'platform')",
    )
    cells: dict[tuple[Any, ...], dict[int, tuple[int | None, int | None]]] = {}
    for *key, k, exactly, at_least in rows:
        cells.setdefault(tuple(key), {})[k] = (exactly, at_least)
    for (first, last, interval, segment, is_mature), ours in cells.items():
        length, unit = interval.split() if " " in interval else ("1", interval)
        events = [event for event in seen.events if segment in ("all", event.platform)]
        wanted: dict[int, Any] = oracle.distribution(
            events, rules, first=first, last=last, unit=unit.rstrip("s"), length=int(length)
        )
        if last > rules.through:
            wanted = dict.fromkeys(wanted, (None, None))
        if ours != wanted or is_mature != (last <= rules.through):
            yield f"distribution {first} {last} {interval} {segment}: {ours}, {wanted}"


def _retention(
    connection: duckdb.DuckDBPyConnection,
    seen: Seen,
    found: list[oracle.Session],
    rules: oracle.Rules,
) -> Iterator[str]:
    visits = [
        (event.person, event.at)
        for event in seen.events
        if event.is_counted and event.kind in rules.types
    ]
    orders = [(person, at) for person, at, _ in seen.orders]
    kinds = {
        "first_visit": (visits, visits),
        # A visit that names its click is no touch beside it; it only says whose session it is.
        "first_creator_exposure": (
            [(one.person, one.at) for one in seen.touches if not one.key.startswith("visit:")],
            visits,
        ),
        "first_order": (orders, orders),
    }
    for kind, (starts, returns) in kinds.items():
        for period, definition, n, n_to in (
            ("day", "on", 0, None),
            ("day", "on", 1, None),
            ("day", "on", 9, None),
            ("day", "on_or_after", 7, None),
            ("day", "bracket", 1, 7),
            ("week", "on", 1, None),
            ("week", "bracket", 1, 4),
            ("month", "on", 1, None),
            ("hour", "on", 1, None),
            ("hour", "on_or_after", 24, None),
        ):
            for recurrence in ("first_ever", "recurring"):
                if kind == "first_creator_exposure" and (period == "hour" or n == 9):
                    continue
                ours = {
                    (row[0] if period == "hour" else row[1]): (row[2], row[3])
                    for row in _rows(
                        connection,
                        "select cohort_start, cohort_start_date, cohort_size_count, retained_count "
                        f"from fct_retention_cohorts where cohort_kind = '{kind}' and n = {n} "
                        f"and period = '{period}' and cohort_recurrence = '{recurrence}' "
                        f"and definition = '{definition}' and segment_type = 'all' "
                        "and cohort_size_count > 0" + (f" and n_to = {n_to}" if n_to else ""),
                    )
                }
                wanted = oracle.retention(
                    starts,
                    returns,
                    rules,
                    period=period,
                    recurrence=recurrence,
                    definition=definition,
                    n=n,
                    n_to=n_to,
                )
                if ours != wanted:
                    odd = {
                        key: (ours.get(key), wanted.get(key))
                        for key in ours.keys() | wanted.keys()
                        if ours.get(key) != wanted.get(key)
                    }
                    yield f"retention {kind} {period} {recurrence} {definition} {n}: {odd}"


def _returns(
    connection: duckdb.DuckDBPyConnection, found: list[oracle.Session], rules: oracle.Rules
) -> Iterator[str]:
    for window in (7, 14, 28):
        wanted = oracle.return_visits(found, rules, window)
        ours = {
            (_creator(row[0]), row[1]): dict(zip(next(iter(wanted.values())), row[2:], strict=True))
            for row in _rows(
                connection,
                "select creator_key, exposure_week_start_date, exposed_person_count, "
                f"same_day_return_count, returned_{window}d_count, "
                f"returned_by_creator_{window}d_count, returned_directly_{window}d_count, "
                "median_return_days from fct_return_visits_creator_weekly",
            )
        }
        for key in wanted.keys() | ours.keys():
            if ours.get(key) != wanted.get(key):
                yield f"returns {window} {key}: {ours.get(key)}, {wanted.get(key)}"
        if window == 7:
            yield from _return_estimates(connection, wanted, "directly", "direct_return_7d_rate")
        if window == 28:
            yield from _return_estimates(connection, wanted, "returned", "return_visit_28d_rate")


def _return_estimates(
    connection: duckdb.DuckDBPyConnection,
    wanted: dict[tuple[str, date], dict[str, Any]],
    counted: str,
    rate: str,
) -> Iterator[str]:
    """Each week's creators among one another; nobody there has an account or a known tier."""
    expected: dict[tuple[str, date], Any] = {}
    for week in {week for _, week in wanted}:
        units = {
            key: (("none", "unknown"), row[counted], row["exposed_person_count"])
            for key, row in wanted.items()
            if key[1] == week and key[0] != "ambiguous" and row[counted] is not None
        }
        expected |= estimates.of_rates(units)
    if not expected:
        yield f"{rate}: no week is followed for so long"
    for creator, week, *ours in _rows(
        connection,
        f"select creator_key, exposure_week_start_date, {rate}_shrunk, {rate}_ci_low, "
        f"{rate}_ci_high, {rate}_reliability from fct_return_visits_creator_weekly",
    ):
        one = expected.get((_creator(creator) or "", week), (None, None, None, "insufficient"))
        if ours[3] != one[3] or ours[:3] != pytest.approx(one[:3], abs=1e-7):
            yield f"{rate} {creator} {week}: {ours}, {one}"


def _lift(
    connection: duckdb.DuckDBPyConnection,
    seen: Seen,
    found: list[oracle.Session],
    rules: oracle.Rules,
) -> Iterator[str]:
    rows = _rows(
        connection,
        "select creator_key, period_start_date, period_end_date, window_days, "
        "exposed_person_count, exposed_visit_count, matched_visit_count, comparison_visit_count, "
        "returned_visit_count, "
        "expected_return_count, lift, lift_ci_low, lift_ci_high, lift_shrunk "
        "from fct_return_visit_lift "
        "where segment_type = 'creator'",
    )
    if not any(row[6] for row in rows):
        yield "lift: nothing is compared"
    for creator, first, last, window, *ours, _, _, _ in rows:
        inputs: dict[str, Any] = {
            "creator": _creator(creator),
            "first": first,
            "last": last,
            "window": window,
        }
        wanted = oracle.lift(found, seen.touches, rules, **inputs)
        expected = list(wanted.values())
        if wanted["lift"] is None:
            expected[4:] = [None, None, None]
        if any(
            (one is None) != (other is None)
            or (one is not None and abs(float(one) - float(other)) > 1e-8)
            for one, other in zip(ours, expected, strict=True)
        ):
            yield f"lift {inputs}: {ours}, {expected}"
    yield from _lift_estimates(rows, seen, found, rules)


def _lift_estimates(
    rows: list[tuple[Any, ...]], seen: Seen, found: list[oracle.Session], rules: oracle.Rules
) -> Iterator[str]:
    """Intervals and shrunken lifts of the creators, followed for a week."""
    compared = [row for row in rows if row[3] == 7 and row[10] is not None]
    rate = sum(row[8] for row in compared) / sum(row[6] for row in compared)
    variances, freedoms = [], []
    for creator, first, last, window, *_ in compared:
        variance, groups = oracle.lift_variance(
            found,
            seen.touches,
            rules,
            creator=_creator(creator) or "",
            first=first,
            last=last,
            window=window,
            groups=20,
        )
        freedoms.append(groups - 1)
        variances.append(variance)
    # Never surer than so many independent visits.
    variances = [
        max(variance, rate * (1 - rate) / row[6], 1e-6)
        for variance, row in zip(variances, compared, strict=True)
    ]
    shrunk = oracle.shrunk([row[10] for row in compared], variances)
    for row, variance, freedom, wanted in zip(compared, variances, freedoms, shrunk, strict=True):
        *_, lift, low, high, ours = row
        if abs(ours - wanted) > 1e-6:
            yield f"shrunk {row}: {wanted}"
        # Our quantile of t is a series, good to a hundredth from three degrees of freedom on.
        if low is not None and freedom > 2:
            half = float(stats.t.ppf(0.95, freedom)) * variance**0.5
            if abs((high - low) / 2 - half) > 0.01 * half or abs(high + low - 2 * lift) > 1e-8:
                yield f"interval {row}: {half}"


def _value(connection: duckdb.DuckDBPyConnection, seen: Seen, rules: oracle.Rules) -> Iterator[str]:
    for age in (10, 30):
        wanted = oracle.customer_value(seen.orders, rules, age)
        ours = {
            row[0]: dict(zip(next(iter(wanted.values())), row[1:], strict=True))
            for row in _rows(
                connection,
                "select cohort_month_start_date, customer_count, repeat_customer_count, "
                "order_count, net_sales_amount::int from fct_customer_value_cohorts "
                f"where segment_type = 'all' and age_days = {age}",
            )
        }
        if ours != wanted:
            yield f"value {age}: {ours}, {wanted}"
        uneven = _rows(
            connection,
            "select cohort_month_start_date from fct_customer_value_cohorts "
            f"where segment_type in ('all', 'creator', 'channel') and age_days = {age} "
            "group by cohort_month_start_date having sum(customer_count) != 3 * "
            "max(customer_count) filter (where segment_type = 'all')",
        )
        if uneven:
            yield f"value {age}: segments do not add up in {uneven}"
