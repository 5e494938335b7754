"""From a table of counts to a table of estimates: what the dbt model `int_counts__estimated` runs.

A population is what is compared with one another: one metric, one period, one window. Each is
estimated alone, in the order of its name, so a population's numbers depend on its own counts only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from estimation.estimates import (
    Thresholds,
    estimate_cells,
    estimate_units,
    seed_of,
)
from estimation.hierarchy import Counts, Family, believe, probability_higher

SORTED_BY = ("metric", "population", "platform", "tier", "x", "n")
DIGITS = 9
"""Decimals kept: last bits differ between processors, not between threads, and mean nothing."""

_CHANCE_DIGITS = 4


@dataclass(frozen=True)
class Plan:
    """How the tables of counts are to be estimated.

    Attributes:
        level: Of the intervals.
        thresholds: Of the labels.
        reference_tier: Tier that the others are compared with.
    """

    level: float
    reference_tier: str
    thresholds: Thresholds = field(default_factory=Thresholds)


def estimate(counts: pa.Table, plan: Plan) -> pa.Table:
    """Estimate every population of a table.

    Args:
        counts: metric, family, population, platform, tier, x, n, unit_count, has_units, has_rank,
            ordered by `SORTED_BY`; rows of equal keys are not allowed.
        plan: Levels and thresholds.

    Returns:
        One row a row of counts with `level` `unit` (where `has_units`) and one a cell with `level`
        `cell`: their keys, `unit_count`, `shrunk`, `ci_low`, `ci_high`, `reliability`,
        `own_weight` and `prob_top_decile` (units), `prob_reference_higher` (cells).
    """
    columns = {name: counts.column(name).to_pylist() for name in ("metric", "population")}
    names = list(zip(columns["metric"], columns["population"], strict=True))
    starts = [i for i, name in enumerate(names) if i == 0 or name != names[i - 1]]
    parts = [
        _population(counts.slice(start, end - start), plan)
        for start, end in pairwise([*starts, len(names)])
    ]
    return pa.concat_tables(parts) if parts else _SCHEMA.empty_table()


_SCHEMA = pa.schema(
    [
        ("metric", pa.string()),
        ("population", pa.string()),
        ("level", pa.string()),
        ("platform", pa.string()),
        ("tier", pa.string()),
        ("x", pa.decimal128(38, 4)),
        ("n", pa.decimal128(38, 4)),
        ("unit_count", pa.int64()),
        ("shrunk", pa.float64()),
        ("ci_low", pa.float64()),
        ("ci_high", pa.float64()),
        ("own_weight", pa.float64()),
        ("reliability", pa.string()),
        ("prob_top_decile", pa.float64()),
        ("prob_reference_higher", pa.float64()),
    ]
)


def _population(table: pa.Table, plan: Plan) -> pa.Table:
    metric, population = table.column("metric")[0].as_py(), table.column("population")[0].as_py()
    family: Family = table.column("family")[0].as_py()
    pairs = list(
        zip(table.column("platform").to_pylist(), table.column("tier").to_pylist(), strict=True)
    )
    cells = sorted(set(pairs))
    platforms = sorted({platform for platform, _ in cells})
    counts = Counts(
        family=family,
        x=table.column("x").cast(pa.float64()).to_numpy(),
        n=table.column("n").cast(pa.float64()).to_numpy(),
        units=table.column("unit_count").to_numpy(),
        cell=np.array([cells.index(pair) for pair in pairs]),
        platform=np.array([platforms.index(platform) for platform, _ in cells]),
    )
    beliefs = believe(counts)
    common = {"metric": metric, "population": population}
    has_units = table.column("has_units")[0].as_py()
    parts = [_cells(table, counts, cells, beliefs, plan, common, compares=not has_units)]
    if has_units:
        has_rank = table.column("has_rank")[0].as_py()
        units = estimate_units(
            counts,
            beliefs,
            level=plan.level,
            thresholds=plan.thresholds,
            seed=seed_of(f"{metric} {population}") if has_rank else None,
        )
        parts.append(
            _table(
                {
                    **common,
                    "level": "unit",
                    "platform": table.column("platform"),
                    "tier": table.column("tier"),
                    "x": table.column("x"),
                    "n": table.column("n"),
                    "unit_count": table.column("unit_count"),
                    "shrunk": _rounded(units.shrunk),
                    "ci_low": _rounded(units.ci_low),
                    "ci_high": _rounded(units.ci_high),
                    "own_weight": _rounded(units.own_weight),
                    "reliability": pa.array(units.reliability.tolist()),
                    "prob_top_decile": _rounded(units.prob_top_decile, _CHANCE_DIGITS),
                },
                table.num_rows,
            )
        )
    return pa.concat_tables(parts)


def _cells(
    table: pa.Table,
    counts: Counts,
    cells: list[tuple[str, str]],
    beliefs: Any,
    plan: Plan,
    common: Mapping[str, Any],
    *,
    compares: bool,
) -> pa.Table:
    estimates = estimate_cells(beliefs, level=plan.level, thresholds=plan.thresholds)
    higher = np.full(len(cells), np.nan)
    for index, (platform, tier) in enumerate(cells):
        reference = (platform, plan.reference_tier)
        if compares and tier != plan.reference_tier and reference in cells:
            higher[index] = probability_higher(beliefs, cells.index(reference), index)
    unit_count = np.bincount(counts.cell, weights=counts.units, minlength=len(cells))
    return _table(
        {
            **common,
            "level": "cell",
            "platform": [platform for platform, _ in cells],
            "tier": [tier for _, tier in cells],
            "x": _totals(table, "x", counts),
            "n": _totals(table, "n", counts),
            "unit_count": unit_count.astype(np.int64),
            "shrunk": _rounded(estimates.shrunk),
            "ci_low": _rounded(estimates.ci_low),
            "ci_high": _rounded(estimates.ci_high),
            "reliability": pa.array(estimates.reliability.tolist()),
            "prob_reference_higher": _rounded(higher, _CHANCE_DIGITS),
        },
        len(cells),
    )


def _totals(table: pa.Table, name: str, counts: Counts) -> list[Decimal]:
    """Exact sum of a column over the units of each cell."""
    totals = [Decimal(0)] * counts.cell_count
    for value, units, cell in zip(
        table.column(name).to_pylist(), counts.units.tolist(), counts.cell.tolist(), strict=True
    ):
        totals[cell] += value * units
    return totals


def _table(columns: Mapping[str, Any], size: int) -> pa.Table:
    """Columns in the schema's order and types; what is missing is NULL, a text is repeated."""
    arrays = []
    for part in _SCHEMA:
        value = columns.get(part.name)
        if value is None or isinstance(value, str):
            arrays.append(pa.array([value] * size, part.type))
        elif isinstance(value, pa.ChunkedArray):
            arrays.append(value.cast(part.type).combine_chunks())
        else:
            arrays.append(pa.array(value, part.type))
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def _rounded(values: Any, digits: int = DIGITS) -> pa.Array:
    rounded = np.round(values, digits) + 0.0
    return pa.array(rounded, mask=np.isnan(rounded))
