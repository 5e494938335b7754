"""From a table of creators' counts to a table of cells."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from estimation.tiers import SORTED_BY, estimate

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in SORTED_BY if name != "period_start_date"),
        ("period_start_date", pa.date32()),
        *(
            (name, pa.int64())
            for name in (
                *("unit_count", "numerator_count", "denominator_count"),
                *("other_numerator_count", "other_denominator_count"),
            )
        ),
        ("mean_follower_count", pa.float64()),
    ]
)


def rows_of(rows: list[dict[str, Any]]) -> pa.Table:
    common = {
        "tier_scheme": "setae",
        "platform": "all",
        "niche": "all",
        "period_type": "all",
        "period_start_date": date(2026, 3, 1),
        "unit_count": 1,
    }
    made = [{**common, **row} for row in rows]
    made.sort(key=lambda row: tuple(str(row[name]) for name in SORTED_BY))
    return pa.Table.from_pylist(made, schema=SCHEMA)


def cells(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    found = estimate(
        rows_of(rows),
        level=0.9,
        least=2,
        shares=("reply_rate",),
        sized=("engagement_by_follower",),
    )
    return {(row["measure"], row["tier"]): row for row in found.to_pylist()}


def engaged(creator: str, tier: str, followers: int, events: int) -> dict[str, Any]:
    return {
        "measure": "engagement_by_follower",
        "tier": tier,
        "creator_key": creator,
        "numerator_count": events,
        "denominator_count": followers,
        "mean_follower_count": float(followers),
    }


def test_cells_sum_their_creators_and_share_one_elasticity() -> None:
    found = cells(
        [
            engaged("a", "nano", 100, 10),
            engaged("b", "nano", 400, 30),
            engaged("c", "micro", 5_000, 200),
        ]
    )
    nano, micro = (found["engagement_by_follower", tier] for tier in ("nano", "micro"))
    assert (nano["creator_count"], nano["numerator_count"], nano["denominator_count"]) == (
        *(2, 40),
        500,
    )
    assert nano["value"] == pytest.approx(0.08)
    assert nano["creator_mean"] == pytest.approx((0.1 + 0.075) / 2)
    assert nano["ci_low"] < 0.08 < nano["ci_high"]
    assert micro["ci_low"] is None
    assert micro["elasticity"] == nano["elasticity"] < 0
    assert micro["elasticity_creator_count"] == 3


def test_a_creator_who_changed_the_tier_counts_once_in_the_elasticity() -> None:
    found = cells(
        [
            engaged("a", "nano", 900, 90),
            engaged("a", "micro", 1_100, 100),
            engaged("b", "nano", 400, 30),
            engaged("c", "micro", 5_000, 200),
        ]
    )
    assert found["engagement_by_follower", "nano"]["elasticity_creator_count"] == 3


def test_a_share_has_no_elasticity_and_the_ratio_compares_both_sides() -> None:
    def replies(creator: str, answered: int) -> dict[str, Any]:
        return {
            "measure": "reply_rate",
            "tier": "nano",
            "creator_key": creator,
            "numerator_count": answered,
            "denominator_count": 10,
        }

    def both(creator: str, sponsored: int) -> dict[str, Any]:
        return {
            **replies(creator, sponsored),
            "measure": "sponsored_organic_ratio",
            "other_numerator_count": 20,
            "other_denominator_count": 10,
        }

    found = cells([replies("a", 5), replies("b", 9), both("a", 10), both("b", 12)])
    share = found["reply_rate", "nano"]
    assert share["elasticity"] is None
    assert share["value"] == pytest.approx(0.7)
    assert 0 < share["ci_low"] < 0.7 < share["ci_high"] < 1
    ratio = found["sponsored_organic_ratio", "nano"]
    assert ratio["value"] == pytest.approx(22 / 40)
    assert (ratio["other_numerator_count"], ratio["other_denominator_count"]) == (40, 20)
    assert share["other_numerator_count"] is None


def test_nothing_in_gives_nothing_out() -> None:
    assert cells([]) == {}
