"""Simulated creators whose true rates are known, put through the estimators of the build.

A world says how true rates and clicks arise. One simulation draws creators from it, counts what
they would have sold, estimates as the build does, and scores the estimates against the truth and
against an oracle: somebody who knows the world's prior exactly and has only the same counts. The
oracle's error is what nobody can go below.

Every simulation has a seed of its own (world, number of creators, number of the simulation), so any
part can be run alone and gives the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from scipy import stats

from estimation.estimates import estimate_cells, estimate_units, seed_of
from estimation.hierarchy import (
    Beliefs,
    Counts,
    Family,
    Floats,
    Integers,
    believe,
    probability_higher,
)

SIZES = (30, 100, 500)
LEVEL = 0.9
_NORMAL = np.linspace(-5.0, 5.0, 601)


@dataclass(frozen=True)
class Tier:
    """One tier of a world.

    Attributes:
        share: Of the creators.
        quantile: Inverse distribution function of true rates, from (0, 1).
    """

    share: float
    quantile: Callable[[Floats], Floats]


@dataclass(frozen=True)
class World:
    """How creators arise.

    Attributes:
        name: Short name.
        sentence: What is so in it.
        tiers: At least one; the first is the reference tier.
        family: `rate` or `exposure`.
        median: Median clicks (or exposure) of a creator.
        spread: Standard deviation of their logarithm.
        are_equal: The tiers do not differ: any difference called is a false call.
        amount_spread: Standard deviation of the logarithm of an order's amount; None counts orders.
            Amounts have the mean 1, so true revenue and true orders are one number.
    """

    name: str
    sentence: str
    tiers: tuple[Tier, ...]
    family: Family = "rate"
    median: float = 40.0
    spread: float = 1.0
    are_equal: bool = False
    amount_spread: float | None = None


def _beta(mean: float, strength: float) -> Callable[[Floats], Floats]:
    return lambda u: np.asarray(stats.beta.ppf(u, mean * strength, (1.0 - mean) * strength))


def _gamma(mean: float, shape: float) -> Callable[[Floats], Floats]:
    return lambda u: np.asarray(stats.gamma.ppf(u, shape, scale=mean / shape))


def _logit_normal(mean: float, spread: float) -> Callable[[Floats], Floats]:
    return lambda u: np.asarray(
        1.0 / (1.0 + (1.0 - mean) / mean * np.exp(-spread * stats.norm.ppf(u)))
    )


def _stars(usual: float, star: float, share: float) -> Callable[[Floats], Floats]:
    return lambda u: np.where(u < 1.0 - share, usual, star)


def _same(rate: float) -> Callable[[Floats], Floats]:
    return lambda u: np.full(len(u), rate)


_EQUAL = tuple(Tier(share, _beta(0.02, 60.0)) for share in (0.55, 0.25, 0.15, 0.05))

WORLDS = (
    World(
        "usual", "true rates Beta with mean 2 %, median of 40 clicks", (Tier(1, _beta(0.02, 50)),)
    ),
    World(
        "alike", "creators nearly alike: mean 2 %, a seventh apart", (Tier(1, _beta(0.02, 2400)),)
    ),
    World("apart", "creators far apart: mean 5 %, some at nought", (Tier(1, _beta(0.05, 10)),)),
    World(
        "skewed",
        "as usual, but a few creators have most of the clicks",
        (Tier(1, _beta(0.02, 50)),),
        spread=1.8,
    ),
    World("other shape", "the logit of true rates is normal", (Tier(1, _logit_normal(0.02, 0.8)),)),
    World(
        "stars",
        "one in twenty converts 8 %, all others 1.5 %",
        (Tier(1, _stars(0.015, 0.08, 0.05)),),
    ),
    World("null", "all creators convert 2 %: nothing to find", (Tier(1, _same(0.02)),)),
    World(
        "tiers differ",
        "four tiers with means of 3, 2.2, 1.6 and 1 %",
        (
            Tier(0.55, _beta(0.03, 60)),
            Tier(0.25, _beta(0.022, 60)),
            Tier(0.15, _beta(0.016, 60)),
            Tier(0.05, _beta(0.01, 60)),
        ),
    ),
    World("tiers alike", "four tiers with one and the same prior", _EQUAL, are_equal=True),
    World(
        "exposure",
        "orders per 1,000 reach, Gamma with mean 0.4, median reach 5,000",
        (Tier(1, _gamma(0.4, 1.5)),),
        family="exposure",
        median=5.0,
    ),
    World(
        "revenue",
        "net sales per 1,000 reach, in mean orders: as exposure, amounts of an order vary by 80 %",
        (Tier(1, _gamma(0.4, 1.5)),),
        family="exposure",
        median=5.0,
        amount_spread=0.7,
    ),
)


@dataclass(frozen=True)
class Creators:
    """One draw of a world, (N,) each."""

    rate: Floats
    n: Floats
    orders: Floats
    x: Floats  # what is estimated from: orders, or net sales in units of `scale`
    scale: float
    tier: Integers


def draw_creators(world: World, size: int, seed: int) -> Creators:
    """Creators of a world with their counts."""
    luck = np.random.default_rng(seed)
    shares = np.array([tier.share for tier in world.tiers])
    # the same make-up in every simulation, no tier empty
    tier = np.repeat(np.arange(len(shares)), _apportioned(shares, size))
    u = luck.random(size)
    rate = np.empty(size)
    for index, kind in enumerate(world.tiers):
        rate[tier == index] = kind.quantile(u[tier == index])
    exposure = luck.lognormal(np.log(world.median), world.spread, size)
    if world.family == "rate":
        n = np.maximum(np.round(exposure), 1.0)
        orders = luck.binomial(n.astype(np.int64), rate)
    else:
        n = np.round(exposure, 3) + 0.001
        orders = luck.poisson(n * rate)
    x, scale = orders.astype(np.float64), 1.0
    if world.amount_spread is not None and orders.sum():
        spread = world.amount_spread
        amounts = luck.lognormal(-(spread**2) / 2.0, spread, orders.sum())
        owners = np.repeat(np.arange(size), orders)
        sales = np.bincount(owners, weights=amounts, minlength=size)
        # a sum of amounts varies as `scale` times a count: the rule of the macro amount_units
        scale = float((amounts**2).sum() / amounts.sum())
        x = sales / scale
    return Creators(rate=rate, n=n, orders=orders.astype(np.float64), x=x, scale=scale, tier=tier)


def _apportioned(shares: Floats, size: int) -> Integers:
    wanted = np.maximum((shares * size).astype(np.int64), 1)
    wanted[0] += size - wanted.sum()
    return wanted


def counted(world: World, creators: Creators) -> tuple[Counts, Integers]:
    """Sufficient statistics, and the row of each creator: what `counts_of` does in SQL."""
    keys = np.stack([creators.tier.astype(np.float64), creators.x, creators.n], axis=1)
    distinct, row, units = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    counts = Counts(
        family=world.family,
        x=distinct[:, 1].copy(),
        n=distinct[:, 2].copy(),
        units=units,
        cell=distinct[:, 0].astype(np.int64),
        platform=np.zeros(len(world.tiers), dtype=np.int64),
    )
    return counts, row.ravel()


def true_beta(rates: Floats, luck: Floats) -> tuple[float, float]:
    """The Beta of true rates by their mean and variance, the rates' own luck taken off."""
    mean = float(rates.mean())
    spread = float(rates.var(ddof=1) - luck.mean()) if len(rates) > 1 else 0.0
    strength = mean * (1.0 - mean) / max(spread, 1e-6) - 1.0
    return mean * strength, (1.0 - mean) * strength


