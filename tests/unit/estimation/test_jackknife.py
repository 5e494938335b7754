"""Ratios over creators: the numbers by hand, and how often intervals hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from estimation.jackknife import comparison_intervals, ratio_intervals, slopes


def test_a_ratio_of_sums_and_a_mean_of_ratios_are_two_numbers() -> None:
    found = ratio_intervals(
        np.array([0, 0, 1]),
        np.array([1.0, 8.0, 3.0]),
        np.array([10.0, 20.0, 6.0]),
        is_share=np.array([False, False]),
        level=0.9,
        least=2,
    )
    assert found.value == pytest.approx([0.3, 0.5])
    assert found.mean == pytest.approx([0.25, 0.5])
    assert found.creators.tolist() == [2, 1]
    assert found.low[0] < 0.3 < found.high[0]
    assert np.isnan(found.low[1])  # one creator has no spread


def test_two_creators_by_hand() -> None:
    """Left out in turn: log(8.5 / 20) and log(1.5 / 10), half an event added.

    Their distance is 1.041454; with two the error is half of it. The effective number of creators
    is 30² / (10² + 20²) = 1.8, so Student's t has the least degrees of freedom, 1: 6.313752.
    The centre is log(9.5 / 30) = -1.149906.
    """
    found = ratio_intervals(
        np.array([0, 0]),
        np.array([1.0, 8.0]),
        np.array([10.0, 20.0]),
        is_share=np.array([False]),
        level=0.9,
        least=2,
    )
    reach = 1.0414539 / 2 * 6.3137515
    assert found.low[0] == pytest.approx(np.exp(-1.1499055 - reach), rel=1e-6)
    assert found.high[0] == pytest.approx(np.exp(-1.1499055 + reach), rel=1e-6)


def test_a_share_stays_between_nought_and_one() -> None:
    found = ratio_intervals(
        np.zeros(5, dtype=np.int64),
        np.array([9.0, 10.0, 10.0, 10.0, 7.0]),
        np.full(5, 10.0),
        is_share=np.array([True]),
        level=0.9,
        least=3,
    )
    assert 0 < found.low[0] < 0.92 < found.high[0] < 1


def test_too_few_creators_and_no_events_have_no_interval() -> None:
    found = ratio_intervals(
        np.array([0, 0, 1, 1, 1]),
        np.array([1.0, 2.0, 0.0, 0.0, 0.0]),
        np.full(5, 10.0),
        is_share=np.array([False, False]),
        level=0.9,
        least=3,
    )
    assert np.isnan(found.low).all()
    assert found.value == pytest.approx([0.15, 0.0])


@pytest.mark.parametrize(
    ("creators", "sigma", "least_cover", "most_cover"),
    [(3, 1.2, 0.89, 0.96), (10, 1.2, 0.88, 0.94), (30, 1.2, 0.87, 0.93), (30, 0.6, 0.86, 0.92)],
)
def test_intervals_hold_the_truth_nine_times_in_ten(
    creators: int, sigma: float, least_cover: float, most_cover: float
) -> None:
    luck = np.random.default_rng(creators)
    cells, truth = 3_000, 0.03
    size = cells * creators
    chances = np.maximum(np.floor(luck.lognormal(6.0, sigma, size)), 1.0)
    rates = luck.gamma(3.0, truth / 3.0, size)
    events = luck.poisson(rates * chances).astype(float)
    found = ratio_intervals(
        np.repeat(np.arange(cells), creators),
        events,
        chances,
        is_share=np.zeros(cells, dtype=bool),
        level=0.9,
        least=3,
    )
    told = ~np.isnan(found.low)
    held = (found.low[told] <= truth) & (truth <= found.high[told])
    assert least_cover <= held.mean() <= most_cover


def test_the_comparison_divides_two_ratios_of_the_same_creators() -> None:
    found = comparison_intervals(
        np.zeros(3, dtype=np.int64),
        np.array([10.0, 12.0, 9.0]),
        np.full(3, 100.0),
        np.array([20.0, 22.0, 21.0]),
        np.full(3, 100.0),
        size=1,
        level=0.9,
        least=3,
    )
    assert found.value[0] == pytest.approx(31 / 63)
    assert found.low[0] < 31 / 63 < found.high[0]


def test_the_slope_is_the_elasticity_that_was_put_in() -> None:
    followers = np.array([1e3, 1e4, 1e5, 1e6])
    engaged = 1e9 * followers**-0.3
    found = slopes(
        np.zeros(4, dtype=np.int64),
        engaged,
        np.full(4, 1e9),
        followers,
        size=1,
        level=0.9,
        least=3,
    )
    assert found.slope[0] == pytest.approx(-0.3, abs=1e-6)
    assert found.creators[0] == 4


def test_slopes_hold_the_truth_nine_times_in_ten() -> None:
    luck = np.random.default_rng(4)
    cells, creators = 2_000, 25
    size = cells * creators
    followers = luck.lognormal(8.0, 1.5, size)
    spread = 0.2 + 0.1 * np.log(followers) / 8
    typical = followers**-0.15 * np.exp(spread * luck.normal(size=size))
    events = luck.poisson(typical * 2_000).astype(float)
    found = slopes(
        np.repeat(np.arange(cells), creators),
        events,
        np.full(size, 2_000.0),
        followers,
        size=cells,
        level=0.9,
        least=3,
    )
    held = (found.low <= -0.15) & (found.high >= -0.15)
    assert 0.87 <= held.mean() <= 0.93
