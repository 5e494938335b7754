"""`fct_trust_proxy_predictions`, slowly: does a proxy tell the next month's conversion?

The proxies are those of `tests.oracle.trust`. The line is numpy's, ranks and the jackknife are
loops.
"""

from __future__ import annotations

import calendar
import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import mean
from typing import Any

import numpy as np
from scipy import stats

from tests.oracle.activity import weeks
from tests.oracle.creators import local_day
from tests.oracle.trust import Proxy, World, end_of

Row = dict[str, Any]

WINDOW = timedelta(days=7)
FRESH = timedelta(days=14)
LEVEL = 0.9


@dataclass(frozen=True)
class Pair:
    """A creator's proxy as known before a month, and what the month's new clickers did."""

    month: date
    creator: str
    known: float
    clickers: int
    buyers: int

    @property
    def rate(self) -> float:
        return self.buyers / self.clickers


@dataclass(frozen=True)
class Answer:
    """What the average of before and the line miss of one creator's conversion."""

    creator: str
    plain: float
    fitted: float


def conversions(world: World) -> dict[tuple[str, date], tuple[int, int]]:
    """Creator and month → people whose first click fell in it and were observed; buyers."""
    first: dict[tuple[str, str], Row] = {}
    for touch in sorted(world.touches, key=lambda touch: (touch["at"], touch["touch_key"])):
        if touch["is_click"] and touch["creator_key"] is not None:
            first.setdefault((touch["creator_key"], touch["person_key"]), touch)
    found: dict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for (creator, person), touch in first.items():
        end = touch["at"] + WINDOW
        if end <= end_of(world.through):
            counts = found[creator, local_day(touch["at"]).replace(day=1)]
            counts[0] += 1
            counts[1] += any(
                order["person_key"] == person and touch["at"] <= order["ordered_at"] < end
                for order in world.orders.values()
            )
    return {key: (counts[0], counts[1]) for key, counts in found.items()}


def pairs(
    world: World, proxies: dict[tuple[str, date, str], Proxy], first: date
) -> dict[str, list[Pair]]:
    """Proxy → its pairs."""
    as_of = dict(weeks(first, world.through))
    found: dict[str, list[Pair]] = defaultdict(list)
    for (creator, month), (clickers, buyers) in sorted(conversions(world).items()):
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        if last + WINDOW > world.through:
            continue
        for name in world.rules.proxies:
            known = {
                as_of[monday]: proxy.raw
                for (who, monday, what), proxy in proxies.items()
                if (who, what) == (creator, name)
                and proxy.raw is not None
                and month - FRESH <= as_of[monday] < month
            }
            if known:
                found[name].append(Pair(month, creator, known[max(known)], clickers, buyers))
    return found


def predictions(found: dict[str, list[Pair]], least: int) -> dict[Any, Row]:
    """`fct_trust_proxy_predictions` by proxy, kind and first day."""
    rows: dict[Any, Row] = {}
    for name, mine in found.items():
        asked: list[Pair] = []
        answers: list[Answer] = []
        ranked: list[tuple[float, int]] = []
        for month in sorted({pair.month for pair in mine}):
            now = [pair for pair in mine if pair.month == month]
            before = [pair for pair in mine if pair.month < month]
            row = rows[name, "month", month] = _row(name, "month", month, now, len(before))
            row["refusal_reason"] = _refusal(before, now, least)
            if row["refusal_reason"] is None:
                slope, told = _ask(before, now)
                ranks = rank_correlation([(pair.known, pair.rate) for pair in now])
                row |= {"slope_ratio": slope, "rank_correlation_score": ranks, **skill(told)}
                asked += now
                answers += told
                if ranks is not None:
                    ranked.append((ranks, len(now)))
            _judge(row)
        start = min(pair.month for pair in mine)
        row = rows[name, "all", start] = _row(
            name, "all", start, asked or mine, len(mine) - len(asked)
        )
        row["refusal_reason"] = None if asked else "no month could be asked"
        if ranked:
            row["rank_correlation_score"] = sum(value * size for value, size in ranked) / sum(
                size for _, size in ranked
            )
        if asked:
            row |= skill(answers)
        _judge(row)
    return rows


