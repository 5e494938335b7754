"""The prior of every cell (tier on a platform), with its uncertainty, by exact sums over grids.

Units are creators; unit i of cell c has x_i events in n_i chances or units of exposure.

    rate        x_i ~ Binomial(n_i, p_i),  p_i ~ Beta(m_c s, (1 - m_c) s)
    exposure    x_i ~ Poisson(n_i p_i),    p_i ~ Gamma(shape m_c s, rate s)
    cell        g(m_c) ~ Normal(platform's location, t),  g = logit (rate) or log (exposure)
    platform    g(platform's location) ~ Normal(location of all, u)

A cell with many creators speaks for itself; a cell with one leans on its platform, a platform with
few on all: there is no number of creators at which the rule changes. The strength s has the
uniform-shrinkage prior: s / (s + n0) is uniform, n0 being the harmonic mean of n (Christiansen and
Morris, 1997). t and u have equal weight on `SPREADS`; the location of all has Jeffreys' prior.

Nothing is plugged in: s, t, u and all locations are summed out over grids. A tree of cells,
platforms and one root makes that exact at the cost of a few matrix products (belief propagation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit

Family = Literal["rate", "exposure"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SPREADS = np.array([0.2, 0.4, 0.8, 1.6])
"""Standard deviations allowed between the cells of a platform and between platforms (log scale)."""

_NO_SPREAD = np.zeros(1)

_STRENGTH_COUNT = 15
_LOCATION_COUNTS = (61, 241)


@dataclass(frozen=True)
class Counts:
    """Counts of one population, as sufficient statistics: equal units of a cell are one row.

    Attributes:
        family: `rate` (x of n) or `exposure` (x per n).
        x: Events; for a rate at most n.
        n: Chances or exposure, above 0.
        units: How many units have these counts.
        cell: Index of the cell.
        platform: Platform index of each *cell*.
    """

    family: Family
    x: Floats
    n: Floats
    units: Integers
    cell: Integers
    platform: Integers

    @property
    def cell_count(self) -> int:
        """Cells, also those without units."""
        return len(self.platform)

    def by_cell(self, values: Floats) -> Floats:
        """Sum of a value over the units of each cell."""
        weights = np.asarray(values * self.units, dtype=np.float64)
        return np.bincount(self.cell, weights=weights, minlength=self.cell_count).astype(np.float64)


@dataclass(frozen=True)
class Beliefs:
    """What is known of strength and locations after all counts.

    Attributes:
        family: As in the counts.
        strength: Grid of s, (K,).
        location: Grid of g(m), (J,).
        weights: Posterior of (s, location) of each cell, (C, K, J); sums to 1 a cell.
        tree: The messages that joint draws need.
    """

    family: Family
    strength: Floats
    location: Floats
    weights: Floats
    tree: _Tree

    @property
    def mean(self) -> Floats:
        """Grid of m, (J,)."""
        return inverse_link(self.family, self.location)


@dataclass(frozen=True)
class _Tree:
    lower: Floats  # (T, J, J): from a platform's location to a cell's
    upper: Floats  # (U, J, J): from the location of all to a platform's
    cell: Floats  # (C, K, J): likelihood
    message: Floats  # (C, K, T, J): likelihood of the platform's location by one cell
    platform: Floats  # (P, K, T, J): by all its cells
    belief: Floats  # (P, K, T, J): posterior of the platform's location
    root: Floats  # (K, T, U, J): posterior
    platform_of_cell: Integers


def link(family: Family, mean: Floats) -> Floats:
    """Logit of a rate, log of an intensity."""
    return np.asarray(logit(mean) if family == "rate" else np.log(mean))


def inverse_link(family: Family, location: Floats) -> Floats:
    """The mean at a location."""
    return np.asarray(expit(location) if family == "rate" else np.exp(location))


def log_likelihood(counts: Counts, strength: Floats, location: Floats) -> Floats:
    """Log marginal likelihood of each cell, (C, K, J), up to a constant of the counts.

    Args:
        strength: s, (K,).
        location: g(m), (J,) for all cells or (C, J) for each its own.
    """
    own = location if location.ndim == 2 else np.broadcast_to(location, (1, len(location)))
    mean = inverse_link(counts.family, own)[:, None, :]
    first = mean * strength[None, :, None]  # (1 or C, K, J)
    total = _summed(counts, counts.x, first, lambda x, a: gammaln(x + a) - gammaln(a))
    if counts.family == "rate":
        second = (1.0 - mean) * strength[None, :, None]
        total += _summed(
            counts, counts.n - counts.x, second, lambda x, b: gammaln(x + b) - gammaln(b)
        )
        growth = gammaln(counts.n[:, None] + strength) - gammaln(strength)
        for k in range(len(strength)):
            total[:, k, :] -= counts.by_cell(growth[:, k])[:, None]
        return total
    for k, rate in enumerate(strength):
        kept = np.log(rate / (rate + counts.n))
        lost = counts.x * np.log1p(counts.n / rate) + counts.x * np.log(rate)
        total[:, k, :] += counts.by_cell(kept)[:, None] * first[:, k, :]
        total[:, k, :] -= counts.by_cell(lost)[:, None]
    return total


def _summed(counts: Counts, values: Floats, shape: Floats, term: object) -> Floats:
    """Sum over a cell's units of term(value, shape), evaluated once a distinct value."""
    distinct, inverse = np.unique(values, return_inverse=True)
    how_many = np.zeros((counts.cell_count, len(distinct)))
    np.add.at(how_many, (counts.cell, inverse), counts.units)
    total = np.zeros((counts.cell_count, *shape.shape[1:]))
    for index, value in enumerate(distinct):
        if value == 0:
            continue  # the term of nothing is nothing
        cells = np.flatnonzero(how_many[:, index])
        at = shape if len(shape) == 1 else shape[cells]
        total[cells] += how_many[cells, index][:, None, None] * term(value, at)  # type: ignore[operator]
    return total


