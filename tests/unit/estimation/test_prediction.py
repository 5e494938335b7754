"""A proxy is judged on months it was not fitted to."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from estimation.prediction import estimate

MONTHS = [date(2026, month, 1) for month in (3, 4, 5)]


def pair(month: int, creator: str, value: float, clickers: int, buyers: int) -> dict[str, Any]:
    return {
        "trust_proxy": "reply_rate",
        "period_start_date": MONTHS[month],
        "creator_key": creator,
        "raw_value": value,
        "clicker_count": clickers,
        "buyer_count": buyers,
    }


def answers(rows: list[dict[str, Any]], least: int = 2) -> dict[tuple[str, date], dict[str, Any]]:
    rows.sort(key=lambda row: (row["period_start_date"], row["creator_key"]))
    found = estimate(pa.Table.from_pylist(rows), level=0.9, least=least).to_pylist()
    return {(row["period_type"], row["period_start_date"]): row for row in found}


def test_two_months_by_hand() -> None:
    """March: a has proxy 0 and 2 of 20, b proxy 1 and 6 of 20. Average 0.2, slope 0.2.

    April: a has 0.5 and 2 of 10: the line says 0.2, right. b has 1 and 4 of 10: the line says 0.3.
    The average errs by 10 (0.2 - 0.2)² + 10 (0.4 - 0.2)² = 0.4, the line by 10 (0.4 - 0.3)² = 0.1.
    So three quarters of the error are saved.
    """
    found = answers(
        [
            *(pair(0, "a", 0.0, 20, 2), pair(0, "b", 1.0, 20, 6)),
            *(pair(1, "a", 0.5, 10, 2), pair(1, "b", 1.0, 10, 4)),
        ]
    )
    march, april = found["month", MONTHS[0]], found["month", MONTHS[1]]
    assert march["refusal_reason"] == "0 creators in earlier months, and 2 are needed"
    assert april["slope"] == pytest.approx(0.2)
    assert april["skill"] == pytest.approx(0.75)
    assert april["rank_correlation"] == pytest.approx(1.0)
    assert (april["training_pair_count"], april["creator_count"]) == (2, 2)
    assert found["all", MONTHS[0]]["skill"] == pytest.approx(0.75)
    assert found["all", MONTHS[0]]["clicker_count"] == 20


def test_later_months_never_reach_into_the_fit() -> None:
    rows = [
        *(pair(0, "a", 0.0, 20, 2), pair(0, "b", 1.0, 20, 6)),
        *(pair(1, "a", 0.5, 10, 2), pair(1, "b", 1.0, 10, 4)),
    ]
    later = [pair(2, "a", 0.0, 1_000, 900), pair(2, "b", 1.0, 1_000, 0)]
    april = answers(rows)["month", MONTHS[1]]
    assert answers([*rows, *later])["month", MONTHS[1]] == april


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [pair(0, "a", 0, 9, 1), pair(0, "b", 1, 9, 1), pair(1, "a", 1, 9, 1)],
            "1 creators in the",
        ),
        (
            [pair(month, name, 0.5, 9, 1) for month in (0, 1) for name in "ab"],
            "the proxy was the same",
        ),
        ([pair(month, name, 0.5, 9, 0) for month in (0, 1) for name in "ab"], "nobody bought"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(
    rows: list[dict[str, Any]], says: str
) -> None:
    found = answers(rows)
    assert found["month", MONTHS[1]]["refusal_reason"].startswith(says)
    assert found["all", MONTHS[0]]["refusal_reason"] == "no month could be asked"


def world(strength: float, seed: int) -> float:
    """Lower end of the skill's interval where conversion follows the proxy this strongly."""
    luck = np.random.default_rng(seed)
    rows = []
    for number in range(60):
        value = float(luck.uniform())
        rate = 0.1 + strength * (value - 0.5)
        rows += [
            pair(month, f"c{number:02}", value, 40, int(luck.binomial(40, rate)))
            for month in range(3)
        ]
    low = answers(rows, least=20)["all", MONTHS[0]]["skill_ci_low"]
    assert isinstance(low, float)
    return low


def test_a_proxy_that_tells_nothing_is_rarely_called_predictive_and_a_strong_one_often() -> None:
    assert sum(world(0.0, seed) > 0 for seed in range(100)) <= 10
    assert sum(world(0.12, seed) > 0 for seed in range(20)) >= 18


def test_nothing_in_gives_nothing_out() -> None:
    empty = pa.Table.from_pylist([pair(0, "a", 0, 1, 0)]).slice(0, 0)
    assert estimate(empty, level=0.9, least=2).num_rows == 0
