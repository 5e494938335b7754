"""Attribution on a whole world, delivered as files, against an oracle in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pytest

from estimation.table import Plan, estimate
from ingestion.pseudonyms import Pseudonyms
from setae import stages
from tests.conftest import KEY, make_home
from tests.integration.conftest import published
from tests.oracle import attribution as oracle, conversion, funnel, partners
from tests.worlds import paths

MODELS = [
    "code_then_last_touch",
    "code",
    "first_touch",
    "last_touch",
    "last_non_direct",
    "linear",
    "position_based",
    "time_decay",
    "shapley",
]
SHARE_TOLERANCE = {"time_decay": 5}
"""In units of 10^-12: its weights are rounded to thirteen digits."""


@pytest.fixture(scope="module")
def world() -> paths.Rows:
    """What was delivered."""
    return paths.rows()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, world: paths.Rows) -> Path:
    """Where it was built and published."""
    settings = make_home(tmp_path_factory.mktemp("paths"), paths.CONFIG)
    for delivery in paths.deliveries(world):
        delivery.write(settings.home / "drops")
    stages.run(settings)
    return settings.home


def counted(home: Path, world: paths.Rows) -> conversion.Conversion:
    """What loops count in the world, and from which day on the marts do."""
    with published(home) as connection:
        row = connection.execute("select min(calendar_date) from marts.dim_dates").fetchone()
    assert row is not None
    ledger = oracle.ledger(world, MODELS, paths.WINDOWS)
    return conversion.Conversion(world, ledger, through=paths.AS_OF, first=row[0])


@pytest.fixture(scope="module")
def counts(home: Path, world: paths.Rows) -> conversion.Conversion:
    """That, once for all."""
    return counted(home, world)


def rows(home: Path, query: str) -> list[dict[str, Any]]:
    """Rows of the published file."""
    with published(home) as connection:
        cursor = connection.execute(query, [MODELS] if "$1" in query else [])
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def by_place(
    whose: str, found: list[dict[str, Any]]
) -> dict[tuple[str, conversion.Period, str, int], dict[str, Any]]:
    """Rows by whose they are (a column), period, model and window, as the oracle has them."""
    return {
        (
            row[whose],
            (row["period_type"], row["period_start_date"]),
            row["model"],
            row["window_days"],
        ): row
        for row in found
    }


def test_every_credit_is_what_the_oracle_says(home: Path, world: paths.Rows) -> None:
    expected = oracle.ledger(world, MODELS, paths.WINDOWS)
    found: dict[tuple[str, str, int], dict[oracle.Party, tuple[int, int]]] = defaultdict(dict)
    with published(home) as connection:
        for order, model, window, kind, party, share, amount in connection.execute(
            "select order_key, model, window_days, party_type, party_key, credit_share, "
            "credit_amount from marts.fct_attribution_credits where list_contains($1, model)",
            [MODELS],
        ).fetchall():
            found[order, model, window][kind, party] = (
                int(share * oracle.UNITS),
                int(amount * 100),
            )
    assert found.keys() == expected.keys()
    wrong: list[Any] = []
    for place, parts in expected.items():
        tolerance = SHARE_TOLERANCE.get(place[1], 0)
        if found[place].keys() != parts.keys() or any(
            abs(found[place][party][0] - share) > tolerance
            or abs(found[place][party][1] - cents) > min(tolerance, 1)
            for party, (share, cents) in parts.items()
        ):
            wrong.append((place, parts, found[place]))
    assert not wrong, f"{len(wrong)} of {len(expected)}: {wrong[:3]}"


@pytest.mark.parametrize("level", ["creator", "channel"])
def test_every_step_and_removal_effect_is_what_the_oracle_says(
    home: Path, world: paths.Rows, level: str
) -> None:
    with published(home) as connection:
        for window in paths.WINDOWS:
            steps = oracle.transitions(world, window, level == "channel")
            found = connection.execute(
                "select from_key, to_key, transition_count from marts.fct_markov_transitions "
                "where chain_level = $1 and window_days = $2",
                [level, window],
            ).fetchall()
            assert {(a, b): count for a, b, count in found} == dict(steps)
            effects = oracle.removal_effects(steps)
            rows = connection.execute(
                "select party_key, removal_effect_rate, total_allocation_order_credit, "
                "journey_allocation_order_credit from marts.fct_channel_removal_effects "
                "where chain_level = $1 and window_days = $2",
                [level, window],
            ).fetchall()
            assert {row[0] for row in rows} == effects.keys()
            on_path = [path for path in oracle.paths(world, window).values() if path]
            by_journey = oracle.by_journey(on_path, effects, level == "channel")
            for party, effect, by_total, in_journeys in rows:
                assert effect == pytest.approx(float(effects[party]), abs=1e-11)
                total = len(on_path) * effects[party] / sum(effects.values())
                assert float(by_total) == pytest.approx(float(total), abs=1e-6)
                assert float(in_journeys) == pytest.approx(float(by_journey[party]), abs=1e-6)


def test_the_ledger_shares_markov_inside_each_journey(home: Path, world: paths.Rows) -> None:
    with published(home) as connection:
        for window in paths.WINDOWS:
            effects = oracle.removal_effects(oracle.transitions(world, window, by_channel=False))
            found = connection.execute(
                "select order_key, party_key, credit_share from marts.fct_attribution_credits "
                "where model = 'markov' and window_days = $1",
                [window],
            ).fetchall()
            for order, path in oracle.paths(world, window).items():
                parties = {touch.party[1] for touch in path}
                shares = {party: share for key, party, share in found if key == order}
                if not parties:
                    assert list(shares.values()) == [1]
                    continue
                whole = sum(effects[party] for party in parties)
                assert shares.keys() == parties
                for party in parties:
                    wanted = float(effects[party] / whole)
                    assert float(shares[party]) == pytest.approx(wanted, abs=1e-11)


def test_conversion_of_creators_is_what_loops_count(
    home: Path, counts: conversion.Conversion
) -> None:
    expected = counts.creators()
    found = by_place(
        "creator_key",
        rows(home, "select * from marts.fct_creator_conversion where list_contains($1, model)"),
    )
    assert expected.keys() <= found.keys()
    for place, row in found.items():
        cell = expected.get(place, conversion.Cell())
        if place not in expected:  # a session of the day after its touch, or a code nobody used
            assert row["session_count"] or (place[1][0] in {"month", "all"} and row["reach_count"])
        assert (row["click_count"], row["unique_clicker_count"]) == (
            cell.clicks,
            len(cell.clickers),
        ), place
        assert (row["order_count"], row["new_customer_count"]) == (
            len(cell.orders),
            len(cell.new),
        ), place
        tolerance = Decimal(5 * len(cell.orders)) / oracle.UNITS
        assert abs(row["order_credit_share"] - conversion.share(cell.units)) <= tolerance, place
        if cell.net_sales is None or row["net_sales_amount"] is None:
            assert cell.net_sales is row["net_sales_amount"], place
        else:
            off = abs(row["net_sales_amount"] - cell.net_sales) * 100
            assert off <= (len(cell.orders) if place[2] == "time_decay" else 0), place
        assert (
            row["triangulated_low_order_count"],
            row["triangulated_mid_order_count"],
            row["triangulated_high_order_count"],
        ) == (len(cell.low), len(cell.mid), len(cell.high)), place
        assert (
            row["person_conversion_denominator_count"],
            row["person_conversion_numerator_count"],
        ) == (cell.seen, cell.bought), place
        assert row["cost_amount"] == cell.cost, place
        cost, sales = cell.cost_to_compare, row["net_sales_amount"]
        roas = float(sales / cost) if cost and sales is not None else None
        assert row["roas_ratio"] == pytest.approx(roas), place
        cac = float(cost / len(cell.new)) if cost and cell.new else None
        assert row["cac_ratio"] == pytest.approx(cac), place
        roi = (float(sales) / 2 - float(cost)) / float(cost) if roas is not None else None
        assert row["contribution_roi_ratio"] == pytest.approx(roi), place
    assert any(cell.cost and not cell.orders for cell in expected.values())
    assert any(0 < cell.bought < cell.seen for cell in expected.values())


def test_conversion_of_tiers_is_what_loops_count(home: Path, counts: conversion.Conversion) -> None:
    expected = counts.tiers()
    found = by_place(
        "tier",
        rows(
            home,
            "select * from marts.fct_tier_conversion where list_contains($1, model) "
            "and tier_scheme = 'setae' and platform = 'all'",
        ),
    )
    assert found.keys() == expected.keys()
    for place, cell in expected.items():
        row = found[place]
        loose = place[2] == "time_decay"
        tolerance = Decimal(5 * cell.orders) / oracle.UNITS
        assert abs(row["order_credit_share"] - conversion.share(cell.units)) <= tolerance, place
        in_euros = cell.cents.keys() <= {"EUR"}
        for name, value in (
            ("net_sales_amount", sum(cell.cents.values()) if len(cell.cents) < 2 else None),
            (
                "net_sales_amount_reporting",
                cell.cents["EUR"] if in_euros and cell.orders else None,
            ),
        ):
            if value is None or row[name] is None:
                assert row[name] is value, (place, name)
            else:
                assert abs(row[name] * 100 - value) <= (cell.orders if loose else 0), (place, name)
        for name, value in cell.columns(counts.orders, margin=0.5).items():
            near = 1e-3 if loose else 1e-9
            wanted = pytest.approx(value, rel=near, abs=1e-9) if type(value) is float else value
            assert row[name] == wanted, (place, name)
    assert {tier for tier, *_ in expected} == {"nano", "micro", "mid", "macro", "unknown"}
    # Every cause of a NULL and of a difference between a tier and the sum of its creators.
    cells = expected.values()
    assert any(len(cell.costs) == 2 for cell in cells)
    assert any(cell.costs and not cell.orders for cell in cells)
    assert any(len(cell.cents) == 2 for cell in cells)
    assert any(cell.cents.keys() == {"USD"} and cell.costs.keys() == {"EUR"} for cell in cells)
    assert any(len(cell.followers) > 1 for cell in cells)
    assert any(cell.reach and not cell.followers for cell in cells)
    assert any(not cell.reach and cell.followers for cell in cells)


def test_tiers_have_the_mean_of_their_creators_with_a_code(
    home: Path, counts: conversion.Conversion
) -> None:
    """What loops count by exposure, through the estimator, stands at the model `code`."""
    found = rows(home, "select * from marts.fct_tier_conversion where tier_scheme = 'setae'")
    expected = exposure_estimates(counts)
    for row in found:
        place = (row["tier"], (row["period_type"], row["period_start_date"]))
        for metric in EXPOSED:
            wanted = (
                expected.get((metric, *place))
                if row["model"] == "code" and row["platform"] == "all"
                else None
            )
            for part in ("shrunk", "ci_low", "ci_high"):
                value = wanted and pytest.approx(wanted[part], rel=1e-6)
                assert row[f"{metric}_{part}"] == value, (place, metric, part)
            label = wanted["reliability"] if wanted else "insufficient"
            assert row[f"{metric}_reliability"] == label, (place, metric)
    assert {metric for metric, *_ in expected} == set(EXPOSED)
    assert len({tier for _, tier, _ in expected}) >= 3


EXPOSED = {
    "orders_per_1000_reach": ("orders", "reach"),
    "orders_per_follower": ("orders", "followers"),
    "net_sales_per_reach": ("sales", "reach"),
    "net_sales_per_follower": ("sales", "followers"),
}


def exposure_estimates(
    counts: conversion.Conversion,
) -> dict[tuple[str, str, conversion.Period], dict[str, Any]]:
    """Metric, tier and period → the estimate of the tier's mean, in the unit of the column."""
    units: Counter[tuple[str, str, str, str, str, Decimal, Decimal]] = Counter()
    places: dict[tuple[str, str, str], tuple[conversion.Period, float]] = {}
    for (tier, period, _), one in counts.coded().items():
        size = counts.order_size(period)
        mean = Decimal(sum(one["followers"])) / max(1, len(one["followers"]))
        exposure = {"reach": Decimal(one["reach"]), "followers": round(mean, 4)}
        events = {
            "orders": Decimal(one["orders"]),
            "sales": max(Decimal(one["cents"]) / 100 / size, Decimal(0)) if size else None,
        }
        for metric, (above, below) in EXPOSED.items():
            count = events[above]
            if not exposure[below] or count is None:
                continue
            population = f"setae {period[0]} {period[1]}"
            units[
                metric,
                "exposure",
                population,
                "all",
                tier,
                round(count, 4),
                round(exposure[below] / 1000, 4),
            ] += 1
            worth = 1.0 if metric == "orders_per_1000_reach" else 0.001
            places[metric, population, tier] = (
                period,
                worth * float(size) if above == "sales" and size else worth,
            )
    names = ("metric", "family", "population", "platform", "tier", "x", "n")
    ordered = sorted(units.items(), key=lambda unit: (unit[0][0], *unit[0][2:]))
    table = pa.table(
        {
            **{
                name: pa.array(
                    [unit[number] for unit, _ in ordered],
                    pa.decimal128(38, 4) if name in {"x", "n"} else pa.string(),
                )
                for number, name in enumerate(names)
            },
            "unit_count": pa.array([number for _, number in ordered], pa.int64()),
            "has_units": pa.array([False] * len(ordered)),
            "has_rank": pa.array([False] * len(ordered)),
        }
    )
    found = {}
    for row in estimate(table, Plan(level=0.9, reference_tier="nano")).to_pylist():
        period, worth = places[row["metric"], row["population"], row["tier"]]
        found[row["metric"], row["tier"], period] = {
            **{part: row[part] * worth for part in ("shrunk", "ci_low", "ci_high")},
            "reliability": row["reliability"],
        }
    return found


