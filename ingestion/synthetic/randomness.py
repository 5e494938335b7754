"""Where all chance comes from: one stream of PCG64 a component and block of people.

A stream is named, so that a draw added to one component moves no other. The names are hashed with
CRC-32, which every Python agrees on. NumPy promises the bits of PCG64 for ever, the bits of its
distributions only within a release; `tests/unit/ingestion/synthetic` therefore holds what the
generator draws against stored digests, and `make test-python` a whole world across interpreters.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.synthetic.columns import Bools, Floats, Ints

Shape = int | tuple[int, ...]


class Luck:
    """The distributions the world draws from."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def uniform(self, size: Shape) -> Floats:
        """Numbers in [0, 1)."""
        return self._generator.random(size)

    def below(self, limit: int, size: Shape) -> Ints:
        """Whole numbers from 0 to `limit` - 1."""
        return np.floor(self.uniform(size) * limit).astype(np.int64)

    def chance(self, probability: float | Floats, size: int) -> Bools:
        """True with a probability, one for all or one a row."""
        return self.uniform(size) < probability

    def choice(self, weights: npt.ArrayLike, size: int) -> Ints:
        """Positions in `weights`, each with its weight."""
        return pick(np.asarray(weights, dtype=np.float64), self.uniform(size))

    def normal(self, size: Shape) -> Floats:
        """Standard normal."""
        return self._generator.standard_normal(size)

    def exponential(self, mean: float | Floats, size: int) -> Floats:
        """Exponential with a mean."""
        return -np.log1p(-self.uniform(size)) * mean

    def gamma(self, shape: float, size: int) -> Floats:
        """Gamma with a shape and mean 1."""
        made: Floats = self._generator.standard_gamma(shape, size) / shape
        return made

    def poisson(self, mean: float | Floats, size: int) -> Ints:
        """Counts with a mean."""
        made: Ints = self._generator.poisson(mean, size).astype(np.int64)
        return made

    def order(self, size: int) -> Ints:
        """A random order of `size` positions."""
        made: Ints = np.argsort(self.uniform(size), kind="stable").astype(np.int64)
        return made


def pick(weights: Floats, uniform: Floats) -> Ints:
    """The position each uniform number falls on, the weights laid end to end."""
    ends = np.cumsum(weights)
    positions = np.searchsorted(ends, uniform * ends[-1], side="right")
    made: Ints = np.minimum(positions, len(weights) - 1).astype(np.int64)
    return made


@dataclass(frozen=True)
class Streams:
    """All streams of one seed."""

    seed: int

    def of(self, component: str, block: int = 0) -> Luck:
        """The stream of a component, for one block of people."""
        key: tuple[Any, ...] = (zlib.crc32(component.encode()), block)
        sequence = np.random.SeedSequence(self.seed, spawn_key=key)
        return Luck(np.random.Generator(np.random.PCG64(sequence)))
