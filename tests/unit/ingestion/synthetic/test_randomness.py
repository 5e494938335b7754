"""Streams: the same numbers on every machine and release, one stream a name and block."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ingestion.synthetic.randomness import Streams, pick

# First made with NumPy 2.4.6 and found again with 2.5.5.
DIGESTS = {
    "uniform": "976a15bb90318f40",
    "below": "3f94a111142f4fe9",
    "normal": "097634eedabf90cb",
    "exponential": "e6db2396f19da074",
    "gamma": "82d55b3eea36a8d9",
    "poisson": "6e8ee5395f0c054b",
    "order": "bfa492f8442d4524",
}
DRAWS = {
    "uniform": lambda luck: luck.uniform(1_000),
    "below": lambda luck: luck.below(97, 1_000),
    "normal": lambda luck: luck.normal(1_000),
    "exponential": lambda luck: luck.exponential(3.0, 1_000),
    "gamma": lambda luck: luck.gamma(0.8, 1_000),
    "poisson": lambda luck: luck.poisson(np.linspace(0.0, 40.0, 1_000), 1_000),
    "order": lambda luck: luck.order(1_000),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_distribution_draws_what_it_always_drew(name: str) -> None:
    drawn = np.round(DRAWS[name](Streams(1).of("pinned")).astype(np.float64), 9)
    assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == DIGESTS[name]


def test_streams_differ_by_name_by_block_and_by_seed() -> None:
    firsts = {
        float(Streams(seed).of(name, block).uniform(1)[0])
        for seed in (1, 2)
        for name in ("visits", "clicks")
        for block in (0, 1)
    }
    assert len(firsts) == 8


def test_a_weight_of_nothing_is_never_picked() -> None:
    picked = pick(
        np.array([0.0, 2.0, 0.0, 1.0, 0.0]), np.linspace(0.0, 1.0, 10_000, endpoint=False)
    )
    assert np.bincount(picked, minlength=5).tolist() == pytest.approx(
        [0, 6_667, 0, 3_333, 0], abs=1
    )


def test_means_are_as_asked() -> None:
    luck = Streams(3).of("means")
    assert luck.gamma(0.8, 200_000).mean() == pytest.approx(1.0, abs=0.01)
    assert luck.exponential(3.0, 200_000).mean() == pytest.approx(3.0, abs=0.03)
    assert luck.poisson(2.5, 200_000).mean() == pytest.approx(2.5, abs=0.02)
    assert luck.chance(0.2, 200_000).mean() == pytest.approx(0.2, abs=0.005)
