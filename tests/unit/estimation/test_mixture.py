"""Quantiles are those of the mixture itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from estimation import mixture

LEVELS = (0.001, 0.05, 0.5, 0.95, 0.999)


@pytest.mark.parametrize("level", LEVELS)
def test_the_quantile_of_one_beta_is_its_own(level: float) -> None:
    first, second = np.array([[0.3], [2.0], [41.0]]), np.array([[40.0], [2.0], [1960.0]])
    found = mixture.quantiles("rate", first, second, np.array([1.0]), level)
    assert found == pytest.approx(stats.beta.ppf(level, first, second)[:, 0], rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", ["rate", "exposure"])
def test_the_distribution_function_at_a_quantile_is_its_level(family: str, level: float) -> None:
    luck = np.random.default_rng(3)
    first = np.exp(luck.uniform(-1.5, 6.0, (60, 40)))
    second = np.exp(luck.uniform(-1.0, 9.0, (60, 40)))
    weights = luck.dirichlet(np.ones(40))
    found = mixture.quantiles(family, first, second, weights, level)
    laws = stats.beta(first, second) if family == "rate" else stats.gamma(first, scale=1.0 / second)
    assert (laws.cdf(found[:, None]) * weights).sum(axis=1) == pytest.approx(level, abs=1e-9)


def test_two_components_far_apart_keep_both_in_the_interval() -> None:
    first, second = np.array([[20.0, 2000.0]]), np.array([[1980.0, 2000.0]])
    weights = np.array([0.9, 0.1])
    low = mixture.quantiles("rate", first, second, weights, 0.05)[0]
    high = mixture.quantiles("rate", first, second, weights, 0.95)[0]
    assert low < 0.01
    assert 0.49 < high < 0.51  # half of the second's 10 %: its median
