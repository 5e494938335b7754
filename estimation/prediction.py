"""Does last month's proxy tell this month's conversion, for months it was not fitted to?

For `int_proxy_predictions__estimated`. For every month a straight line of conversion on the proxy
is fitted to all *earlier* months (each creator weighs by clickers) and asked for this month's
conversion of every creator; so is the plain average of those months, which knows no proxy. Skill is
the share of the average's squared error that the line saves: 1 is clairvoyance, 0 no better than
the average, below 0 worse. Its interval is over creators (jackknife): their months go together.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from estimation.hierarchy import Floats
from estimation.jackknife import summed
from estimation.table import DIGITS

SORTED_BY = ("trust_proxy", "period_start_date", "creator_key")

_SCHEMA = pa.schema(
    [
        ("trust_proxy", pa.string()),
        ("period_type", pa.string()),
        ("period_start_date", pa.date32()),
        ("training_pair_count", pa.int64()),
        ("creator_count", pa.int64()),
        ("clicker_count", pa.int64()),
        ("buyer_count", pa.int64()),
        ("refusal_reason", pa.string()),
        ("slope", pa.float64()),
        ("rank_correlation", pa.float64()),
        ("skill", pa.float64()),
        ("skill_ci_low", pa.float64()),
        ("skill_ci_high", pa.float64()),
    ]
)


def estimate(pairs: pa.Table, *, level: float, least: int) -> pa.Table:
    """One row per proxy and month with pairs, and one per proxy over all months asked.

    Args:
        pairs: trust_proxy, period_start_date, creator_key, raw_value (known before the period),
            clicker_count (above 0) and buyer_count of the period, in the order of `SORTED_BY`.
        level: Of the interval.
        least: Creators below which nothing is fitted or judged.
    """
    rows = pairs.to_pylist()
    found: list[dict[str, Any]] = []
    for proxy in sorted({row["trust_proxy"] for row in rows}):
        found += _proxy(proxy, [row for row in rows if row["trust_proxy"] == proxy], level, least)
    return pa.Table.from_pylist(found, schema=_SCHEMA)


def _proxy(
    proxy: str, rows: list[dict[str, Any]], level: float, least: int
) -> list[dict[str, Any]]:
    answers = []
    judged: list[tuple[list[str], Floats, Floats]] = []
    asked: list[dict[str, Any]] = []
    correlations: list[tuple[float, int]] = []
    first: date = rows[0]["period_start_date"]
    for month in sorted({row["period_start_date"] for row in rows}):
        now = [row for row in rows if row["period_start_date"] == month]
        before = [row for row in rows if row["period_start_date"] < month]
        answer = _counts(proxy, "month", month, now, len(before))
        fit = _fit(before, now, least)
        answers.append(answer)
        if isinstance(fit, str):
            answer["refusal_reason"] = fit
            continue
        slope, plain, fitted, correlation = fit
        creators = [row["creator_key"] for row in now]
        judged.append((creators, plain, fitted))
        asked += now
        if correlation is not None:
            correlations.append((correlation, len(now)))
        answer |= {"slope": _rounded(slope), "rank_correlation": _rounded(correlation)}
        answer |= _skill([(creators, plain, fitted)], level)
    total = _counts(proxy, "all", first, asked or rows, len(rows) - len(asked))
    if judged:
        weight = sum(count for _, count in correlations)
        mean = sum(value * count for value, count in correlations) / weight if weight else None
        total |= {"rank_correlation": _rounded(mean), **_skill(judged, level)}
    else:
        total["refusal_reason"] = "no month could be asked"
    return [*answers, total]


def _counts(
    proxy: str, kind: str, start: date, rows: list[dict[str, Any]], training: int
) -> dict[str, Any]:
    return {
        "trust_proxy": proxy,
        "period_type": kind,
        "period_start_date": start,
        "training_pair_count": training,
        "creator_count": len({row["creator_key"] for row in rows}),
        "clicker_count": sum(row["clicker_count"] for row in rows),
        "buyer_count": sum(row["buyer_count"] for row in rows),
    }


def _fit(
    before: list[dict[str, Any]], now: list[dict[str, Any]], least: int
) -> str | tuple[float, Floats, Floats, float | None]:
    """Slope, and the weighted squared errors of the average and of the line; or why not."""
    trained = len({row["creator_key"] for row in before})
    if trained < least:
        return f"{trained} creators in earlier months, and {least} are needed"
    if len(now) < least:
        return f"{len(now)} creators in the month, and {least} are needed"
    known, weight, rate = _columns(before)
    total = weight.sum()
    centre, average = (weight * known).sum() / total, (weight * rate).sum() / total
    spread = (weight * (known - centre) ** 2).sum()
    if average == 0.0:
        return "nobody bought in the earlier months"
    if spread <= 1e-12 * total:
        return "the proxy was the same for everybody in the earlier months"
    slope = float((weight * (known - centre) * (rate - average)).sum() / spread)
    known, weight, rate = _columns(now)
    line = np.clip(average + slope * (known - centre), 0.0, 1.0)
    varies = len(set(known.tolist())) > 1 and len(set(rate.tolist())) > 1
    correlation = float(stats.spearmanr(known, rate).statistic) if varies else None
    plain = weight * (rate - average) ** 2
    return slope, plain, weight * (rate - line) ** 2, correlation


def _columns(rows: list[dict[str, Any]]) -> tuple[Floats, Floats, Floats]:
    known = np.array([row["raw_value"] for row in rows], dtype=np.float64)
    weight = np.array([row["clicker_count"] for row in rows], dtype=np.float64)
    bought = np.array([row["buyer_count"] for row in rows], dtype=np.float64)
    return known, weight, bought / weight


def _skill(judged: list[tuple[list[str], Floats, Floats]], level: float) -> dict[str, Any]:
    names = sorted({name for creators, _, _ in judged for name in creators})
    code = {name: number for number, name in enumerate(names)}
    who = np.array([code[name] for creators, _, _ in judged for name in creators])
    plain = summed(who, np.concatenate([errors for _, errors, _ in judged]), len(names))
    fitted = summed(who, np.concatenate([errors for _, _, errors in judged]), len(names))
    if plain.sum() <= 0.0:
        return {"skill": None}
    skill = 1.0 - fitted.sum() / plain.sum()
    rest = plain.sum() - plain
    if len(names) < 2 or rest.min() <= 0.0:
        return {"skill": _rounded(float(skill))}
    left_out = 1.0 - (fitted.sum() - fitted) / rest
    size = len(names)
    error = np.sqrt((size - 1) / size * ((left_out - left_out.mean()) ** 2).sum())
    reach = float(error * stats.t.ppf(0.5 + level / 2, size - 1))
    return {
        "skill": _rounded(float(skill)),
        "skill_ci_low": _rounded(float(skill) - reach),
        "skill_ci_high": _rounded(float(skill) + reach),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS) + 0.0
