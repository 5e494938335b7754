"""Every mart of creators, and that of codes, agrees with slow oracles on a small world.

The world is the small one with the edges of `tests.worlds.edges`; each test compares every row and,
where a mart is ours as a whole, every column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import duckdb
import pytest

from setae import stages
from setae.warehouse import Home
from tests.conftest import make_home
from tests.oracle import activity, anomalies, codes, engagement, predictions, tiers, trust as oracle
from tests.worlds import edges, small
from tests.worlds.small import Delivery

THROUGH = date(2026, 4, 25)
FIRST = date(2025, 12, 16)
"""Day of the first post, where the marts' calendar begins."""
PREDICTION_CREATORS = 3
RULES = oracle.Rules(
    proxies={
        "reply_rate": {"window_days": 28, "minimum_count": 4, "minimum_unit_count": 1},
        "question_reply_rate": {"window_days": 21, "minimum_count": 3, "minimum_unit_count": 1},
        "repeat_commenter_rate": {"window_days": 40, "minimum_count": 3, "minimum_unit_count": 10},
        "save_rate": {"window_days": 28, "minimum_count": 300, "minimum_unit_count": 2},
        "share_rate": {"window_days": 28, "minimum_count": 300, "minimum_unit_count": 2},
        "disclosure_rate": {"window_days": 28, "minimum_count": 2, "minimum_unit_count": 2},
        "sponsored_organic_ratio": {"window_days": 35, "minimum_count": 0, "minimum_unit_count": 2},
        "full_price_rate": {"window_days": 365, "minimum_count": 3, "minimum_unit_count": 1},
        "undiscounted_return_rate": {
            "window_days": 365,
            "minimum_count": 2,
            "minimum_unit_count": 1,
        },
        "refund_rate": {"window_days": 365, "minimum_count": 3, "minimum_unit_count": 1},
        "survey_named_rate": {"window_days": 28, "minimum_count": 2, "minimum_unit_count": 1},
    },
    peers=2,
    refund_days=25,
)
GROWTH = {
    "baseline_days": 28,
    "minimum_days": 5,
    "post_days": 1,
    "z_limit": 6,
    "minimum_followers": 25,
}
SIGNS = {"minimum_characters": 12, "burst_minimum": 4}


def config() -> str:
    proxies = "\n".join(
        f"{name} = {{ " + ", ".join(f"{key} = {value}" for key, value in rule.items()) + " }"
        for name, rule in RULES.proxies.items()
    )
    return f"""{small.CONFIG}
trust_peer_minimum_count = {RULES.peers}
refund_maturity_days = {RULES.refund_days}
growth_minimum_day_count = {GROWTH["minimum_days"]}
burst_post_minimum_comment_count = {SIGNS["burst_minimum"]}
code_minimum_use_count = 3
link_capture_minimum_use_count = 5
prediction_minimum_creator_count = {PREDICTION_CREATORS}

[dbt_vars.trust_proxies]
{proxies}
"""


