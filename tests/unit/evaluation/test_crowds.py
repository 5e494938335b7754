"""Crowds: what is counted of the truth, and figures that can be known beforehand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evaluation import crowds
from evaluation.crowds import Crowds, World
from evaluation.simulation import rank_correlation


def test_creators_who_are_all_alike_are_covered_and_seldom_called_different() -> None:
    """Twelve crowds of eighty creators, all at 20 %, ten clickers each."""
    luck = np.random.default_rng(5)
    clickers = np.full((12, 80), 10.0)
    buyers = luck.binomial(10, 0.2, (12, 80)).astype(float)
    tier = np.repeat(np.arange(4), 20)
    found = crowds.score(World("by hand", 12, are_alike=True), clickers, buyers, tier)
    assert (found.crowds, found.creators, found.clickers) == (12, 80.0, 10.0)
    assert found.pairs == 36
    assert found.called <= 4
    assert found.called_right is None
    assert found.coverage > 0.9
    assert (found.rank, found.rank_oracle, found.rank_raw) == (None, None, None)
    assert abs(found.bias) < 0.02


def test_tiers_far_apart_are_called_the_right_way_round() -> None:
    luck = np.random.default_rng(6)
    tier = np.repeat(np.arange(4), 20)
    rate = np.array([0.5, 0.2, 0.2, 0.2])[tier]
    clickers = np.full((6, 80), 20.0)
    buyers = luck.binomial(20, rate, (6, 80)).astype(float)
    found = crowds.score(World("by hand", 6), clickers, buyers, tier)
    assert (found.pairs, found.called, found.called_right) == (18, 18, 18)


def test_ranks_are_told_where_creators_differ() -> None:
    """Every crowd says the truth: raw rates of equal counts rank as they do."""
    tier = np.repeat(np.arange(4), 20)
    buyers = np.tile(np.arange(1.0, 81.0), (3, 1))
    found = crowds.score(World("by hand", 3), np.full((3, 80), 200.0), buyers, tier)
    assert found.rank_raw == 1.0
    assert found.rank is not None
    assert 0.99 < found.rank <= 1.0


def test_rank_correlation_is_spearmans() -> None:
    """1 - 6 (0 + 1 + 1) / (3 (9 - 1))."""
    one, other, flat = np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.3, 0.2]), np.ones(3)
    assert rank_correlation(one, other) == pytest.approx(0.5)
    assert rank_correlation(one, flat) == 0.0


def test_accepted_crowds_reach_their_goals_or_say_why() -> None:
    accepted = crowds.read()
    assert [one.world for one in accepted] == [world.preset for world in crowds.WORLDS]
    assert crowds.page(accepted)
    with pytest.raises(ValueError, match="false calls"):
        crowds.page([replace(accepted[1], called=accepted[1].pairs)])


def test_a_worse_crowd_is_named() -> None:
    one = Crowds("w", 2, 9.0, 3.0, 0.9, 0.0, 1.0, 2.0, None, None, None, 0.9, 6, 0, None)
    assert crowds.compare([one], [one]) == []
    assert crowds.compare([replace(one, coverage=0.8)], [one]) == [
        "crowds of w: coverage 0.9 → 0.8, worse by more than 0.01"
    ]
    assert crowds.compare([replace(one, called=3)], [one]) == [
        "crowds of w: called 0 → 3, worse by more than 1.0"
    ]
    assert crowds.compare([], [one]) == ["w: was there and is not now"]
