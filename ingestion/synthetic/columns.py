"""Records as columns: frozen dataclasses whose fields are NumPy arrays of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NONE = -1
"""Stands for "none" in columns of positions and instants."""


C = TypeVar("C", bound="Columns")


@dataclass(frozen=True)
class Columns:
    """Base of all tables the world is computed in; a row is a position in every field."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: npt.NDArray[Any]) -> Self:
        """The rows at these positions, or where a mask is true."""
        return replace(self, **{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def part(self, begin: int, end: int) -> Self:
        """The rows from `begin` to before `end`, without a copy."""
        return replace(
            self, **{one.name: getattr(self, one.name)[begin:end] for one in fields(self)}
        )

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, in order; at least one part."""
        return cls(
            **{
                one.name: np.concatenate([getattr(part, one.name) for part in parts])
                for one in fields(cls)
            }
        )


def gather(parts: Sequence[C], rows: Ints) -> C:
    """Rows of all parts laid end to end, a column at a time, so that little is held twice."""
    kind = type(parts[0])
    return kind(
        **{
            one.name: np.concatenate([getattr(part, one.name) for part in parts])[rows]
            for one in fields(kind)
        }
    )


def spread(counts: Ints) -> tuple[Ints, Ints]:
    """Rows that repeat: for each of `sum(counts)` new rows its old row, and its number in it."""
    parents = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return parents, np.arange(len(parents), dtype=np.int64) - np.repeat(starts, counts)


def first_of_each(groups: npt.NDArray[Any]) -> Bools:
    """Where a sorted column changes."""
    if not len(groups):
        return np.zeros(0, dtype=bool)
    return np.concatenate([[True], groups[1:] != groups[:-1]])
