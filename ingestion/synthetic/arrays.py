"""NumPy columns as Arrow arrays: text, instants, money, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.synthetic.columns import NONE, Bools, Ints

INSTANT = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(18, 2)

Mask = Bools | None


def ints(values: npt.NDArray[Any], valid: Mask = None) -> pa.Array:
    """Whole numbers; null where not `valid`."""
    return pa.array(values.astype(np.int64), pa.int64(), mask=None if valid is None else ~valid)


def flags(values: Bools, valid: Mask = None) -> pa.Array:
    """True or false."""
    return pa.array(values.astype(bool), pa.bool_(), mask=None if valid is None else ~valid)


def instants(values: Ints, valid: Mask = None) -> pa.Array:
    """Instants; null where none, or not `valid`."""
    is_there = values != NONE if valid is None else valid & (values != NONE)
    return ints(values, is_there).cast(INSTANT)


def money(cents: Ints, valid: Mask = None) -> pa.Array:
    """Exact amounts of cents as DECIMAL(18,2)."""
    wide = np.empty((len(cents), 2), dtype=np.int64)
    wide[:, 0] = cents
    wide[:, 1] = np.where(cents < 0, -1, 0)
    whole = pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(wide.tobytes())])
    if valid is None:
        return whole
    return pc.if_else(pa.array(valid), whole, pa.scalar(None, MONEY))


def texts(values: Ints) -> pa.Array:
    """Whole numbers as text."""
    return ints(values).cast(pa.string())


def join(*parts: pa.Array | str) -> pa.Array:
    """Parts put together row by row; null where one is."""
    columns = [pa.scalar(part) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*columns, pa.scalar(""))


def names(values: Sequence[str | None], positions: Ints) -> pa.Array:
    """The value at each position; null where there is none."""
    index = pa.array(positions.astype(np.int64), pa.int64(), mask=positions == NONE)
    return pa.array(list(values), pa.string()).take(index)


def only(valid: Bools, values: pa.Array) -> pa.Array:
    """Null where not `valid`."""
    return pc.if_else(pa.array(valid), values, pa.scalar(None, values.type))


def either(condition: Bools, first: pa.Array, second: pa.Array | str) -> pa.Array:
    """The first where the condition holds, else the second."""
    other = pa.scalar(second) if isinstance(second, str) else second
    return pc.if_else(pa.array(condition), first, other)


def constant(value: str, size: int) -> pa.Array:
    """The same text in every row."""
    return pa.array([value]).take(pa.array(np.zeros(size, dtype=np.int64)))
