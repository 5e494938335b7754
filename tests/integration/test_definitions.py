"""Cases that others wrote, through drops and settings alone.

Facts retyped from PostHog (MIT; test_stickiness_query_runner.py at 7c159bb4 with its cumulative
case, test_retention_query_runner.py at 026462be), Velir/dbt-ga4 (MIT;
test_stg_Ga4__user_id_mapping.py and test_stg_ga4__session_conversions_daily.py at 2d7b1f1c; its
channel grouping is a unit test of int_channel_marks__classified), retentioneering (Apache-2.0;
three sessions of its ecom data set at 76d7bcf3), eeghor/mta (MIT; test_heuristic_models.py and
test_probabilistic_models.py at a554d3ed) and DP6/Marketing-Attribution-Models (Apache-2.0;
test_mam.py at 72bc20fa). Cases that would meet each other are moved to years or parties of their
own; nothing else is changed. Where PostHog pads what cannot be seen yet with 0, ours is NULL. A
channel of the attribution cases is a creator here, a touch a click, so that any name can be one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from setae import stages, transformation
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, Home, connect
from tests.conftest import make_home
from tests.worlds.small import Delivery

CONFIG = """
as_of = 2024-01-01T00:00:00Z
week_start = "sunday"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "drops"
account = "cases"
currency = "EUR"

[dbt_vars]
attribution_windows_days = [30]
direct_party_keys = ["direct", "drops:cases:mam-A"]
activity_event_types = []
activity_event_names = ["$pageview"]
retention_definitions = ["on"]
retention_periods = {day = {horizon = 10, brackets = []}, month = {horizon = 10, brackets = []}}
stickiness_distributions = [
    {period = "window", from = "2020-01-11", to = "2020-01-20", interval = "day"},
    {period = "window", from = "2020-01-11", to = "2020-01-20", interval = "day", length = 2},
    {period = "window", from = "2020-01-11", to = "2020-01-20", interval = "week"},
    {period = "window", from = "2020-01-11", to = "2020-01-20", interval = "month"},
    {period = "window", from = "2020-01-12", to = "2020-01-20", interval = "day"},
    {period = "window", from = "2020-01-11", to = "2020-01-19", interval = "day"},
    {period = "window", from = "2021-01-11", to = "2021-01-13", interval = "day"},
]
"""

INTERVALS = {
    ("p1", "Chrome"): [f"2020-01-{day}T12:00:00Z" for day in range(11, 20)],
    ("p2", "Firefox"): [f"2020-01-{day}T12:00:00Z" for day in range(11, 20, 2)],
}
CUMULATIVE = {"p3": (11, 12, 13), "p4": (11, 12), "p5": (11,)}
RECURRING_DAYS = {
    "person1": ("10T05", "11T05", "12T05", "15T05", "16T05"),
    "alias1": ("15T09",),
    "person2": ("11T05", "12T05", "13T05", "16T05"),
}
RECURRING_MONTHS = {"q1": (1, 2, 3, 5, 6, 9), "q2": (1, 2, 3, 6, 7, 11)}
"""Of 2019 here, of 2020 there."""

RETAINED_BY_DAY = {
    10: [1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0],
    11: [2, 2, 1, 0, 1, 2, 0, 0, 0, 0],
    12: [2, 1, 0, 1, 2, 0, 0, 0, 0],
    13: [1, 0, 0, 1, 0, 0, 0, 0],
    14: [0, 0, 0, 0, 0, 0, 0],
    15: [1, 1, 0, 0, 0, 0],
    16: [2, 0, 0, 0, 0],
}
RETAINED_BY_MONTH = {
    1: [2, 2, 2, 0, 1, 2, 1, 0, 1, 0, 1],
    2: [2, 2, 0, 1, 2, 1, 0, 1, 0, 1],
    3: [2, 0, 1, 2, 1, 0, 1, 0, 1],
    4: [0, 0, 0, 0, 0, 0, 0, 0],
    5: [1, 1, 0, 0, 1, 0, 0],
    6: [2, 1, 0, 1, 0, 1],
    7: [1, 0, 0, 0, 1],
    8: [0, 0, 0, 0],
    9: [1, 0, 0],
    10: [0, 0],
    11: [1],
}

DEVICES = (
    ("a1", None, 100),
    ("a1", "A", 101),
    ("b1", "B", 102),
    ("c1", "C", 103),
    ("c2", "C", 104),
    ("c2", None, 105),
    ("d1", None, 100),
)

ECOM = {
    "2024-03-13 10:21:14": ("2024-03-13 10:47:30", 11),
    "2024-03-23 09:44:28": ("2024-03-23 09:53:12", 6),
    "2024-04-21 17:51:34": ("2024-04-21 17:56:22", 2),
}
"""Start → end and events of user_0000's first sessions; ours are two years younger."""


