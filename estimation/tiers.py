"""From creators' counts by tier to ratios with intervals, for `int_tier_counts__estimated`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from estimation.hierarchy import Floats, Integers
from estimation.jackknife import (
    Flags,
    Slopes,
    comparison_intervals,
    ratio_intervals,
    slopes,
    summed,
)
from estimation.table import DIGITS

CELL = ("tier_scheme", "platform", "niche", "period_type", "period_start_date", "measure", "tier")
SORTED_BY = (*CELL, "creator_key")
COMPARISON = "sponsored_organic_ratio"


def estimate(
    counts: pa.Table, *, level: float, least: int, shares: tuple[str, ...], sized: tuple[str, ...]
) -> pa.Table:
    """One row per cell of a table of creators' counts.

    Args:
        counts: The columns of `CELL`, creator_key, unit_count, numerator_count, denominator_count,
            other_numerator_count, other_denominator_count and mean_follower_count, in the order of
            `SORTED_BY`.
        level: Of the intervals.
        least: Creators below which there is none.
        shares: Measures that cannot exceed 1.
        sized: Measures that get an elasticity in the follower count, over the tiers of a cell.

    Returns:
        `CELL`, creator_count, unit_count, numerator_count, denominator_count, the same two of the
        other side, value, creator_mean, ci_low, ci_high, elasticity, elasticity_ci_low,
        elasticity_ci_high, elasticity_creator_count.
    """
    keys = counts.select(list(CELL))
    cell, first = _groups(keys)
    group, _ = _groups(keys.drop_columns(["tier"]))
    group_of_cell = group[first]
    size = len(first)
    measure = np.array(keys.column("measure").to_pylist(), dtype=object)[first]
    column = {
        name: counts.column(name).cast(pa.float64()).to_numpy()
        for name in (
            *("numerator_count", "denominator_count"),
            *("other_numerator_count", "other_denominator_count", "mean_follower_count"),
        )
    }
    events, chances = column["numerator_count"], column["denominator_count"]
    whole = ratio_intervals(
        cell,
        events,
        chances,
        is_share=np.isin(measure, shares),
        level=level,
        least=least,
    )
    is_compared = measure == COMPARISON
    found = _compared(cell, column, is_compared, size=size, level=level, least=least)
    value, mean, low, high = (
        np.where(is_compared, other, own)
        for own, other in zip((whole.value, whole.mean, whole.low, whole.high), found, strict=True)
    )
    is_sized = np.isin(measure, sized)[cell] & (column["mean_follower_count"] > 0)
    fitted = _sloped(
        group[is_sized],
        np.array(counts.column("creator_key").to_pylist(), dtype=object)[is_sized],
        events[is_sized],
        chances[is_sized],
        column["mean_follower_count"][is_sized],
        size=int(group.max()) + 1 if len(group) else 0,
        level=level,
        least=least,
    )
    has_slope = np.isin(measure, sized)
    return pa.table(
        {
            **{name: keys.column(name).take(pa.array(first)) for name in CELL},
            "creator_count": pa.array(whole.creators),
            **{
                name: _sums(cell, counts.column(name), size)
                for name in (
                    *("unit_count", "numerator_count", "denominator_count"),
                    *("other_numerator_count", "other_denominator_count"),
                )
            },
            "value": _rounded(value),
            "creator_mean": _rounded(mean),
            "ci_low": _rounded(low),
            "ci_high": _rounded(high),
            "elasticity": _rounded(np.where(has_slope, fitted.slope[group_of_cell], np.nan)),
            "elasticity_ci_low": _rounded(np.where(has_slope, fitted.low[group_of_cell], np.nan)),
            "elasticity_ci_high": _rounded(np.where(has_slope, fitted.high[group_of_cell], np.nan)),
            "elasticity_creator_count": pa.array(fitted.creators[group_of_cell], mask=~has_slope),
        }
    )


def _compared(
    cell: Integers, column: dict[str, Floats], is_compared: Flags, *, size: int, level: float,
    least: int,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    rows = is_compared[cell]
    made = comparison_intervals(
        cell[rows],
        column["numerator_count"][rows],
        column["denominator_count"][rows],
        column["other_numerator_count"][rows],
        column["other_denominator_count"][rows],
        size=size,
        level=level,
        least=least,
    )
    return made.value, made.mean, made.low, made.high


def _sloped(
    group: Integers,
    creator: Any,
    events: Floats,
    chances: Floats,
    followers: Floats,
    *,
    size: int,
    level: float,
    least: int,
) -> Slopes:
    """Slopes over creators; one who changed the tier has two rows and counts once."""
    _, code = np.unique(creator.astype(str), return_inverse=True)
    pairs, pair = np.unique(group * (len(code) + 1) + code, return_inverse=True)
    rows = np.maximum(np.bincount(pair), 1)
    return slopes(
        pairs // (len(code) + 1),
        summed(pair, events, len(pairs)),
        summed(pair, chances, len(pairs)),
        summed(pair, followers, len(pairs)) / rows,
        size=size,
        level=level,
        least=least,
    )


def _groups(keys: pa.Table) -> tuple[Integers, Integers]:
    """Number of each row's group, in order of appearance, and each group's first row.

    Groups lie together, because the table is sorted.
    """
    starts = np.zeros(keys.num_rows, dtype=bool)
    if keys.num_rows:
        starts[0] = True
    for name in keys.column_names:
        values = keys.column(name).combine_chunks()
        codes = values.dictionary_encode().indices.to_numpy()
        starts[1:] |= codes[1:] != codes[:-1]
    return np.cumsum(starts) - 1, np.flatnonzero(starts)


def _sums(cell: Integers, column: pa.ChunkedArray, size: int) -> pa.Array:
    """Exact: counts stay far below 2**53. NULL where no row says anything."""
    is_told = np.bincount(cell, column.is_valid().to_numpy(), size) > 0
    values = column.fill_null(0).cast(pa.float64()).to_numpy()
    return pa.array(np.bincount(cell, values, size).astype(np.int64), mask=~is_told)


def _rounded(values: Floats) -> Any:
    rounded = np.round(values, DIGITS) + 0.0
    return pa.array(rounded, mask=np.isnan(rounded))