def believe(counts: Counts) -> Beliefs:
    """Sum strength, spreads and locations out; see the module's page.

    Raises:
        ValueError: No units.
    """
    if len(counts.x) == 0:
        raise ValueError("no counts to learn a prior from")
    strength, prior = _strengths(counts)
    location = _locations(counts, strength)
    log_cells = log_likelihood(counts, strength, location)
    platform_count = int(counts.platform.max()) + 1
    # where each platform is one cell, or there is one platform, that level has nothing to spread
    lower = _kernels(location, SPREADS if counts.cell_count > platform_count else _NO_SPREAD)
    upper = _kernels(location, SPREADS if platform_count > 1 else _NO_SPREAD)

    peaks = log_cells.max(axis=2, keepdims=True)
    cell = np.exp(log_cells - peaks)
    evidence = peaks[:, :, 0].sum(axis=0)  # (K,)

    to_platform = np.einsum("tij,ckj->ckti", lower, cell)
    with np.errstate(divide="ignore"):
        log_messages = np.log(to_platform)
    log_platform = np.zeros((platform_count, *log_messages.shape[1:]))
    np.add.at(log_platform, counts.platform, log_messages)
    peaks = log_platform.max(axis=3, keepdims=True)
    platform = np.exp(log_platform - peaks)  # (P, K, T, J)
    to_root = np.einsum("uij,pktj->pktui", upper, platform)
    with np.errstate(divide="ignore"):
        log_root = np.log(to_root).sum(axis=0)  # (K, T, U, J)
    log_root += evidence[:, None, None, None] + peaks[:, :, :, 0].sum(axis=0)[:, :, None, None]
    log_root += np.log(prior)[:, None, None, None] + _log_location_prior(counts.family, location)
    root = np.exp(log_root - log_root.max())
    root /= root.sum()

    cavity = _divided(root[None], to_root)  # (P, K, T, U, J)
    to_children = np.einsum("uij,pktui->pktj", upper, cavity)
    belief = to_children * platform  # (P, K, T, J)
    cavity = _divided(belief[counts.platform], to_platform)
    weights = np.einsum("tij,ckti->ckj", lower, cavity) * cell
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    return Beliefs(
        family=counts.family,
        strength=strength,
        location=location,
        weights=weights,
        tree=_Tree(lower, upper, cell, to_platform, platform, belief, root, counts.platform),
    )


def _divided(above: Floats, below: Floats) -> Floats:
    """Quotient, 0 where both are: a message that vanished carries no weight either way."""
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)


def _log_location_prior(family: Family, location: Floats) -> Floats:
    """Jeffreys' prior of the mean, as a density of its location."""
    if family == "rate":
        mean = expit(location)
        return np.asarray(0.5 * np.log(mean * (1.0 - mean)))
    return 0.5 * location


def _kernels(location: Floats, spreads: Floats) -> Floats:
    distance = location[None, :] - location[:, None]
    kernels = np.empty((len(spreads), len(location), len(location)))
    for index, spread in enumerate(spreads):
        if spread == 0:
            kernels[index] = np.eye(len(location))
        else:
            kernels[index] = np.exp(-0.5 * (distance / spread) ** 2)
            kernels[index] /= kernels[index].sum(axis=1, keepdims=True)
    return kernels


def _strengths(counts: Counts) -> tuple[Floats, Floats]:
    """Grid of s around its likely values, and the uniform-shrinkage prior's weights on it.

    A wide pass with each cell's location at its ratio (the moment estimate) finds where s can be.
    """
    typical = counts.units.sum() / (counts.units / counts.n).sum()
    highest = max(float(np.log(counts.n.max() / typical)), 0.0) + 9.0
    wide = np.arange(-7.0, highest + 0.5, 0.5)
    centre = link(counts.family, _ratios(counts))[:, None]
    profile = log_likelihood(counts, typical * np.exp(wide), centre)[:, :, 0].sum(axis=0)
    profile += _log_shrinkage_prior(wide)
    likely = np.flatnonzero(profile > profile.max() - 10.0)
    ends = wide[max(likely[0] - 1, 0)], wide[min(likely[-1] + 1, len(wide) - 1)]
    chosen = np.linspace(*ends, _STRENGTH_COUNT)
    return typical * np.exp(chosen), np.exp(_log_shrinkage_prior(chosen))