def _row(name: str, kind: str, start: date, mine: list[Pair], trained: int) -> Row:
    clickers, buyers = sum(one.clickers for one in mine), sum(one.buyers for one in mine)
    unknown = ("slope_ratio", "rank_correlation_score", "skill_score", "skill_score_ci_low",
               "skill_score_ci_high")  # fmt: skip
    return {
        **dict.fromkeys(unknown),
        "trust_proxy": name,
        "period_type": kind,
        "period_start_date": start,
        "training_pair_count": trained,
        "creator_count": len({one.creator for one in mine}),
        "clicker_count": clickers,
        "buyer_count": buyers,
        "conversion_rate": buyers / clickers if clickers else None,
    }


def _judge(row: Row) -> None:
    row["status"] = "estimated" if row["refusal_reason"] is None else "refused"
    low = row["skill_score_ci_low"]
    row["is_predictive"] = low is not None and round(low, 9) > 0


def _refusal(before: list[Pair], now: list[Pair], least: int) -> str | None:
    trained = len({pair.creator for pair in before})
    if trained < least:
        return f"{trained} creators in earlier months, and {least} are needed"
    if len(now) < least:
        return f"{len(now)} creators in the month, and {least} are needed"
    if not any(pair.buyers for pair in before):
        return "nobody bought in the earlier months"
    if len({pair.known for pair in before}) == 1:
        return "the proxy was the same for everybody in the earlier months"
    return None


def _ask(before: list[Pair], now: list[Pair]) -> tuple[float, list[Answer]]:
    """Slope of a line weighed by clickers, and what it and the average miss."""
    average = sum(pair.buyers for pair in before) / sum(pair.clickers for pair in before)
    slope, start = np.polyfit(
        [pair.known for pair in before],
        [pair.rate for pair in before],
        1,
        w=[math.sqrt(pair.clickers) for pair in before],
    )
    return float(slope), [
        Answer(
            pair.creator,
            pair.clickers * (pair.rate - average) ** 2,
            pair.clickers * (pair.rate - min(max(start + slope * pair.known, 0), 1)) ** 2,
        )
        for pair in now
    ]


def rank_correlation(points: list[tuple[float, float]]) -> float | None:
    """Spearman's; equal values share the mean of their ranks."""
    sides = [[point[side] for point in points] for side in (0, 1)]
    if any(len(set(side)) == 1 for side in sides):
        return None
    ranks = [
        [sum(other < one for other in side) + (side.count(one) + 1) / 2 for one in side]
        for side in sides
    ]
    away = [[rank - mean(side) for rank in side] for side in ranks]
    return sum(one * other for one, other in zip(*away, strict=True)) / math.sqrt(
        sum(one**2 for one in away[0]) * sum(other**2 for other in away[1])
    )


def skill(answers: list[Answer]) -> Row:
    """Share of the average's error that the line saves; each creator is left out in turn."""
    value = _saved(answers)
    if value is None:
        return {}
    found: Row = {"skill_score": value}
    creators = {one.creator for one in answers}
    left_out = [_saved([one for one in answers if one.creator != who]) for who in creators]
    if len(creators) > 1 and all(one is not None for one in left_out):
        told = [one for one in left_out if one is not None]
        size = len(told)
        error = math.sqrt((size - 1) / size * sum((one - mean(told)) ** 2 for one in told))
        reach = error * float(stats.t.ppf(0.5 + LEVEL / 2, size - 1))
        found |= {"skill_score_ci_low": value - reach, "skill_score_ci_high": value + reach}
    return found


def _saved(answers: list[Answer]) -> float | None:
    plain = sum(one.plain for one in answers)
    return 1 - sum(one.fitted for one in answers) / plain if plain > 0 else None
