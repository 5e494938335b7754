"""`setae evaluate`: the truth score on the screen, in the docs, and against what was accepted.

Three parts: simulated counts through the estimators (`evaluation.counts`), simulated crowds
through them (`evaluation.crowds`), whole worlds through the whole pipeline (`evaluation.worlds`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from evaluation import counts, crowds, figures, worlds
from evaluation.counts import Score
from evaluation.crowds import Crowds
from evaluation.worlds import Recovery
from setae.errors import ConfigError, DataError

PAGE = Path("docs") / "evaluation.md"


def evaluate(
    *,
    console: Console,
    small: bool,
    check: bool,
    write: bool,
    workers: int | None = None,
    progress: Callable[[int, int], None],
) -> None:
    """Run simulations and worlds and print their tables.

    Args:
        console: Where the tables go.
        small: Few simulations and one small world, as the tests run them.
        check: Compare with the accepted figures.
        write: Accept the figures and write the page (a clone only).
        workers: Processes; by default one a core.

    Raises:
        DataError: With `check`, a figure is worse than the accepted one.
        ConfigError: `write` outside a clone.
    """
    root = Path(figures.__file__).resolve().parents[1]
    if write and not (root / "docs").is_dir():
        raise ConfigError(f"{root}: no docs/ here; --write works in a clone of the repository")
    processes = workers or os.cpu_count() or 1
    recoveries = worlds.run(
        worlds.SMALL if small else worlds.WORLDS, workers=processes, progress=progress
    )
    scores = counts.run(
        counts.SMALL if small else counts.FULL, workers=processes, progress=progress
    )
    people = [] if small else crowds.run(workers=processes, progress=progress)
    _print(console, scores, people, recoveries)
    form, world_form = ("small", "small_worlds") if small else ("full", "worlds")
    if check:
        worse = [
            *counts.compare(scores, counts.read(form)),
            *worlds.compare_accepted(recoveries, worlds.from_json(figures.accepted(world_form))),
        ]
        if not small:
            worse += crowds.compare(people, crowds.read())
        if worse:
            raise DataError(
                f"{len(worse)} figures are worse than in {figures.ACCEPTED}: "
                + "; ".join(worse)
                + "; mend the estimator, or accept with --write and say why"
            )
        console.print("no figure is worse than the accepted one")
    if write:
        figures.write(
            **{form: [vars(one) for one in scores], world_form: worlds.as_json(recoveries)}
        )
        if not small:
            figures.write(crowds=crowds.as_json(people))
            (root / PAGE).write_text(page(scores, people, recoveries), encoding="utf-8")


def page(scores: list[Score], people: list[Crowds], recoveries: list[Recovery]) -> str:
    """The page of the docs: all three parts."""
    return "\n".join((counts.page(scores), crowds.page(people), worlds.page(recoveries)))


_WIDTH = 240
"""Of a file or a pipe, which no table has to keep to: wider than any of ours."""


def _print(
    console: Console, scores: list[Score], people: list[Crowds], recoveries: list[Recovery]
) -> None:
    if not console.is_terminal:
        console.width = _WIDTH
    for title, columns, rows in (
        ("one creator", counts.COLUMNS, counts.rows(scores)),
        ("the best creators", counts.TOP_COLUMNS, counts.top_rows(scores)),
        ("tiers", counts.TIER_COLUMNS, counts.tier_rows(scores)),
        ("crowds", crowds.COLUMNS, crowds.rows(people)),
        *worlds.tables(recoveries),
    ):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for miss in counts.misses(scores):
        observed = "no ratio" if miss.observed is None else f"{miss.observed:.3f}"
        console.print(
            f"goal missed: {miss.score.world}, {miss.score.creators} creators: "
            f"{miss.goal} {observed}"
        )
    for world, goal, value in crowds.misses(people):
        console.print(f"goal missed: crowds of {world}: {goal} {value}")
    for lost in worlds.misses(recoveries):
        console.print(f"goal missed: world {lost.world}: {lost.goal} {lost.observed}")