def test_kinds_of_evidence_overlap_as_loops_count(
    home: Path, counts: conversion.Conversion
) -> None:
    expected = {
        place: {
            **cell,
            "currency": next(iter(cell["cents"])) if len(cell["cents"]) == 1 else None,
            "cents": next(iter(cell["cents"].values())) if len(cell["cents"]) == 1 else None,
        }
        for place, cell in counts.overlap(30).items()
    }
    found = {
        (
            (row["period_type"], row["period_start_date"]),
            frozenset(kind for kind in ("code", "click", "survey") if row[f"has_{kind}"]),
        ): {
            "orders": row["order_count"],
            "new": row["new_customer_count"],
            "agreed": row["agreed_order_count"],
            "currency": row["currency_code"],
            "cents": row["net_sales_amount"] and int(row["net_sales_amount"] * 100),
        }
        for row in rows(home, "select * from marts.fct_credit_overlap")
    }
    assert found == expected
    assert len({kinds for _, kinds in expected}) == 8
    assert {cell["currency"] for cell in expected.values()} == {"EUR", "USD", None}


def test_models_disagree_as_their_credits_do(home: Path) -> None:
    rules: dict[tuple[str, str, date], dict[str, Decimal]] = defaultdict(dict)
    for row in rows(
        home,
        "select * from marts.fct_creator_conversion order by model, window_days",
    ):
        place = (row["creator_key"], row["period_type"], row["period_start_date"])
        name = f"{row['model']} {row['window_days']} days"
        rules[place][name] = row["order_credit_share"]
    found = rows(home, "select * from marts.fct_model_disagreement")
    assert len(found) == len(rules)
    for row in found:
        mine = rules[row["creator_key"], row["period_type"], row["period_start_date"]]
        wanted = conversion.disagreement(mine)
        wanted["disagreement_rate"] = pytest.approx(wanted["disagreement_rate"])
        assert {name: row[name] for name in wanted} == wanted
        assert row["rule_count"] == len(mine)
        assert row["default_order_credit"] == mine["code_then_last_touch 30 days"]
        same_window = [value for rule, value in mine.items() if rule.endswith(" 30 days")]
        assert row["model_spread_order_credit"] == max(same_window) - min(same_window)
        same_model = [v for rule, v in mine.items() if rule.startswith("code_then_last_touch ")]
        assert row["window_spread_order_credit"] == max(same_model) - min(same_model)


