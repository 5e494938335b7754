"""Exact quantiles of mixtures of Beta or Gamma distributions.

The posterior of one creator's rate, given counts and beliefs about the prior, is such a mixture:
one component for each (strength, mean) on a small grid. Moment-matching one Beta to it covers too
little, and so does a normal on the logit; the distribution function itself is cheap, so the
quantile is found where it says.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from estimation.hierarchy import Beliefs, Family, Floats, inverse_link

TOLERANCE = 1e-11
"""How far the distribution function at a quantile may be from its level."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def components(beliefs: Beliefs, cell: int) -> tuple[Floats, Floats, Floats]:
    """Means, strengths and weights of a cell's prior, few enough to sum over, (H,) each.

    For each likely strength the posterior of the location becomes the five nodes of Gauss and
    Hermite with its mean and variance.
    """
    joint = beliefs.weights[cell]
    marginal = joint.sum(axis=1)
    kept = np.flatnonzero(marginal > 1e-4 * marginal.max())
    conditional = joint[kept] / marginal[kept, None]
    centre = (conditional * beliefs.location).sum(axis=1)
    distance = beliefs.location[None, :] - centre[:, None]
    width = np.sqrt((conditional * distance**2).sum(axis=1))
    location = (centre[:, None] + width[:, None] * _NODES).ravel()
    weights = (marginal[kept, None] * _WEIGHTS).ravel()
    strength = np.repeat(beliefs.strength[kept], len(_NODES))
    return inverse_link(beliefs.family, location), strength, weights / weights.sum()


def cumulative(family: Family, value: Floats, first: Floats, second: Floats) -> Floats:
    """Distribution function of Beta(first, second) or of Gamma(shape first, rate second)."""
    if family == "rate":
        return np.asarray(special.betainc(first, second, value))
    return np.asarray(special.gammainc(first, second * value))


def density(family: Family, value: Floats, first: Floats, second: Floats) -> Floats:
    """Density of the same."""
    if family == "rate":
        log_density = special.xlogy(first - 1.0, value) + special.xlog1py(second - 1.0, -value)
        return np.asarray(np.exp(log_density - special.betaln(first, second)))
    log_density = special.xlogy(first - 1.0, value) - second * value
    return np.asarray(np.exp(log_density + first * np.log(second) - special.gammaln(first)))


def moments(
    family: Family, first: Floats, second: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Mean and variance of each mixture; shapes (U, H), (U, H), (H,) or (U, H) give (U,)."""
    if family == "rate":
        mean = first / (first + second)
        variance = mean * (1.0 - mean) / (first + second + 1.0)
    else:
        mean = first / second
        variance = mean / second
    middle = (weights * mean).sum(axis=1)
    return middle, (weights * (variance + (mean - middle[:, None]) ** 2)).sum(axis=1)


def quantiles(
    family: Family, first: Floats, second: Floats, weights: Floats, level: float
) -> Floats:
    """The value of each mixture at which its distribution function is `level`.

    Newton's steps from the quantile of the moment-matched single distribution, kept between bounds
    that the function itself has shown; a step that leaves them is halved instead.

    Args:
        first: Parameters of the components, (U, H).
        second: Likewise.
        weights: Of the components, (H,) or (U, H), summing to 1.
        level: Between 0 and 1.
    """
    weights = np.broadcast_to(weights, first.shape)
    mean, variance = moments(family, first, second, weights)
    value = _start(family, mean, variance, level)
    low = np.zeros_like(value)
    high = np.ones_like(value) if family == "rate" else np.full_like(value, np.inf)
    smallest = np.finfo(float).tiny
    active = np.arange(len(value))
    for _ in range(200):
        at = value[active, None]
        excess = (weights[active] * cumulative(family, at, first[active], second[active])).sum(
            axis=1
        )
        excess -= level
        above = excess > 0
        high[active] = np.where(above, value[active], high[active])
        low[active] = np.where(above, low[active], value[active])
        running = np.abs(excess) > TOLERANCE
        running &= high[active] - low[active] > 4e-16 * value[active]
        active, excess = active[running], excess[running]
        if not len(active):
            break
        at = value[active]
        slope = (weights[active] * density(family, at[:, None], first[active], second[active])).sum(
            axis=1
        )
        # in log(value): rates lie within decades of nought
        step = at * np.exp(np.clip(-excess / np.maximum(at * slope, smallest), -3.0, 3.0))
        bounded = np.isfinite(high[active])
        middle = np.where(
            bounded,
            np.sqrt(np.maximum(low[active], smallest) * np.where(bounded, high[active], 1.0)),
            at * 4.0,
        )
        inside = (step > low[active]) & (step < high[active]) & np.isfinite(step)
        value[active] = np.where(inside, step, middle)
    return value


def _start(family: Family, mean: Floats, variance: Floats, level: float) -> Floats:
    """Quantile of the single Beta or Gamma with these moments."""
    if family == "rate":
        strength = np.maximum(mean * (1.0 - mean) / variance - 1.0, 1e-3)
        start = special.betaincinv(mean * strength, (1.0 - mean) * strength, level)
        return np.asarray(np.clip(start, 1e-12, 1.0 - 1e-12))
    shape = mean**2 / variance
    start = special.gammaincinv(shape, level) * variance / mean
    return np.asarray(np.maximum(start, 1e-12 * mean))
