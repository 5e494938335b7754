"""What the package `estimation` says of counts that an oracle counted.

The numerics have their own tests. Here the question is which counts are compared with which: every
unit is a row of its own, and nothing of the tables of counts in the project is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from estimation.estimates import estimate_units
from estimation.hierarchy import Counts, believe

Unit = TypeVar("Unit")

Estimate = tuple[float, float, float, str]
"""Shrunken rate, ends of the interval, label."""

Cell = tuple[str, str]
"""Platform and tier."""


def of_rates(units: Mapping[Unit, tuple[Cell, int, int]]) -> dict[Unit, Estimate]:
    """Estimate of each unit of one population, from its cell, events and chances."""
    counted = {unit: row for unit, row in units.items() if row[2] > 0}
    if not counted:
        return {}
    cells = sorted({cell for cell, _, _ in counted.values()})
    platforms = sorted({platform for platform, _ in cells})
    counts = Counts(
        family="rate",
        x=np.array([float(x) for _, x, _ in counted.values()]),
        n=np.array([float(n) for _, _, n in counted.values()]),
        units=np.ones(len(counted), dtype=np.int64),
        cell=np.array([cells.index(cell) for cell, _, _ in counted.values()]),
        platform=np.array([platforms.index(platform) for platform, _ in cells]),
    )
    found = estimate_units(counts, believe(counts))
    return {
        unit: (
            float(found.shrunk[row]),
            float(found.ci_low[row]),
            float(found.ci_high[row]),
            str(found.reliability[row]),
        )
        for row, unit in enumerate(counted)
    }
