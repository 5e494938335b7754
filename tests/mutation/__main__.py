"""Break the models' formulas one at a time and count how many breaks the tests see.

`make mutations` builds the worlds once and then asks, for each wrong version of a model, first that
model's unit tests, then the data tests and the oracles of whole worlds built with it
(`projects.py`). Printed are the survivors, the kill rate by model and over all, and the exit code
is 1 below the goal. `--per-model` draws that many mutants of each model with `--seed`; 0 takes all
of them. `--units-only` asks the unit tests alone, which is far quicker.

    python -m tests.mutation --per-model 4 --seed 1
    python -m tests.mutation --model fct_sessions --per-model 0 --units-only
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.mutation import projects
from tests.mutation.operators import Mutant, mutants
from tests.mutation.projects import Increments, Project, World

GOAL = 0.9
"""Of the wrong formulas, the share that the tests must see."""

console = Console(width=160 if not sys.stdout.isatty() else None)


@dataclass(frozen=True)
class Verdict:
    """Who saw that a mutant is wrong.

    Attributes:
        judge: `unit test`, or which world's data test or oracle; None if nobody.
        is_invalid: The query does not run on the rows of a unit test, so it proves nothing.
    """

    mutant: Mutant
    judge: str | None
    is_invalid: bool = False


def main(
    per_model: Annotated[int, typer.Option(help="Mutants drawn of each model; 0: all.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 1,
    model: Annotated[list[str] | None, typer.Option(help="Only these models.")] = None,
    units_only: Annotated[bool, typer.Option(help="Ask no whole world.")] = False,
) -> None:
    """Print the kill rate of the tests."""
    with tempfile.TemporaryDirectory(prefix="setae-mutations-") as place:
        folder = Path(place)
        project = projects.small(folder / "small")
        drawn = _drawn(project, per_model, seed, model)
        verdicts = [
            _by_unit_tests(project, mutant)
            for mutant in track(drawn, "Unit tests", console=console)
        ]
        if units_only:
            for verdict in verdicts:
                if verdict.judge is None and not verdict.is_invalid:
                    _tell(verdict.mutant)
        else:
            worlds = projects.worlds(folder)
            verdicts = [
                _by_worlds(worlds, verdict)
                for verdict in track(verdicts, "Worlds", console=console)
            ]
    raise typer.Exit(_report(verdicts))


def _by_unit_tests(project: Project, mutant: Mutant) -> Verdict:
    with project.wrong(mutant.model, mutant.sql):
        statuses = project.unit_tests(mutant.model)
    is_seen = "fail" in statuses
    return Verdict(mutant, "unit test" if is_seen else None, not is_seen and "error" in statuses)


def _by_worlds(worlds: list[World | Increments], verdict: Verdict) -> Verdict:
    if verdict.judge is not None or verdict.is_invalid:
        return verdict
    for world in worlds:
        objection = world.objects(verdict.mutant.model, verdict.mutant.sql)
        if objection is not None:
            return Verdict(verdict.mutant, objection)
    _tell(verdict.mutant)
    return verdict


def _tell(mutant: Mutant) -> None:
    """Say at once what nobody saw: the whole takes long."""
    console.print(
        f"survived: {mutant.model}:{mutant.line} {mutant.operator}: {mutant.before}",
        highlight=False,
        markup=False,
    )


def _drawn(project: Project, per_model: int, seed: int, only: list[str] | None) -> list[Mutant]:
    chance = random.Random(seed)
    drawn: list[Mutant] = []
    for name in sorted(project.models):
        if only and name not in only:
            continue
        every = list(mutants(name, project.models[name].raw_code))
        drawn += chance.sample(every, per_model) if 0 < per_model < len(every) else every
    return drawn


def _report(verdicts: list[Verdict]) -> int:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    judges: Counter[str] = Counter()
    for verdict in verdicts:
        mutant = verdict.mutant
        if verdict.judge is not None:
            counts[mutant.model]["killed"] += 1
            judges[verdict.judge] += 1
        elif verdict.is_invalid:
            counts[mutant.model]["invalid"] += 1
        else:
            counts[mutant.model]["survived"] += 1
    table = Table("Model", "Killed", "Survived", "Cannot run")
    for name, found in sorted(counts.items()):
        table.add_row(name, *(str(found[kind]) for kind in ("killed", "survived", "invalid")))
    console.print(table)
    for judge, count in judges.most_common():
        console.print(f"Seen by {judge}: {count}")
    killed = judges.total()
    ran = killed + sum(found["survived"] for found in counts.values())
    rate = killed / ran if ran else 0.0
    console.print(f"Killed {killed} of {ran} wrong formulas: {rate:.1%} (goal {GOAL:.0%})")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    typer.run(main)