# Path → journeys with and without an order, by case; a touch nobody made ("") is none.
JOURNEYS = {
    "small": {
        "direct": (2, 1),
        "search > email": (3, 2),
        "search > social > email": (5, 4),
    },
    "repeat": {"a > a > b": (6, 0)},
    "two_touch": {"x > y": (10, 0)},
    "dirty": {"": (1, 0), " > > ": (2, 0), "a >  > b": (3, 0), "c": (4, 0)},
    "nulls": {
        "ignored > x": (0, 9),
        "first_a": (4, 1),
        "last_b > z": (6, 1),
        "only_null": (0, 10),
    },
    "chain": {"a > b": (3, 1), "a > c": (1, 1)},
    "mam": dict.fromkeys(
        ("A", "A > B", "A > B > C", "B", "B > A", "B > C > A", "C", "C > A", "C > B > A"), (1, 0)
    ),
}

CREDIT = {
    ("small", "first_touch"): {"direct": 2, "search": 8},
    ("small", "last_touch"): {"direct": 2, "email": 8},
    ("small", "linear"): {"direct": 2, "search": 19 / 6, "email": 19 / 6, "social": 5 / 3},
    ("small", "position_based"): {"direct": 2, "search": 3.5, "email": 3.5, "social": 1},
    ("repeat", "linear"): {"a": 4, "b": 2},
    ("two_touch", "position_based"): {"x": 5, "y": 5},
    ("nulls", "first_touch"): {"first_a": 4, "last_b": 6},
    ("nulls", "last_touch"): {"first_a": 4, "z": 6},
    ("dirty", "linear"): {"a": 1.5, "b": 1.5, "c": 4, "unattributed": 3},
    # Each of the nine is worth 3 there: 27 in all.
    ("mam", "first_touch"): {"A": 3, "B": 3, "C": 3},
    ("mam", "last_touch"): {"A": 5, "B": 2, "C": 2},
    ("mam", "linear"): {"A": 3.5, "B": 3, "C": 2.5},
    ("mam", "position_based"): {"A": 3.7, "B": 2.8, "C": 2.5},
    ("mam", "last_non_direct"): {"A": 1, "B": 4, "C": 4},
    ("mam", "shapley"): {"A": 3.5, "B": 3, "C": 2.5},
}
"""By case and model, in orders."""

LOST = {
    # of 4: P = 2/3 * 3/4 + 1/3 * 1/2 = 2/3; without b 1/6, without c 1/2, without a 0
    "chain": {"a": 4 * 1.0, "b": 4 * 0.75, "c": 4 * 0.25},
}
"""Orders that a chain would lose without a party."""

MARKOV_OF_DP6 = {"A": 10.643153526970954, "B": 8.514522821576762, "C": 7.842323651452283}
"""What its code makes of the nine, in money: 27 in proportion to the effects."""

CONVERSIONS = (
    ("A", "2022-07-01", 2),
    ("B", "2022-07-01", 1),
    ("C", "2022-07-01", 0),
    ("A", "2022-07-02", 1),
)
"""Session of Velir's case, its day, and the conversions in it; the year is ours."""


def _touched(path: str) -> list[str]:
    return [name.strip() for name in path.split(">") if name.strip()]