def deliveries() -> list[Delivery]:
    """The small world, with some orders at full price and some that a coupon site sent.

    Its own visits stay away: they would be other versions of these.
    """
    found = []
    for delivery in small.deliveries():
        if delivery.entity == "order_touches":
            continue
        rows: tuple[dict[str, Any], ...] = delivery.rows
        if delivery.entity in {"orders", "order_lines"}:
            rows = tuple(_at_full_price(row) for row in rows)
        found.append(replace(delivery, rows=rows))
    orders = {row["order_id"]: row for d in found if d.entity == "orders" for row in d.rows}
    sent = tuple(
        {
            "order_id": number,
            "touch_role": "last",
            "touch_at": order["ordered_at"],
            "referrer_host": host,
        }
        for number, order in orders.items()
        if _digits(number) % 3 == 0
        for host in [("www.coupons.com", "coupons.com", "notcoupons.com")[_digits(number) % 9 // 3]]
    )
    return [*found, Delivery("order_touches", "touches.ndjson", sent), *edges.deliveries()]


def _digits(order_id: str) -> int:
    return int("".join(letter for letter in order_id if letter.isdigit()))


def _at_full_price(row: dict[str, Any]) -> dict[str, Any]:
    if _digits(row["order_id"]) % 2:
        return row
    raised = {**row, "discount_amount": "0.00"}
    if "gross_amount" in row:
        raised["total_amount"] = row["gross_amount"]
    else:
        raised["net_amount"] = f"{float(row['net_amount']) + 2.5:.2f}"
    return raised


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    settings = make_home(tmp_path_factory.mktemp("trust") / "home", config())
    for delivery in deliveries():
        delivery.write(settings.home / "drops")
    stages.fetch(settings, source="drops")
    stages.load(settings)
    stages.check(settings, stage="raw")
    stages.transform(settings)
    home = Home(settings.home)
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{home.marts}' as marts_db (read_only)")
        yield connection


@pytest.fixture(scope="module")
def world(built: duckdb.DuckDBPyConnection) -> oracle.World:
    return oracle.read(deliveries(), built, RULES, THROUGH)


def agree(found: list[dict[str, Any]], expected: dict[Any, dict[str, Any]], *key: str) -> None:
    """Every row and every column, with the first difference as the message."""
    by_key = {tuple(row[one] for one in key): row for row in found}
    assert len(by_key) == len(found)
    for name in sorted({*by_key, *expected}, key=str):
        assert name in expected, f"{name}: only in the mart"
        assert name in by_key, f"{name}: only by the oracle"
        row, told = by_key[name], expected[name]
        assert row.keys() == told.keys()
        for column, value in row.items():
            if isinstance(value, float):
                same = value == pytest.approx(told[column], rel=1e-6, abs=2e-9)
            else:
                same = value == told[column]
            assert same, f"{name}, {column}: {value} in the mart, {told[column]} by the oracle"


def rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    cursor = connection.execute(f"select * from marts_db.marts.{table}")
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def test_every_proxy_of_every_week_is_what_loops_over_the_deliveries_count(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = oracle.proxies(world, FIRST)
    as_of = dict(oracle.weeks(FIRST, THROUGH))
    scores = oracle.z_scores(world, expected, as_of)
    found = {}
    for row in rows(built, "fct_creator_trust_weekly"):
        end = oracle.end_of(row["as_of_date"])
        assert row["tier"] == world.roster.tier_at(row["creator_key"], end)
        assert row["platform"] == world.roster.main_platform(row["creator_key"], end)
        for name in RULES.proxies:
            kind = "ratio" if name == "sponsored_organic_ratio" else "count"
            if row[f"trust_proxy_{name}_denominator_{kind}"] is not None:
                key = (row["creator_key"], row["week_start_date"], name)
                found[key] = row
                proxy = expected[key]
                assert row[f"trust_proxy_{name}_numerator_{kind}"] == pytest.approx(
                    proxy.numerator
                ), key
                assert row[f"trust_proxy_{name}_denominator_{kind}"] == pytest.approx(
                    proxy.denominator
                ), key
                assert row[f"trust_proxy_{name}"] == pytest.approx(proxy.raw), key
                score = row[f"trust_proxy_{name}_z_score"]
                assert score == pytest.approx(scores.get(key), abs=1e-3), key
    assert found.keys() == expected.keys()
    told = {name for (_, _, name), proxy in expected.items() if proxy.raw is not None}
    assert told == set(RULES.proxies)
    assert len(scores) > 20


def test_anomalies_are_what_loops_over_the_deliveries_count(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    as_of = dict(oracle.weeks(FIRST, THROUGH))
    by_key = {
        (row["creator_key"], row["week_start_date"]): row
        for row in rows(built, "fct_creator_trust_weekly")
    }
    jumps = 0
    for creator in world.roster.creators():
        for monday, last in as_of.items():
            growth = anomalies.growth(world, creator, monday, last, GROWTH)
            signs = anomalies.comment_signs(world, creator, last, SIGNS)
            row = by_key.get((creator, monday))
            if row is None:
                assert growth["days"] is None, (creator, monday)
                assert signs["long"] is None, (creator, monday)
                continue
            assert row["follower_growth_day_count"] == growth["days"]
            assert row["follower_growth_z_score"] == pytest.approx(growth["z"], abs=1e-5)
            assert row["unexplained_growth_day_count"] == growth["jumps"]
            assert row["unexplained_follower_count"] == growth["followers"]
            assert row["has_unexplained_growth"] == bool(growth["jumps"])
            assert row["duplicate_comment_numerator_count"] == signs["copies"]
            assert row["duplicate_comment_denominator_count"] == signs["long"]
            assert row["burst_comment_numerator_count"] == signs["busiest"]
            assert row["burst_comment_denominator_count"] == signs["burst"]
            jumps += growth["jumps"] or 0
    assert jumps == 1


def creators(world: oracle.World) -> dict[Any, dict[str, Any]]:
    """`dim_creators` by the oracle."""
    moments: dict[str, list[datetime]] = {}
    for touch in world.touches:
        moments.setdefault(touch["creator_key"], []).append(touch["at"])
    for order in world.orders.values():
        whose = set[Any]().union(
            *(oracle.owners(world, code, order["ordered_at"]) for code in order["codes"])
        )
        if len(whose) == 1:
            moments.setdefault(whose.pop(), []).append(order["ordered_at"])
    return world.roster.dim_creators(moments, world.customers)


def test_creators_are_who_the_deliveries_say(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = creators(world)
    agree(rows(built, "dim_creators"), expected, "creator_key")
    assert sum(row["is_only_named"] for row in expected.values()) >= 3


def test_tiers_change_where_a_count_crosses_a_bound_or_grows_old(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = world.roster.tiers()
    agree(
        rows(built, "dim_creator_tiers"),
        expected,
        *("creator_key", "platform", "tier_scheme", "valid_from_at"),
    )
    assert len({row["tier"] for row in expected.values()}) == 7
    assert len({row["tier_source"] for row in expected.values()}) == 4


def test_posts_are_what_their_newest_versions_say(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    agree(rows(built, "dim_posts"), world.roster.dim_posts(), "post_key")


def test_engagement_of_a_day_is_what_platforms_said_of_it(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = engagement.daily(world.roster, world.metrics, world.touches)
    agree(
        rows(built, "fct_creator_engagement_daily"),
        expected,
        *("creator_key", "activity_date", "platform"),
    )
    assert {row["metric_tz"] for row in expected.values()} > {"mixed", None}


def test_activity_is_what_a_calendar_of_posts_and_orders_says(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = activity.weekly(
        world.roster,
        creators(world),
        world.touches,
        world.credits,
        world.orders,
        FIRST,
        THROUGH,
    )
    agree(rows(built, "fct_creator_activity_weekly"), expected, "creator_key", "week_start_date")
    assert len({row["lifecycle_status"] for row in expected.values()}) == 5
    assert len({row["tenure_band_type"] for row in expected.values()}) == 4


def test_code_reviews_are_what_loops_over_orders_and_clicks_count(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    uses = codes.code_uses(world, {"coupons.com"})
    found = rows(built, "fct_code_integrity_weekly")
    expected = {}
    for monday, last in oracle.weeks(FIRST, THROUGH):
        for code in {use["code"] for use in uses}:
            told = codes.review(uses, code, last, least=3, usual=5)
            if told is not None:
                expected[code, monday] = told
    assert {(row["code_norm"], row["week_start_date"]) for row in found} == expected.keys()
    for row in found:
        told = expected[row["code_norm"], row["week_start_date"]]
        assert (row["use_count"], row["quiet_recent_use_count"]) == (told["uses"], told["quiet"])
        assert row["link_capture_rate"] == pytest.approx(told["capture"])
        assert row["spike_ratio"] == pytest.approx(told["spike"])
        assert row["coupon_referrer_rate"] == pytest.approx(told["coupon"])
        assert row["returning_customer_rate"] == pytest.approx(told["old"])
        assert row["review_score"] == pytest.approx(told["score"], abs=1e-6)
    assert sum(told["score"] is not None for told in expected.values()) >= 5
    assert sum(told["coupon"] > 0 for told in expected.values()) >= 3


CELL = ("tier_scheme", "tier", "platform", "niche", "period_type", "period_start_date")


def test_engagement_by_tier_sums_the_posts_of_the_tier_of_their_day(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = tiers.Tiers(world, FIRST).engagement()
    agree(rows(built, "fct_tier_engagement"), expected, *CELL)
    told = [row["engagement_by_reach_ratio_ci_low"] for row in expected.values()]
    assert sum(one is not None for one in told) >= 10


def test_trust_by_tier_sums_the_creators_of_the_tier_of_that_day(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    expected = tiers.Tiers(world, FIRST).trust()
    agree(rows(built, "fct_tier_trust"), expected, *CELL)
    for name in RULES.proxies:
        assert any(row[f"trust_proxy_{name}_ci_low"] is not None for row in expected.values()), name


def test_predictions_are_those_of_a_line_fitted_to_the_months_before(
    built: duckdb.DuckDBPyConnection, world: oracle.World
) -> None:
    pairs = predictions.pairs(world, oracle.proxies(world, FIRST), FIRST)
    expected = predictions.predictions(pairs, PREDICTION_CREATORS)
    agree(
        rows(built, "fct_trust_proxy_predictions"),
        expected,
        *("trust_proxy", "period_type", "period_start_date"),
    )
    asked = [row for row in expected.values() if row["skill_score_ci_low"] is not None]
    assert len(asked) >= 6
    assert len(asked) < len(expected)
