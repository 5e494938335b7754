"""`setae evaluate`: the truth score on the screen, in the docs, and against what was accepted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from estimation import evaluation
from estimation.evaluation import Score
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
    """Run the simulations and print their tables.

    Args:
        console: Where the tables go.
        small: Few simulations, as the tests run them.
        check: Compare with the accepted figures.
        write: Accept the figures and write the page (a clone only).
        workers: Processes; by default one a core.

    Raises:
        DataError: With `check`, a figure is worse than the accepted one.
        ConfigError: `write` outside a clone.
    """
    root = Path(evaluation.__file__).resolve().parents[1]
    if write and not (root / "docs").is_dir():
        raise ConfigError(f"{root}: no docs/ here; --write works in a clone of the repository")
    form = "small" if small else "full"
    scores = evaluation.run(
        evaluation.SMALL if small else evaluation.FULL,
        workers=workers or os.cpu_count() or 1,
        progress=progress,
    )
    _print(console, scores)
    if write:
        evaluation.write(**{form: scores})
        if not small:
            (root / PAGE).write_text(evaluation.page(scores), encoding="utf-8")
    if check:
        worse = evaluation.compare(scores, evaluation.read(form))
        if worse:
            raise DataError(
                f"{len(worse)} figures are worse than in {evaluation.ACCEPTED}: "
                + "; ".join(worse)
                + "; mend the estimator, or accept with --write and say why"
            )
        console.print("no figure is worse than the accepted one")


def _print(console: Console, scores: list[Score]) -> None:
    for title, columns, rows in (
        ("one creator", evaluation.COLUMNS, evaluation.rows(scores)),
        ("the best creators", evaluation.TOP_COLUMNS, evaluation.top_rows(scores)),
        ("tiers", evaluation.TIER_COLUMNS, evaluation.tier_rows(scores)),
    ):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for miss in evaluation.misses(scores):
        observed = "no ratio" if miss.observed is None else f"{miss.observed:.3f}"
        console.print(
            f"goal missed: {miss.score.world}, {miss.score.creators} creators: "
            f"{miss.goal} {observed}"
        )