def differences(
    home: Path,
    mart: str,
    grain: list[str],
    expected: dict[Any, dict[str, Any]],
    tolerance: Mapping[str, float] = MappingProxyType({}),
) -> list[str]:
    """Rows and columns of a mart that are not as expected: all of both are compared.

    Args:
        expected: Rows by the values of the grain, in its order.
        tolerance: How far a column's values may be off, where more than the last bits.
    """
    published_rows = rows(home, f"select * from marts.{mart}")
    found = {tuple(row[name] for name in grain): row for row in published_rows}
    odd = [f"several rows in {mart}"] * (len(found) < len(published_rows))
    odd += [f"only in {mart}: {place}" for place in found.keys() - expected.keys()]
    odd += [f"not in {mart}: {place}" for place in expected.keys() - found.keys()]
    for place in found.keys() & expected.keys():
        assert found[place].keys() == expected[place].keys()
        odd += [
            f"{place} {name}: {value}, expected {expected[place][name]}"
            for name, value in found[place].items()
            if (value is None) != (expected[place][name] is None)
            or (
                value != pytest.approx(expected[place][name], rel=1e-12, abs=tolerance.get(name))
                if isinstance(value, float)
                else value != expected[place][name]
            )
        ]
    return odd


def test_funnels_are_what_loops_count(
    home: Path, world: paths.Rows, counts: conversion.Conversion
) -> None:
    expected = funnel.funnel(world, through=paths.THROUGH, window_days=30)
    assert {row["is_mature"] for row in expected.values()} == {True, False}
    accounts = {oracle.key(row["creator_id"]): row for row in world["creator_accounts"]}
    cells = {
        place: (
            accounts[place[0]]["platform"] if place[0] in accounts else "none",
            counts.tier(place[0], at),
        )
        for place, at in funnel.first_clicks(world).items()
    }
    assert len(set(cells.values())) > 2
    for place, row in funnel.estimated(expected, cells).items():
        expected[place] |= row
    # The marts have nine digits, and the order in which equal counts are added is another.
    tolerance = {
        f"{rate}_{part}": 1e-7 for rate in funnel.RATES for part in ("shrunk", "ci_low", "ci_high")
    }
    assert not differences(
        home, "fct_creator_funnel", ["creator_key", "click_week_start_date"], expected, tolerance
    )