def oracle(world: World, creators: Creators) -> Floats:
    """Posterior mean of each creator by the true prior and the orders, (N,)."""
    known = np.empty(len(creators.x))
    for index, kind in enumerate(world.tiers):
        rows = creators.tier == index
        rate, mass = _prior(kind.quantile)
        x, n = creators.orders[rows, None], creators.n[rows, None]
        if world.family == "rate":
            log_weight = x * np.log(rate) + (n - x) * np.log1p(-rate)
        else:
            log_weight = x * np.log(rate) - n * rate
        weight = mass * np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        known[rows] = (weight * rate).sum(axis=1) / weight.sum(axis=1)
    return known


@cache
def _prior(quantile: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """A prior as rates and their masses, even in the normal score so that tails are fine too."""
    mass = stats.norm.pdf(_NORMAL)
    return np.clip(quantile(stats.norm.cdf(_NORMAL)), 1e-12, None), mass / mass.sum()


SUMS = (
    "creators",
    "covered",
    "error",
    "error_squared",
    "oracle_squared",
    "raw_squared",
    "rate",
    "simulations",
    "rank",
    "rank_raw",
    "rank_oracle",
    "top_said",
    "top_was",
    "top_shown",
    "top_shown_raw",
    "top_true",
    "top_true_raw",
    "tiers",
    "tiers_covered",
    "tiers_covered_pooled",
    "pairs",
    "pairs_called",
    "pairs_called_right",
)
"""What is added up over simulations."""


@dataclass
class Tally:
    """Sums over simulations of one world and size."""

    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))

    def add(self, values: Mapping[str, float]) -> None:
        """Add one simulation or another tally's sums."""
        for name, value in values.items():
            self.sums[name] += value


