"""What a party is worth to a Markov chain: the share of conversions lost when it is taken out.

The chain has order 1: a journey goes from `(start)` over parties to `(conversion)` or `(null)`,
each step with a chance that depends on where it is alone. Taking a party out sends whoever reaches
it to `(null)`. With F the fundamental matrix of the parties, s where journeys start and v = F·r the
chance to convert from each party, the removal effect of party k is (s·F)_k / F_kk · v_k / (s·v):
the chance to ever reach k, times the chance to convert from there, over the chance to convert at
all. So one inversion serves all parties, where taking each out in turn would need one each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csc_matrix, identity
from scipy.sparse.linalg import splu

SORTED_BY = ("chain_level", "window_days", "from_type", "from_key", "to_type", "to_key")
DIGITS = 12
"""Decimals kept: last bits differ between processors and mean nothing."""

DENSE_LIMIT = 3000
"""Parties up to which the matrix is inverted whole (72 MB); beyond, by sparse factors in blocks."""

_BLOCK = 256

_SCHEMA = pa.schema(
    [
        ("chain_level", pa.string()),
        ("window_days", pa.int32()),
        ("party_type", pa.string()),
        ("party_key", pa.string()),
        ("conversion_rate", pa.float64()),
        ("removal_effect_rate", pa.float64()),
    ]
)


def removal_effects(transitions: pa.Table) -> pa.Table:
    """Work out every chain of a table.

    Args:
        transitions: chain_level, window_days, from_type, from_key, to_type, to_key,
            transition_count, ordered by `SORTED_BY`; rows of equal keys are not allowed.

    Returns:
        One row a chain and party: the chance of a journey to convert at all, and the removal
        effect, NULL where no journey converts.
    """
    rows = transitions.to_pylist()
    chains: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in rows:
        chains.setdefault((row["chain_level"], row["window_days"]), []).append(row)
    found: list[dict[str, Any]] = []
    for (level, days), steps in sorted(chains.items()):
        names = sorted(
            {(row["from_type"], row["from_key"]) for row in steps if row["from_type"] != "start"}
        )
        rate, effects = chain_effects(names, steps)
        found += [
            {
                "chain_level": level,
                "window_days": days,
                "party_type": kind,
                "party_key": key,
                "conversion_rate": round(rate, DIGITS),
                "removal_effect_rate": None if effect is None else round(effect, DIGITS),
            }
            for (kind, key), effect in zip(names, effects, strict=True)
        ]
    return pa.Table.from_pylist(found, schema=_SCHEMA)


def chain_effects(
    parties: list[tuple[str, str]], steps: list[dict[str, Any]]
) -> tuple[float, list[float | None]]:
    """The chance to convert, and the removal effect of each party, of one chain.

    Args:
        parties: (type, key) of the parties, in the order of the result.
        steps: The chain's steps with their counts.
    """
    place = {party: number for number, party in enumerate(parties)}
    size = len(parties)
    starts = np.zeros(size)
    converts = np.zeros(size)
    totals = np.zeros(size)
    sources, targets, counts = [], [], []
    for step in steps:
        count = float(step["transition_count"])
        target = place.get((step["to_type"], step["to_key"]))
        if step["from_type"] == "start":
            assert target is not None
            starts[target] += count
            continue
        source = place[step["from_type"], step["from_key"]]
        totals[source] += count
        if step["to_type"] == "conversion":
            converts[source] += count
        elif target is not None:
            sources.append(source)
            targets.append(target)
            counts.append(count)
    starts /= starts.sum()
    converts /= totals
    chances = csc_matrix(
        (np.array(counts) / totals[sources] if counts else [], (sources, targets)),
        shape=(size, size),
    )
    left = (identity(size, format="csc") - chances).tocsc()
    reached, from_here, diagonal = _solve(left, starts, converts)
    rate = float((starts * from_here).sum())
    if rate <= 0:
        return 0.0, [None] * size
    effects = reached / diagonal * from_here / rate
    return rate, [float(min(max(effect, 0.0), 1.0)) for effect in effects]


def _solve(left: Any, starts: Any, converts: Any) -> tuple[Any, Any, Any]:
    """s·F, F·r and the diagonal of F, F being the inverse of `left`."""
    size = left.shape[0]
    if size <= DENSE_LIMIT:
        inverse = np.linalg.inv(left.toarray())
        return starts @ inverse, inverse @ converts, inverse.diagonal()
    factors = splu(left)
    diagonal = np.empty(size)
    for first in range(0, size, _BLOCK):
        last = min(first + _BLOCK, size)
        block = np.zeros((size, last - first))
        block[range(first, last), range(last - first)] = 1
        diagonal[first:last] = factors.solve(block)[range(first, last), range(last - first)]
    return factors.solve(starts, trans="T"), factors.solve(converts), diagonal