def _journeys() -> Iterator[Delivery]:
    """Everybody clicks two hours apart and orders an hour after the last click."""
    clicks: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    start = datetime(2021, 6, 1, tzinfo=UTC)
    parties = set()
    for case, paths in JOURNEYS.items():
        for path, (converted, lost) in paths.items():
            touches = [f"{case}-{name}" for name in _touched(path)]
            parties |= set(touches)
            for number in range(converted + lost):
                person = f"{case}/{path}/{number}"
                for step, party in enumerate(touches):
                    clicks.append(
                        {
                            "click_id": f"click{len(clicks)}",
                            "link_id": f"to-{party}",
                            "clicked_at": (start + timedelta(hours=2 * step)).isoformat(),
                            "user_id": person,
                        }
                    )
                if number < converted:
                    orders.append(
                        {
                            "order_id": f"{case}/{len(orders)}",
                            "ordered_at": (
                                start + timedelta(hours=2 * len(touches) - 1)
                            ).isoformat(),
                            "user_id": person,
                            "customer_id": person,
                            "currency": "EUR",
                            "gross_amount": "3.00",
                            "discount_amount": "0.00",
                            "financial_status": "paid",
                        }
                    )
    people = tuple(
        {"creator_id": party, "status": "active", "consent_basis": "contract"}
        for party in sorted(parties)
    )
    links = tuple(
        {
            "link_id": f"to-{party}",
            "creator_id": party,
            "valid_from": "2021-01-01T00:00:00Z",
        }
        for party in sorted(parties)
    )
    yield Delivery("creators", "creators.ndjson", people)
    yield Delivery("tracked_links", "links.ndjson", links)
    yield Delivery("link_clicks", "clicks.ndjson", tuple(clicks))
    yield Delivery("orders", "orders.ndjson", tuple(orders))


def _events() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def add(at: str, name: str, **more: Any) -> None:
        rows.append(
            {
                "event_id": f"e{len(rows):03}",
                "occurred_at": at,
                "event_type": "page_view" if name == "$pageview" else "other",
                "event_name": name,
                **more,
            }
        )

    for (user, browser), instants in INTERVALS.items():
        for name in ("$pageview", "$pageleave"):
            for at in instants:
                add(at, name, user_id=user, properties={"browser": browser})
    for user, days in CUMULATIVE.items():
        for day in days:
            add(f"2021-01-{day}T12:00:00Z", "$pageview", user_id=user)
    for user, hours in RECURRING_DAYS.items():
        for hour in hours:
            add(f"2020-06-{hour}:00:00Z", "$pageview", user_id=user)
    for user, months in RECURRING_MONTHS.items():
        for month in months:
            add(f"2019-{month:02}-10T05:00:00Z", "$pageview", user_id=user)
    for device, user, second in DEVICES:
        at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        who = {"anonymous_id": device} | ({"user_id": user} if user else {})
        add(at.isoformat(), "ga4", **who)
    for start, (end, count) in ECOM.items():
        first, last = _moved(start), _moved(end)
        for number in range(count):
            at = first + (last - first) * number / (count - 1)
            add(at.replace(tzinfo=UTC).isoformat(), "product1", user_id="user_0000")
    return rows


def _conversions() -> Iterator[dict[str, Any]]:
    for session, day, count in CONVERSIONS:
        for number in range(count + 1):
            yield {
                "event_id": f"ga4-{session}-{day}-{number}",
                "occurred_at": f"{day}T12:00:{number:02}Z",
                "event_type": "signup" if number else "other",
                "event_name": "my_conversion" if number else "some_other_event",
                "user_id": f"ga4 {session}",
            }


def _moved(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("2024", "2022"))


