"""The truth score: it notices what got worse, and nothing did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation import command, counts, crowds, worlds
from evaluation.figures import accepted as rows_of
from evaluation.simulation import WORLDS, World, counted, draw_creators, oracle, simulate

PAGE = Path(__file__).resolve().parents[3] / "docs" / "evaluation.md"


def test_no_figure_is_worse_than_the_accepted_one() -> None:
    scores = counts.run(counts.SMALL)
    assert counts.compare(scores, counts.read("small")) == []


def test_the_page_shows_the_accepted_figures() -> None:
    expected = command.page(counts.read("full"), crowds.read(), worlds.from_json(rows_of("worlds")))
    assert PAGE.read_text(encoding="utf-8") == expected, "run `make evaluate ACCEPT=1`"


def test_a_worse_figure_is_named_and_a_better_one_is_not() -> None:
    accepted = counts.read("full")
    first = accepted[0]
    worse = replace(first, coverage=first.coverage - 0.05, error_ratio=2.0)
    lines = counts.compare([worse, *accepted[1:]], accepted)
    assert len(lines) == 2
    assert lines[0].startswith("usual, 30 creators: coverage ")
    assert lines[1].startswith("usual, 30 creators: error_ratio ")
    better = replace(first, error_ratio=1.0, bias=0.0, coverage=0.9)
    assert counts.compare([better, *accepted[1:]], accepted) == []


def test_false_calls_count_where_tiers_are_alike_only() -> None:
    accepted = {(one.world, one.creators): one for one in counts.read("full")}
    for world, lines in (("tiers alike", 1), ("tiers differ", 0)):
        one = accepted[world, 30]
        assert len(counts.compare([replace(one, called=0.5)], [one])) == lines
    called = replace(accepted["tiers alike", 30], called=0.2)
    assert [miss.goal for miss in counts.misses([called])] == ["false calls"]


def test_a_missed_goal_without_a_reason_stops_the_page() -> None:
    scores = [replace(one, coverage=0.5) for one in counts.read("full")]
    with pytest.raises(ValueError, match=r"usual.*coverage"):
        counts.page(scores)


def _world(name: str) -> World:
    return next(world for world in WORLDS if world.name == name)


def test_the_oracle_knows_the_textbook_answer() -> None:
    """Beta(1, 49): (x + 1) / (n + 50)."""
    creators = draw_creators(_world("usual"), 200, seed=3)
    expected = (creators.x + 1) / (creators.n + 50)
    assert oracle(_world("usual"), creators) == pytest.approx(expected, rel=0.005)


def test_counting_loses_nobody() -> None:
    creators = draw_creators(_world("tiers differ"), 100, seed=4)
    counts, row = counted(_world("tiers differ"), creators)
    assert counts.units.sum() == 100
    assert (counts.x[row] == creators.x).all()
    assert (counts.n[row] == creators.n).all()
    assert (counts.cell[row] == creators.tier).all()
    assert np.bincount(creators.tier).tolist() == [55, 25, 15, 5]


def test_a_simulation_is_the_same_whenever_it_runs() -> None:
    one = simulate(_world("exposure"), 30, 7)
    simulate(_world("usual"), 30, 7)
    assert simulate(_world("exposure"), 30, 7) == one
