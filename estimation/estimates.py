"""Counts in; shrunken rates, intervals, labels, ranks and comparisons of tiers out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimation import mixture
from estimation.hierarchy import Beliefs, Counts, Floats, Integers, believe, draw, inverse_link

TOP_SHARE = 0.1
"""The top decile."""

RANK_DRAWS = 200


@dataclass(frozen=True)
class Thresholds:
    """What a label asks for.

    Attributes:
        half_widths: Half of the interval over the larger of estimate and cell mean, at most, for
            reliable, usable, directional.
        own_weights: Least share n / (n + s) of the own data in the estimate, likewise.
    """

    half_widths: tuple[float, float, float] = (0.25, 0.35, 0.5)
    own_weights: tuple[float, float, float] = (0.5, 0.35, 0.2)


LABELS = ("reliable", "usable", "directional", "insufficient")


@dataclass(frozen=True)
class UnitEstimates:
    """One entry a row of the counts."""

    shrunk: Floats
    ci_low: Floats
    ci_high: Floats
    own_weight: Floats
    reliability: NDArray[np.str_]
    prob_top_decile: Floats


@dataclass(frozen=True)
class CellEstimates:
    """One entry a cell: the mean over its creators, each counting once."""

    shrunk: Floats
    ci_low: Floats
    ci_high: Floats
    reliability: NDArray[np.str_]


def estimate_units(
    counts: Counts,
    beliefs: Beliefs,
    *,
    level: float = 0.9,
    thresholds: Thresholds | None = None,
    seed: int | None = None,
) -> UnitEstimates:
    """Posterior mean, central interval, label and chance to be in the top decile of every row.

    Args:
        counts: What was counted.
        beliefs: What `believe(counts)` said.
        level: Of the interval.
        thresholds: Of the labels.
        seed: For the ranks; None leaves them out (NaN), as do fewer than ten units.
    """
    size = len(counts.x)
    mean, strength, weights = (part[counts.cell] for part in _components(counts, beliefs))
    first, second = posterior(counts, np.arange(size), mean, strength)
    shrunk = mixture.moments(counts.family, first, second, weights)[0]
    tail = (1.0 - level) / 2.0
    low = mixture.quantiles(counts.family, first, second, weights, tail)
    high = mixture.quantiles(counts.family, first, second, weights, 1.0 - tail)
    low, high = _holding(shrunk, low, high)
    own = (weights * (counts.n[:, None] / (counts.n[:, None] + strength))).sum(axis=1)
    expected = (weights * mean).sum(axis=1)
    top = np.full(size, np.nan)
    if seed is not None and counts.units.sum() >= round(1 / TOP_SHARE):
        top = _top_chances(counts, beliefs, np.random.default_rng(seed))
    return UnitEstimates(
        shrunk=shrunk,
        ci_low=low,
        ci_high=high,
        own_weight=own,
        reliability=label(shrunk, low, high, expected, own, thresholds or Thresholds()),
        prob_top_decile=top,
    )


def _components(counts: Counts, beliefs: Beliefs) -> tuple[Floats, Floats, Floats]:
    """Means, strengths and weights of every cell's prior, (C, H) each: all rows at one go.

    A cell with fewer components than another is filled up with some that weigh nothing.
    """
    parts = [mixture.components(beliefs, cell) for cell in range(counts.cell_count)]
    longest = max(len(weights) for _, _, weights in parts)

    def filled(values: Floats, filling: float) -> Floats:
        return np.pad(values, (0, longest - len(values)), constant_values=filling)

    return (
        np.array([filled(mean, 0.5) for mean, _, _ in parts]),
        np.array([filled(strength, 1.0) for _, strength, _ in parts]),
        np.array([filled(weights, 0.0) for _, _, weights in parts]),
    )


def posterior(
    counts: Counts, rows: Integers, mean: Floats, strength: Floats
) -> tuple[Floats, Floats]:
    """Parameters of the posterior of each row under each (mean, strength), (U, H).

    Args:
        counts: What was counted.
        rows: Which rows, (U,).
        mean: Of the prior's components, (H,) or (U, H).
        strength: Likewise.
    """
    x, n = counts.x[rows, None], counts.n[rows, None]
    if counts.family == "rate":
        return x + mean * strength, n - x + (1.0 - mean) * strength
    return x + mean * strength, n + strength


def label(
    shrunk: Floats,
    low: Floats,
    high: Floats,
    expected: Floats,
    own_weight: Floats,
    thresholds: Thresholds,
) -> NDArray[np.str_]:
    """How much an estimate bears: by the interval's width and the weight of the own data.

    The width is compared with the larger of estimate and cell mean, so that no orders from
    thousands of clicks, which is strong evidence, does not read as an infinitely wide interval.
    """
    half_width = (high - low) / 2.0 / np.maximum(shrunk, expected)
    conditions = [
        (half_width <= width) & (own_weight >= weight)
        for width, weight in zip(thresholds.half_widths, thresholds.own_weights, strict=True)
    ]
    return np.select(conditions, LABELS[:3], LABELS[3])


def estimate_cells(
    beliefs: Beliefs, *, level: float = 0.9, thresholds: Thresholds | None = None
) -> CellEstimates:
    """The mean of every cell's creators with its interval: the creator is the sampling unit."""
    wanted = thresholds or Thresholds()
    marginal = beliefs.weights.sum(axis=1)
    shrunk = (marginal * beliefs.mean).sum(axis=1)
    tail = (1.0 - level) / 2.0
    low = inverse_link(beliefs.family, grid_quantiles(beliefs.location, marginal, tail))
    high = inverse_link(beliefs.family, grid_quantiles(beliefs.location, marginal, 1.0 - tail))
    low, high = _holding(shrunk, low, high)
    certain = np.ones(len(shrunk))
    return CellEstimates(shrunk, low, high, label(shrunk, low, high, shrunk, certain, wanted))


