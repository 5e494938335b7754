"""Removal effects: a case of others, a case worked by hand, and the oracle that really removes."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest

from estimation import removal
from tests.oracle import attribution as oracle

Steps = dict[tuple[str, str], int]


def table(steps: Steps, level: str = "creator", days: int = 7) -> pa.Table:
    """The steps as the model hands them over."""
    kinds = {"(start)": "start", "(conversion)": "conversion", "(null)": "null"}
    return pa.Table.from_pylist(
        [
            {
                "chain_level": level,
                "window_days": days,
                "from_type": kinds.get(a, "creator"),
                "from_key": a,
                "to_type": kinds.get(b, "creator"),
                "to_key": b,
                "transition_count": count,
            }
            for (a, b), count in sorted(steps.items())
        ]
    )


def effects(steps: Steps) -> dict[str, float]:
    """Party → removal effect."""
    return {
        row["party_key"]: row["removal_effect_rate"]
        for row in removal.removal_effects(table(steps)).to_pylist()
    }


def test_the_case_of_eeghor_mta() -> None:
    """P = 2/3 * 3/4 + 1/3 * 1/2 = 2/3; without b 1/6, without c 1/2, without a 0."""
    steps = {
        ("(start)", "a"): 6,
        ("a", "b"): 4,
        ("a", "c"): 2,
        ("b", "(conversion)"): 3,
        ("b", "(null)"): 1,
        ("c", "(conversion)"): 1,
        ("c", "(null)"): 1,
    }
    assert effects(steps) == {"a": 1.0, "b": 0.75, "c": 0.25}
    (rate,) = {row["conversion_rate"] for row in removal.removal_effects(table(steps)).to_pylist()}
    assert rate == pytest.approx(2 / 3, abs=1e-12)


def test_the_nine_journeys_of_dp6() -> None:
    """Every journey converts; 27 in proportion to the effects: 10.643154, 8.514523, 7.842324."""
    steps: Counter[tuple[str, str]] = Counter()
    for path in ("A", "AB", "ABC", "B", "BA", "BCA", "C", "CA", "CBA"):
        names = ["(start)", *path, "(conversion)"]
        steps.update(pairwise(names))
    found = effects(dict(steps))
    total = sum(found.values())
    credit = {party: 27 * effect / total for party, effect in found.items()}
    assert credit["A"] == pytest.approx(10.643153526970954, abs=1e-4)
    assert credit["B"] == pytest.approx(8.514522821576762, abs=1e-4)
    assert credit["C"] == pytest.approx(7.842323651452283, abs=1e-4)


def test_a_loop_on_itself_changes_nothing() -> None:
    """a comes back to itself half the time: still everybody passes through a."""
    steps = {("(start)", "a"): 4, ("a", "a"): 4, ("a", "(conversion)"): 1, ("a", "(null)"): 3}
    assert effects(steps) == {"a": 1.0}


def test_without_any_order_there_is_no_effect() -> None:
    assert effects({("(start)", "a"): 2, ("a", "(null)"): 2}) == {"a": None}


def test_an_empty_table_gives_an_empty_table() -> None:
    none = table({("(start)", "a"): 1, ("a", "(null)"): 1}).slice(0, 0)
    assert removal.removal_effects(none).num_rows == 0


@pytest.mark.parametrize("seed", range(8))
def test_the_closed_form_equals_really_removing_the_party(seed: int) -> None:
    steps = _walks(random.Random(seed))
    wanted = oracle.removal_effects(Counter(steps))
    found = effects(steps)
    assert found.keys() == wanted.keys()
    for party, effect in wanted.items():
        assert found[party] == pytest.approx(float(effect), abs=1e-11)


def test_the_sparse_way_gives_the_dense_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = _walks(random.Random(99), parties=40, journeys=300)
    dense = effects(steps)
    monkeypatch.setattr(removal, "DENSE_LIMIT", 0)
    monkeypatch.setattr(removal, "_BLOCK", 7)
    assert effects(steps) == pytest.approx(dense, abs=1e-12)


def _walks(luck: random.Random, parties: int = 6, journeys: int = 60) -> Steps:
    steps: Counter[tuple[str, str]] = Counter()
    for _ in range(journeys):
        path = [f"p{luck.randrange(parties)}" for _ in range(luck.randint(1, 7))]
        names = ["(start)", *path, luck.choice(["(conversion)", "(null)", "(null)"])]
        steps.update(pairwise(names))
    return dict(steps)
