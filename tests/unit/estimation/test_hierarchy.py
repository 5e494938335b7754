"""The prior's uncertainty is summed out as slow quadrature would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from estimation.estimates import estimate_cells, estimate_units
from estimation.hierarchy import SPREADS, Counts, Family, believe, draw, probability_higher
from estimation.mixture import components


def counts_of(
    family: Family, x: list[float], n: list[float], cell: list[int], platform: list[int]
) -> Counts:
    return Counts(
        family=family,
        x=np.array(x, dtype=float),
        n=np.array(n, dtype=float),
        units=np.ones(len(x), dtype=np.int64),
        cell=np.array(cell),
        platform=np.array(platform),
    )


def test_one_cell_agrees_with_two_dimensional_quadrature() -> None:
    """Posterior mean and tails of each creator, integrated over (logit m, log s) by SciPy."""
    x, n = np.array([0, 1, 3, 0, 6]), np.array([10, 25, 40, 60, 50])
    typical = len(n) / (1 / n).sum()
    logit, log_strength = np.linspace(-7, 2, 121), np.linspace(-3, 16, 115)
    mean = (1 / (1 + np.exp(-logit)))[:, None]
    s = np.exp(log_strength)[None, :]
    share = s / (s + typical)
    density = 0.5 * np.log(mean * (1 - mean))  # Jeffreys, in the logit
    density = density + np.log(share * (1 - share))  # uniform shrinkage, in the logarithm
    for events, chances in zip(x, n, strict=True):
        density = density + stats.betabinom.logpmf(events, chances, mean * s, (1 - mean) * s)
    density = np.exp(density - density.max())

    def average(values: np.ndarray) -> float:
        over = [
            integrate.trapezoid(integrate.trapezoid(part, log_strength, axis=1), logit)
            for part in (density * values, density)
        ]
        return float(over[0] / over[1])

    counts = counts_of("rate", list(x), list(n), [0] * 5, [0])
    units = estimate_units(counts, believe(counts))
    for one in (0, 2, 4):
        first, second = x[one] + mean * s, n[one] - x[one] + (1 - mean) * s
        assert units.shrunk[one] == pytest.approx(average(first / (first + second)), rel=0.01)
        for end, level in ((units.ci_low[one], 0.05), (units.ci_high[one], 0.95)):
            below = average(stats.beta.cdf(end, first, second))
            assert below == pytest.approx(level, abs=0.006)


@pytest.mark.parametrize("family", ["rate", "exposure"])
def test_a_tree_of_tiers_and_platforms_agrees_with_the_whole_sum(family: Family) -> None:
    """Two platforms of two tiers: messages along the tree against one sum over every grid."""
    counts = counts_of(family, [1, 4, 0, 2, 9], [20, 30, 25, 40, 50], [0, 1, 2, 3, 3], [0, 0, 1, 1])
    beliefs = believe(counts)
    tree = beliefs.tree
    expected = np.zeros_like(beliefs.weights)
    root_prior = np.exp(
        0.5 * np.log(beliefs.mean * (1 - beliefs.mean))
        if family == "rate"
        else 0.5 * beliefs.location
    )
    evidence = tree.root.sum(axis=(1, 2, 3))
    for k in range(len(beliefs.strength)):
        joint = np.zeros((4, len(beliefs.location)))
        for t in range(len(SPREADS)):
            for u in range(len(SPREADS)):
                # root, both platforms, all four cells: everything but one cell summed away
                down = tree.lower[t]
                for one in range(4):
                    own, other = (0, 1) if one < 2 else (1, 0)
                    sibling = {0: 1, 1: 0, 2: 3, 3: 2}[one]
                    cousins = (2, 3) if one < 2 else (0, 1)
                    assert tree.platform_of_cell[one] == own != other
                    across = tree.upper[u] @ (
                        (down @ tree.cell[cousins[0], k]) * (down @ tree.cell[cousins[1], k])
                    )
                    at_platform = (root_prior * across) @ tree.upper[u]
                    at_platform = at_platform * (down @ tree.cell[sibling, k])
                    joint[one] += (at_platform @ down) * tree.cell[one, k]
        expected[:, k] = joint / joint.sum(axis=1, keepdims=True) * evidence[k]
    assert beliefs.weights == pytest.approx(expected, abs=1e-12)


def test_joint_draws_agree_with_the_exact_sums() -> None:
    counts = counts_of("rate", [1, 4, 0, 2, 9], [20, 30, 25, 40, 50], [0, 1, 2, 0, 1], [0, 0, 0])
    beliefs = believe(counts)
    _, locations = draw(beliefs, 40_000, np.random.default_rng(1))
    mean = (beliefs.weights.sum(axis=1) * beliefs.mean).sum(axis=1)
    assert beliefs.mean[locations].mean(axis=1) == pytest.approx(mean, rel=0.02)
    higher = (locations[1] > locations[0]).mean() + 0.5 * (locations[1] == locations[0]).mean()
    assert probability_higher(beliefs, 1, 0) == pytest.approx(higher, abs=0.01)


def test_with_a_known_prior_the_estimate_is_the_textbooks() -> None:
    """Thousands of creators leave no doubt about Beta(2, 98): (x + 2) / (n + 100)."""
    luck = np.random.default_rng(5)
    n = luck.integers(20, 80, 20_000).astype(float)
    x = luck.binomial(n.astype(int), luck.beta(2.0, 98.0, len(n))).astype(float)
    counts = counts_of("rate", list(x), list(n), [0] * len(n), [0])
    shown = np.array([0, 1, 2, 3])
    few = Counts(
        "rate", x[shown], n[shown], np.ones(4, dtype=np.int64), shown * 0, np.zeros(1, int)
    )
    mean, strength, weights = components(believe(counts), 0)
    first, second = few.x[:, None] + mean * strength, few.n[:, None] + strength
    assert (first / second * weights).sum(axis=1) == pytest.approx(
        (few.x + 2) / (few.n + 100), rel=0.04
    )


def test_an_unknown_rate_per_exposure_agrees_with_the_textbooks() -> None:
    """Gamma(shape 3, rate 2): (x + 3) / (n + 2)."""
    luck = np.random.default_rng(6)
    n = luck.uniform(0.5, 6.0, 4_000)
    x = luck.poisson(n * luck.gamma(3.0, 0.5, len(n))).astype(float)
    counts = counts_of("exposure", list(x), list(n), [0] * len(n), [0])
    mean, strength, weights = components(believe(counts), 0)
    shrunk = ((7 + mean * strength) / (1.5 + strength) * weights).sum()
    assert shrunk == pytest.approx(10 / 3.5, rel=0.04)


def test_no_clicks_by_anybody_still_has_an_answer() -> None:
    counts = counts_of("rate", [0, 0, 0], [3, 5, 8], [0, 0, 1], [0, 0])
    units = estimate_units(counts, believe(counts), seed=1)
    assert (units.ci_low < units.shrunk).all()
    assert (units.shrunk < units.ci_high).all()
    assert units.ci_high[2] < 0.3
    assert set(units.reliability) == {"insufficient"}


def test_everybody_buying_still_has_an_answer() -> None:
    counts = counts_of("rate", [3, 5, 8], [3, 5, 8], [0, 0, 1], [0, 0])
    units = estimate_units(counts, believe(counts))
    assert (units.shrunk > 0.6).all()
    assert (units.ci_high <= 1.0).all()


def test_a_tier_of_one_creator_leans_on_the_others() -> None:
    many = ([2.0] * 40, [100.0] * 40, [0] * 40)
    alone = counts_of("rate", [*many[0], 1], [*many[1], 2], [*many[2], 1], [0, 0])
    cells = estimate_cells(believe(alone))
    assert 0.018 < cells.shrunk[0] < 0.022
    assert cells.shrunk[1] < 0.25  # the raw rate is 0.5
    assert cells.ci_high[1] - cells.ci_low[1] > 5 * (cells.ci_high[0] - cells.ci_low[0])