def simulate(world: World, size: int, number: int) -> dict[str, float]:
    """One simulation's contribution to each of `SUMS`."""
    creators = draw_creators(world, size, seed_of(f"{world.name} {size} {number}"))
    counts, row = counted(world, creators)
    beliefs = believe(counts)
    units = estimate_units(counts, beliefs, level=LEVEL, seed=number)
    scale = creators.scale
    shrunk, top = units.shrunk[row] * scale, units.prob_top_decile[row]
    low, high = units.ci_low[row] * scale, units.ci_high[row] * scale
    known, raw, true = oracle(world, creators), creators.x / creators.n * scale, creators.rate
    is_top = true >= np.sort(true)[-max(size // 10, 1)]
    is_said = top >= 0.5
    first, first_raw = np.argsort(-shrunk)[:10], np.argsort(-raw)[:10]
    values = {
        "creators": float(size),
        "covered": float(((low <= true) & (true <= high)).sum()),
        "error": float((shrunk - true).sum()),
        "error_squared": float(((shrunk - true) ** 2).sum()),
        "oracle_squared": float(((known - true) ** 2).sum()),
        "raw_squared": float(((raw - true) ** 2).sum()),
        "rate": float(true.sum()),
        "simulations": 1.0,
        "top_said": float(top[is_said].sum()),
        "top_was": float(is_top[is_said].sum()),
        "top_shown": float(shrunk[first].mean()),
        "top_shown_raw": float(raw[first_raw].mean()),
        "top_true": float(true[first].mean()),
        "top_true_raw": float(true[first_raw].mean()),
    }
    if np.ptp(true) > 0:
        values["rank"] = rank_correlation(shrunk, true)
        values["rank_raw"] = rank_correlation(raw, true)
        values["rank_oracle"] = rank_correlation(known, true)
    if len(world.tiers) > 1:
        values |= _judge_tiers(world, counts, beliefs)
    return values


def _judge_tiers(world: World, counts: Counts, beliefs: Beliefs) -> dict[str, float]:
    """Are the tiers' means in their intervals, and which pairs with the first are called different?

    Beside it the usual mistake: an interval of all clicks of a tier together, as if each click were
    an independent unit.
    """
    cells = estimate_cells(beliefs, level=LEVEL)
    priors = [_prior(tier.quantile) for tier in world.tiers]
    true = np.array([(rate * mass).sum() for rate, mass in priors])
    clicks, events = counts.by_cell(counts.n), counts.by_cell(counts.x)
    ratio = events / clicks
    reach = stats.norm.ppf(0.5 + LEVEL / 2) * np.sqrt(ratio * (1.0 - ratio) / clicks)
    others = range(1, len(world.tiers))
    chances = np.array([probability_higher(beliefs, 0, other) for other in others])
    margin = (1.0 - LEVEL) / 2.0
    is_called = (chances < margin) | (chances > 1.0 - margin)
    return {
        "tiers": float(len(true)),
        "tiers_covered": float(((cells.ci_low <= true) & (true <= cells.ci_high)).sum()),
        "tiers_covered_pooled": float((np.abs(ratio - true) <= reach).sum()),
        "pairs": float(len(chances)),
        "pairs_called": float(is_called.sum()),
        "pairs_called_right": float((is_called & (chances > 0.5) & (not world.are_equal)).sum()),
    }


def rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's; 0 where one side has no order."""
    if not np.ptp(one) or not np.ptp(other):
        return 0.0
    return float(np.corrcoef(stats.rankdata(one), stats.rankdata(other))[0, 1])