def test_claims_and_the_ledger_differ_as_loops_say(home: Path, world: paths.Rows) -> None:
    expected = partners.reconciliation(world, window_days=30)
    assert not differences(
        home, "fct_platform_reconciliation_daily", ["reconciliation_date", "platform"], expected
    )


def test_payouts_are_what_loops_sum(home: Path, world: paths.Rows) -> None:
    expected = partners.payouts(world, as_of=paths.AS_OF)
    grain = ["creator_key", "settlement_start_date", "network", "currency_code", "is_locked"]
    for row in expected.values():
        if row["last_locked_at"] is not None:
            row["last_locked_at"] = row["last_locked_at"].replace(tzinfo=None)
    assert not differences(home, "fct_creator_payouts", grain, expected)


def test_ambassadors_are_what_loops_count(home: Path, world: paths.Rows) -> None:
    expected = {}
    for (customer, month), row in partners.ambassadors(
        world, through=paths.AS_OF, window_days=30
    ).items():
        pseudonym = Pseudonyms(KEY).make("customer", "drops:small", customer)
        name = f"drops:small:{pseudonym}"
        expected[name, month] = {**row, "customer_key": name}
    grain = ["customer_key", "referral_month_start_date"]
    assert not differences(home, "fct_ambassador_conversion", grain, expected)