def _log_shrinkage_prior(log_ratio: Floats) -> Floats:
    """Density of log(s / n0) when s / (s + n0) is uniform: the logistic one."""
    return np.asarray(np.log(expit(log_ratio)) + np.log(expit(-log_ratio)))


def _ratios(counts: Counts) -> Floats:
    """Events over chances of each cell, kept off the edges by half an event."""
    events, chances = counts.by_cell(counts.x), counts.by_cell(counts.n)
    if counts.family == "rate":
        return np.asarray((events + 0.5) / (chances + 1.0))
    pooled = events.sum() / chances.sum() if events.sum() else 1.0 / chances.sum()
    return np.asarray((events + 0.5) / (chances + 0.5 / pooled))


def _locations(counts: Counts, strength: Floats) -> Floats:
    """Grid of locations: each cell's ratio and some standard errors, in half steps of the least."""
    mean, chances = _ratios(counts), counts.by_cell(counts.n)
    centre = link(counts.family, mean)
    spread = mean * (1.0 - mean) if counts.family == "rate" else mean
    errors = []
    for s in (strength[0], strength[-1]):
        inflation = 1.0 + np.maximum(counts.n - 1.0, 0.0) / (s + 1.0)
        if counts.family == "exposure":
            inflation = 1.0 + counts.n / s
        # of the better of two estimators: the ratio, and the mean of units
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = 1.0 / counts.by_cell(counts.n / inflation)
        slope = spread if counts.family == "rate" else mean
        errors.append(np.sqrt(variance * spread) / slope)
    filled = chances > 0
    widest, narrowest = np.fmax(*errors)[filled], np.fmin(*errors)[filled]
    middle = float(link(counts.family, np.atleast_1d(_pooled(counts)))[0])
    reach = np.minimum(4.5 * widest, 6.0)
    low = max(float((centre[filled] - reach).min()), middle - 9.0)
    high = min(float((centre[filled] + reach).max()), middle + 9.0)
    step = 0.5 * float(narrowest.min())
    size = int(np.clip(np.ceil((high - low) / step), *_LOCATION_COUNTS))
    return np.linspace(low, high, size)


def _pooled(counts: Counts) -> float:
    events, chances = float(counts.by_cell(counts.x).sum()), float(counts.by_cell(counts.n).sum())
    if counts.family == "rate":
        return (events + 0.5) / (chances + 1.0)
    return (events + 0.5) / chances


def probability_higher(beliefs: Beliefs, cell: int, other: int) -> float:
    """Chance that a cell's mean is above another's of the same platform; a tie counts half.

    Given strength, spread and the platform's location the two are independent, so it is summed
    over those; what has less than a fiftieth of the best one's weight is left out.
    """
    tree = beliefs.tree
    parent = tree.platform_of_cell[cell]
    cavity = _divided(tree.belief[parent], tree.message[cell])
    cavity = _divided(cavity, tree.message[other])
    joint = cavity * tree.message[cell] * tree.message[other]  # (K, T, J)
    weights = joint.sum(axis=2)
    chance = total = 0.0
    for k, t in np.argwhere(weights > 0.02 * weights.max()):
        at = np.flatnonzero(joint[k, t] > 1e-4 * joint[k, t].max())
        kernel = tree.lower[t][at]
        two = kernel * tree.cell[other, k]
        below = np.cumsum(two, axis=1) - 0.5 * two
        below *= kernel * tree.cell[cell, k]
        chance += float((cavity[k, t][at] * below.sum(axis=1)).sum())
        total += float(weights[k, t])
    return chance / total


def draw(beliefs: Beliefs, size: int, generator: np.random.Generator) -> tuple[Integers, Integers]:
    """Joint draws of the strength's index, (D,), and every cell's location index, (C, D)."""
    tree = beliefs.tree
    flat = generator.choice(tree.root.size, size=size, p=tree.root.ravel())
    k, t, u, top = np.unravel_index(flat, tree.root.shape)
    middle = np.empty((len(tree.platform), size), dtype=np.int64)
    for index in range(len(tree.platform)):
        mass = tree.upper[u, top] * tree.platform[index, k, t]
        middle[index] = _drawn(mass, generator)
    locations = np.empty((len(tree.cell), size), dtype=np.int64)
    for index, parent in enumerate(tree.platform_of_cell):
        mass = tree.lower[t, middle[parent]] * tree.cell[index, k]
        locations[index] = _drawn(mass, generator)
    return k.astype(np.int64), locations


def _drawn(mass: Floats, generator: np.random.Generator) -> Integers:
    """One column index a row, with probability proportional to the row's mass."""
    steps = np.cumsum(mass, axis=1)
    luck = generator.random(len(mass)) * steps[:, -1]
    found = (steps <= luck[:, None]).sum(axis=1)
    return np.asarray(np.minimum(found, mass.shape[1] - 1), dtype=np.int64)