def build(settings: Settings, models: list[str], **variables: Any) -> None:
    """Build models and what they stand on, with some settings changed."""
    from dbt.cli.main import dbtRunner

    home = Home(settings.home)
    project = str(transformation.project_directory())
    values = {
        **transformation._fixed_variables(settings),
        "as_of": "2024-01-01 00:00:00",
        "data_through_date": "2023-12-31",
        **variables,
    }
    with transformation._environment(settings):
        outcome = dbtRunner().invoke(
            [
                *("build", "--resource-type", "model", "--resource-type", "seed"),
                *("--full-refresh", "--quiet", "--select"),
                *(f"+{model}" for model in models),
                *("--project-dir", project, "--profiles-dir", project),
                *("--target-path", str(home.dbt / "target"), "--log-path", str(home.dbt / "logs")),
                *("--vars", json.dumps(values), "--no-write-json"),
            ]
        )
        transformation._close_dbt()
    assert outcome.success, outcome.exception


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with all cases loaded and built."""
    settings = make_home(tmp_path_factory.mktemp("cases"), CONFIG)
    for delivery in (
        Delivery("activity_events", "events.ndjson", (*_events(), *_conversions())),
        Delivery(
            "identity_links",
            "identities.ndjson",
            (
                {
                    "left_type": "user",
                    "left_id": "person1",
                    "right_type": "user",
                    "right_id": "alias1",
                    "link_type": "alias",
                    "first_seen_at": "2020-06-01T00:00:00Z",
                },
            ),
        ),
        *_journeys(),
    ):
        delivery.write(settings.home / "drops")
    stages.fetch(settings, source="drops")
    stages.load(settings)
    stages.check(settings, stage="raw")
    build(
        settings,
        [
            *("fct_stickiness_distribution", "fct_retention_cohorts", "fct_sessions"),
            *("fct_attribution_credits", "fct_channel_removal_effects", "fct_markov_transitions"),
        ],
    )
    return settings


@contextmanager
def _marts(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(settings, attach_marts=True) as connection:
        connection.execute(f"use {MARTS_ALIAS}.marts")
        yield connection


def _histogram(
    settings: Settings, first: str, last: str, interval: str, column: str = "persons_exactly_count"
) -> list[int]:
    with _marts(settings) as connection:
        return [
            count
            for (count,) in connection.execute(
                f"select {column} from fct_stickiness_distribution where segment_type = 'all' and "
                "period_start_date = ? and period_end_date = ? and interval = ? "
                "order by active_intervals",
                [first, last, interval],
            ).fetchall()
        ]


@pytest.mark.parametrize(
    ("first", "last", "interval", "users"),
    [
        ("2020-01-11", "2020-01-20", "day", [0, 0, 0, 0, 1, 0, 0, 0, 1, 0]),
        ("2020-01-11", "2020-01-20", "2 days", [0, 0, 0, 0, 2]),
        ("2020-01-11", "2020-01-20", "week", [0, 0, 2]),
        ("2020-01-11", "2020-01-20", "month", [2]),
        ("2020-01-12", "2020-01-20", "day", [0, 0, 0, 1, 0, 0, 0, 1, 0]),
        ("2020-01-11", "2020-01-19", "day", [0, 0, 0, 0, 1, 0, 0, 0, 1]),
    ],
)
def test_posthog_users_by_active_intervals(
    cases: Settings, first: str, last: str, interval: str, users: list[int]
) -> None:
    assert _histogram(cases, first, last, interval) == users


def test_posthog_users_active_on_k_days_or_more(cases: Settings) -> None:
    at_least = _histogram(cases, "2021-01-11", "2021-01-13", "day", "persons_at_least_count")
    assert at_least == [3, 2, 1]


@pytest.mark.parametrize(
    ("period", "cohorts", "prefix"),
    [("day", RETAINED_BY_DAY, "2020-06-{:02}"), ("month", RETAINED_BY_MONTH, "2019-{:02}-01")],
    ids=["day", "month"],
)
def test_posthog_recurring_cohorts(
    cases: Settings, period: str, cohorts: dict[int, list[int]], prefix: str
) -> None:
    with _marts(cases) as connection:
        for number, users in cohorts.items():
            found = connection.execute(
                "select retained_count from fct_retention_cohorts "
                "where cohort_kind = 'first_visit' and cohort_recurrence = 'recurring' "
                "and segment_type = 'all' and period = ? "
                "and cohort_start_date = ? and n < ? order by n",
                [period, prefix.format(number), len(users)],
            ).fetchall()
            assert [count for (count,) in found] == users, number


def test_velir_devices_belong_to_who_signed_in_last(cases: Settings) -> None:
    with connect(cases) as connection:
        owners = connection.execute(
            "select count(*), count(distinct identity_key), count(distinct person_key), "
            "max(valid_from_at) = min(valid_from_at) from intermediate.int_persons__resolved "
            "where identity_type = 'visitor' and valid_to_at is null "
            "and match_rule = 'device_owner'"
        ).fetchone()
        alone = connection.execute(
            "select count(*) from intermediate.int_persons__resolved "
            "where identity_type = 'visitor' and valid_to_at is null and match_rule = 'device_only'"
        ).fetchone()
    # a1, b1, c1 and c2 are A's, B's and C's, also before they signed in; d1 is nobody's.
    assert owners == (4, 4, 3, True)
    assert alone == (1,)


def test_retentioneering_sessions_come_out_as_given(cases: Settings) -> None:
    with _marts(cases) as connection:
        found = connection.execute(
            "select started_at, ended_at, event_count from fct_sessions "
            "where year(started_at) = 2022 and month(started_at) < 7 order by started_at"
        ).fetchall()
    assert found == [(_moved(start), _moved(end), count) for start, (end, count) in ECOM.items()]


def test_velir_conversions_of_a_session_and_day(cases: Settings) -> None:
    with _marts(cases) as connection:
        found = connection.execute(
            "select session_date::varchar, key_event_count, event_count from fct_sessions "
            "where session_date between date '2022-07-01' and date '2022-07-02' order by all"
        ).fetchall()
    assert found == sorted((day, count, count + 1) for _, day, count in CONVERSIONS)


@pytest.mark.parametrize(("case", "model"), CREDIT)
def test_credit_by_the_cases_of_eeghor_and_dp6(cases: Settings, case: str, model: str) -> None:
    assert _credit(cases, case, model) == pytest.approx(CREDIT[case, model], abs=1e-9)


def _credit(settings: Settings, case: str, model: str) -> dict[str, float]:
    with _marts(settings) as connection:
        return {
            party: float(share)
            for party, share in connection.execute(
                "select replace(party_key, 'drops:cases:' || $1 || '-', ''), sum(credit_share) "
                "from fct_attribution_credits where starts_with(order_key, 'drops:cases:' || $1) "
                "and model = $2 group by all",
                [case, model],
            ).fetchall()
        }


def _lost(settings: Settings, case: str) -> dict[str, float]:
    """Orders lost without a party: its effect in the whole chain, times all orders with a path."""
    on_path = sum(
        converted
        for paths in JOURNEYS.values()
        for path, (converted, _) in paths.items()
        if _touched(path)
    )
    with _marts(settings) as connection:
        return {
            party: float(effect) * on_path
            for party, effect in connection.execute(
                "select replace(party_key, 'drops:cases:' || $1 || '-', ''), removal_effect_rate "
                "from fct_channel_removal_effects "
                "where chain_level = 'creator' and starts_with(party_key, 'drops:cases:' || $1)",
                [case],
            ).fetchall()
        }


def test_eeghor_removal_effects(cases: Settings) -> None:
    assert _lost(cases, "chain") == pytest.approx(LOST["chain"], abs=1e-9)


def test_dp6_markov_credit(cases: Settings) -> None:
    lost = _lost(cases, "mam")
    credit = {party: 27 * orders / sum(lost.values()) for party, orders in lost.items()}
    assert credit == pytest.approx(MARKOV_OF_DP6, abs=1e-4)


def test_eeghor_transitions(cases: Settings) -> None:
    with _marts(cases) as connection:
        found = connection.execute(
            "select replace(from_key, 'drops:cases:chain-', ''), "
            "replace(to_key, 'drops:cases:chain-', ''), transition_rate "
            "from fct_markov_transitions where chain_level = 'creator' "
            "and starts_with(from_key, 'drops:cases:chain-')"
        ).fetchall()
        ((begun, everybody),) = connection.execute(
            "select transition_count, from_count from fct_markov_transitions "
            "where chain_level = 'creator' and from_key = '(start)' "
            "and to_key = 'drops:cases:chain-a'"
        ).fetchall()
    assert {(a, b): rate for a, b, rate in found} == pytest.approx(
        {
            ("a", "b"): 2 / 3,
            ("a", "c"): 1 / 3,
            ("b", "(conversion)"): 0.75,
            ("b", "(null)"): 0.25,
            ("c", "(conversion)"): 0.5,
            ("c", "(null)"): 0.5,
        }
    )
    journeys = sum(
        sum(counts)
        for paths in JOURNEYS.values()
        for path, counts in paths.items()
        if _touched(path)
    )
    assert (begun, everybody) == (6, journeys)


def test_eeghor_two_touches_share_as_the_ends_do(cases: Settings) -> None:
    """Positions of 30, 40 and 30 whose ends are then changed to 30 and 70: 3 and 7 of ten."""
    build(
        cases,
        ["fct_attribution_credits"],
        position_based_first_percent=30,
        position_based_last_percent=70,
    )
    assert _credit(cases, "two_touch", "position_based") == pytest.approx({"x": 3, "y": 7})


def test_posthog_users_of_one_browser(cases: Settings) -> None:
    build(
        cases,
        ["fct_stickiness_distribution"],
        activity_event_properties={"browser": ["Chrome"]},
        stickiness_distributions=[
            {"period": "window", "from": "2020-01-11", "to": "2020-01-20", "interval": "day"}
        ],
    )
    users = _histogram(cases, "2020-01-11", "2020-01-20", "day")
    assert users == [0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