def test_the_world_has_what_it_is_for(world: paths.Rows) -> None:
    """Ties, edges, ambiguous parties, long paths, direct visits: or the test above shows little."""
    on_path = oracle.paths(world, 30)
    parties = {touch.party for path in on_path.values() for touch in path}
    assert {oracle.AMBIGUOUS, oracle.DIRECT, ("channel", "email")} <= parties
    assert max(len(path) for path in on_path.values()) >= 8
    everything = oracle.touches(world)
    orders = oracle.orders(world)
    ages = [
        (order.at - touch.at).total_seconds() / 86400
        for order in orders
        for touch in everything.get(order.person, [])
    ]
    assert sum(age in (7, 14, 28, 30) for age in ages) >= 10
    assert sum(age == 0 for age in ages) >= 5
    assert any(
        one.at == two.at and one.party != two.party
        for path in on_path.values()
        for one, two in pairwise(path)
    )
    assert sum(order.code == oracle.AMBIGUOUS for order in orders) >= 3


def test_the_world_has_what_partners_and_funnels_are_for(world: paths.Rows) -> None:
    """Every cause of a difference, every state of a payout, every place in a chain of referrals."""
    weeks = funnel.funnel(world, through=paths.THROUGH, window_days=30).values()
    mature = [row for row in weeks if row["is_mature"]]
    assert any(0 < row["first_session_order_rate"] < 1 for row in mature)
    assert any(row["order_count"] > row["ordered_person_count"] for row in mature)
    assert {row["ordered_person_count"] % 2 for row in mature} == {0, 1}
    days = partners.reconciliation(world, window_days=30).values()
    for cause in ("not_seen_difference", "window_difference"):
        assert {-1, 0, 1} <= {(row[cause] > 0) - (row[cause] < 0) for row in days}
    assert any(row["credited_elsewhere_difference"] for row in days)
    assert any(row["view_through_difference"] for row in days)
    assert {row["currency_code"] for row in days if row["claimed_order_count"]} == {
        *("EUR", "USD"),
        None,
    }
    owed = partners.payouts(world, as_of=paths.AS_OF).values()
    assert all(any(row[f"{state}_count"] for row in owed) for state in ("denied", "unmatched"))
    locks = {
        row["order_id"]: oracle.instant(row["locked_at"])
        for row in world["affiliate_conversions"]
        if "locked_at" in row and row["state"] == "approved"
    }
    backs = [
        (at > locks[order]) - (at < locks[order])
        for order in locks
        for at, _ in oracle.returns(world, order)
    ]
    assert {-1, 0, 1} == set(backs)
    assert {paths.AS_OF, paths.AS_OF + timedelta(microseconds=1)} <= set(locks.values())
    brought = partners.ambassadors(world, through=paths.AS_OF, window_days=30).values()
    assert {0, 1, 2, 3, None} <= {row["referral_depth"] for row in brought}
    assert {0.0, 1.0, None} <= {row["referral_conversion_rate"] for row in brought}
    assert any(row["net_sales_amount"] is None for row in brought)
    assert any(row["is_customer_creator"] and not row["order_count"] for row in brought)