def _holding(shrunk: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The interval, stretched to its estimate.

    Where creators are far apart and this one has sold nothing, nearly all of the posterior lies at
    nought and its mean, carried by a thin tail, beyond the quantile.
    """
    return np.minimum(low, shrunk), np.maximum(high, shrunk)


def grid_quantiles(grid: Floats, mass: Floats, level: float) -> Floats:
    """Quantile of each row's mass on an even grid, each point's mass spread over its step."""
    step = grid[1] - grid[0]
    steps = np.cumsum(mass, axis=1)
    steps /= steps[:, -1:]
    edges = np.concatenate(([grid[0] - step / 2], grid + step / 2))
    steps = np.concatenate((np.zeros((len(steps), 1)), steps), axis=1)
    return np.array([np.interp(level, row, edges) for row in steps])


def _top_chances(counts: Counts, beliefs: Beliefs, generator: np.random.Generator) -> Floats:
    """Chance of every row's unit to be among the highest tenth of all units.

    Each draw of the prior draws every unit's rate; where the tenth begins *for the others of a
    unit* is then known, and the chance to lie above it is exact. So a few draws are enough.
    """
    unit_row = np.repeat(np.arange(len(counts.x)), counts.units)
    top = len(unit_row) // round(1 / TOP_SHARE)
    strengths, locations = draw(beliefs, RANK_DRAWS, generator)
    s = beliefs.strength[strengths]
    chances = np.zeros(len(counts.x))
    for d in range(RANK_DRAWS):
        mean = beliefs.mean[locations[counts.cell, d]]
        first = counts.x + mean * s[d]
        if counts.family == "rate":
            second = counts.n - counts.x + (1.0 - mean) * s[d]
            rates = generator.beta(first[unit_row], second[unit_row])
        else:
            second = counts.n + s[d]
            rates = generator.gamma(first[unit_row]) / second[unit_row]
        highest = np.partition(rates, (len(rates) - top - 1, len(rates) - top))
        below, begin = highest[len(rates) - top - 1], highest[len(rates) - top]
        among = np.bincount(unit_row, weights=rates >= begin, minlength=len(chances))
        inside = among / counts.units
        # a unit inside leaves the others one place more: for it the tenth begins lower
        chances += 1.0 - inside * mixture.cumulative(
            counts.family, np.full(len(first), below), first, second
        )
        chances -= (1.0 - inside) * mixture.cumulative(
            counts.family, np.full(len(first), begin), first, second
        )
    return chances / RANK_DRAWS


def seed_of(name: str) -> int:
    """A seed that depends on a name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


__all__ = [
    "CellEstimates",
    "Thresholds",
    "UnitEstimates",
    "believe",
    "estimate_cells",
    "estimate_units",
    "label",
    "posterior",
    "seed_of",
]
