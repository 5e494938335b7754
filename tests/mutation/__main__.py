"""Break the models' formulas one at a time and count how many breaks the unit tests see.

`make mutations` builds the small world once (dbt's unit tests need the columns of built models),
then runs, for each wrong version of a model, that model's unit tests in memory: no file changes.
Printed are the survivors, the kill rate by model and over all, and the exit code is 1 below the
goal. `--per-model` draws that many mutants of each model with `--seed`; 0 takes all of them.

    python -m tests.mutation --per-model 4 --seed 1
    python -m tests.mutation --model fct_sessions --per-model 0
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from setae import stages, transformation
from setae.warehouse import Home
from tests.integration.conftest import small_home
from tests.mutation.operators import Mutant, mutants

GOAL = 0.9
"""Of the wrong formulas, the share that the tests must see."""

VARIABLES = {
    "as_of": "2026-04-26 00:00:00",
    "data_through_date": "2026-04-25",
    "business_timezone": "UTC",
}

console = Console(width=160 if not sys.stdout.isatty() else None)


class Project:
    """dbt on a built home, with models whose SQL can be changed in memory."""

    def __init__(self, folder: Path) -> None:
        self.settings = small_home(folder)
        stages.fetch(self.settings, source="drops")
        stages.load(self.settings)
        stages.check(self.settings, stage="raw")
        stages.transform(self.settings)
        with transformation._environment(self.settings):
            self.manifest = self._invoke("parse").result
        self.models = {
            node.name: node
            for node in self.manifest.nodes.values()
            if str(node.resource_type) == "model" and str(node.language) == "sql"
        }
        self.tested = {test.model for test in self.manifest.unit_tests.values()}

    def _invoke(self, *arguments: str) -> Any:
        from dbt.cli.main import dbtRunner

        home = Home(self.settings.home)
        project = str(transformation.project_directory())
        with contextlib.redirect_stdout(io.StringIO()):
            runner = dbtRunner(manifest=getattr(self, "manifest", None))
            return runner.invoke(
                [
                    *arguments,
                    *("--project-dir", project, "--profiles-dir", project),
                    *("--target-path", str(home.dbt / "mutation-target")),
                    *("--log-path", str(home.dbt / "mutation-logs")),
                    *("--vars", json.dumps(VARIABLES)),
                    *("--no-write-json", "--log-level-file", "error", "--quiet"),
                ]
            )

    def verdict(self, model: str, sql: str) -> str:
        """`killed`, `survived` or `invalid` (the query does not run, so it proves nothing)."""
        node = self.models[model]
        before = node.raw_code
        node.raw_code = sql
        node.compiled = False
        try:
            outcome = self._invoke("test", "--select", f"{model},test_type:unit")
        finally:
            node.raw_code = before
        results = list(getattr(outcome.result, "results", None) or [])
        statuses = {str(result.status) for result in results}
        if "fail" in statuses:
            return "killed"
        if "error" in statuses or not results:
            return "invalid" if results else "survived"
        return "survived"


def main(
    per_model: Annotated[int, typer.Option(help="Mutants drawn of each model; 0: all.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 1,
    model: Annotated[list[str] | None, typer.Option(help="Only these models.")] = None,
) -> None:
    """Print the kill rate of the unit tests."""
    with tempfile.TemporaryDirectory(prefix="setae-mutations-") as folder:
        project = Project(Path(folder) / "home")
        with transformation._environment(project.settings):
            drawn = _drawn(project, per_model, seed, model)
            verdicts = [
                (mutant, _verdict(project, mutant))
                for mutant in track(drawn, "Mutants", console=console)
            ]
    raise typer.Exit(_report(verdicts))


def _verdict(project: Project, mutant: Mutant) -> str:
    if mutant.model not in project.tested:
        return "survived"
    return project.verdict(mutant.model, mutant.sql)


def _drawn(project: Project, per_model: int, seed: int, only: list[str] | None) -> list[Mutant]:
    chance = random.Random(seed)
    drawn: list[Mutant] = []
    for name in sorted(project.models):
        if only and name not in only:
            continue
        every = list(mutants(name, project.models[name].raw_code))
        drawn += chance.sample(every, per_model) if 0 < per_model < len(every) else every
    return drawn


def _report(verdicts: list[tuple[Mutant, str]]) -> int:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, verdict in verdicts:
        counts[mutant.model][verdict] += 1
        if verdict == "survived":
            console.print(
                f"survived: {mutant.model}:{mutant.line} {mutant.operator}: {mutant.before}",
                highlight=False,
                markup=False,
            )
    table = Table("Model", "Killed", "Survived", "Cannot run")
    for name, found in sorted(counts.items()):
        table.add_row(name, *(str(found[kind]) for kind in ("killed", "survived", "invalid")))
    console.print(table)
    killed = sum(found["killed"] for found in counts.values())
    ran = killed + sum(found["survived"] for found in counts.values())
    rate = killed / ran if ran else 0.0
    console.print(f"Killed {killed} of {ran} wrong formulas: {rate:.1%} (goal {GOAL:.0%})")
    return 0 if rate >= GOAL else 1


if __name__ == "__main__":
    typer.run(main)
