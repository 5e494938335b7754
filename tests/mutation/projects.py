"""Built worlds, and what says that a model's SQL is wrong there.

Three judges, each slower than the one before: the unit tests of the model; then, on a whole world
built with the wrong SQL, the data tests of everything behind it; then the world's oracle. What only
an increment computes is judged by the full build of the same files.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from serving.content import content_hash
from setae import stages, transformation
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, Home, connect
from tests.conftest import make_home
from tests.integration import (
    test_attribution,
    test_purchases,
    test_stickiness,
    test_trust_oracle,
)
from tests.integration.conftest import small_home
from tests.integration.test_stickiness import FIRST
from tests.oracle import trust as trust_oracle
from tests.worlds import paths, small as small_world
from tests.worlds.small import Delivery
from tests.worlds.visitors import STEPS, Visitors


class Project:
    """dbt on a built home, with models whose SQL can be changed in memory: no file changes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = Home(settings.home)
        work = transformation.plan(settings, as_of=None, full_refresh=True)
        self._clock = {
            "SETAE_BUILD_AS_OF": work.as_of.replace(tzinfo=None).isoformat(sep=" "),
            "SETAE_BUILD_DATA_THROUGH_DATE": work.data_through_date.isoformat(),
        }
        self._variables = {
            **transformation._fixed_variables(settings),
            # Unit tests have no build whose clock they could read.
            "as_of": self._clock["SETAE_BUILD_AS_OF"],
            "data_through_date": self._clock["SETAE_BUILD_DATA_THROUGH_DATE"],
        }
        self._manifest: Any = None
        self._manifest = self._invoke("parse").result
        self.models = {
            node.name: node
            for node in self._manifest.nodes.values()
            if str(node.resource_type) == "model" and str(node.language) == "sql"
        }
        self.tested = {test.model for test in self._manifest.unit_tests.values()}

    def _invoke(self, *arguments: str) -> Any:
        from dbt.cli.main import dbtRunner

        project = str(transformation.project_directory())
        with (
            transformation._environment(self.settings, self._clock),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            outcome = dbtRunner(manifest=self._manifest).invoke(
                [
                    *arguments,
                    *("--project-dir", project, "--profiles-dir", project),
                    *("--target-path", str(self.home.dbt / "mutation-target")),
                    *("--log-path", str(self.home.dbt / "mutation-logs")),
                    *("--vars", json.dumps(self._variables)),
                    *("--no-write-json", "--log-level-file", "none", "--quiet"),
                ]
            )
            transformation._close_dbt()
        return outcome

    @contextlib.contextmanager
    def wrong(self, model: str, sql: str) -> Iterator[None]:
        """As if the model's file held this."""
        node = self.models[model]
        before = node.raw_code
        node.raw_code = sql
        node.compiled = False
        try:
            yield
        finally:
            node.raw_code = before
            node.compiled = False

    def unit_tests(self, model: str) -> set[str]:
        """Statuses of the model's unit tests, empty without any."""
        if model not in self.tested:
            return set()
        outcome = self._invoke("test", "--select", f"{model},test_type:unit")
        return {str(one.status) for one in getattr(outcome.result, "results", None) or []}

    def compiled(self, model: str) -> str:
        """The model's query in a full build."""
        results = self._invoke("compile", "--select", model, "--full-refresh").result.results
        return next(str(one.node.compiled_code) for one in results if one.node.name == model)

    def plan_increment(self) -> None:
        """Say which files `build` is for: those that no build has modelled yet."""
        work = transformation.plan(self.settings, as_of=None, full_refresh=False)
        with connect(self.settings) as connection:
            connection.executemany(
                "insert into ops.transform_pending values (?)", [[one] for one in work.pending]
            )

    def build(self) -> bool:
        """Build the increment and test every model; whether nothing failed."""
        return bool(
            self._invoke("build", "--fail-fast", "--exclude-resource-type", "unit_test").success
        )

    def rows(self, model: str) -> tuple[int, int] | None:
        """What the model's rows add up to, in any order; None if it is not there."""
        with connect(self.settings, attach_marts=True) as connection:
            place = connection.execute(
                "select table_catalog, table_schema from information_schema.tables "
                "where table_name = ?",
                [model],
            ).fetchone()
            if place is None:
                return None
            return connection.execute(
                "select count(*), sum(hash(found)::hugeint) "
                f"from {'.'.join(place)}.{model} as found"
            ).fetchone()

    def run(self, model: str) -> bool:
        """Build the model alone; whether it ran."""
        return bool(self._invoke("run", "--select", model, "--full-refresh").success)

    def rebuild(self, model: str) -> bool:
        """Build the model and all behind it, with their data tests; whether nothing failed."""
        return bool(
            self._invoke(
                *("build", "--select", f"{model}+", "--full-refresh", "--fail-fast"),
                *("--exclude-resource-type", "unit_test"),
            ).success
        )


class World:
    """A world with an oracle, built right once.

    Args:
        project: On the home where it was built.
        agrees: Raises AssertionError where the marts and the oracle differ.
    """

    def __init__(self, name: str, project: Project, agrees: Callable[[], None]) -> None:
        self.name = name
        self._project = project
        self._agrees = agrees
        agrees()
        _keep(project.home, "right")

    def objects(self, model: str, sql: str) -> str | None:
        """What is wrong with the wrong SQL, None if nobody sees it."""
        _put_back(self._project.home, "right")
        right = self._project.rows(model)
        with self._project.wrong(model, sql):
            # Where its own rows are the same, so is all that is built on them.
            if self._project.run(model) and self._project.rows(model) == right:
                return None
            if not self._project.rebuild(model):
                return f"data test in {self.name}"
        try:
            self._agrees()
        except Exception:  # noqa: BLE001  an oracle that stumbles over the marts objects, too
            return f"oracle of {self.name}"
        return None


class Increments:
    """The small world, whose causes of recomputation come after a first build.

    Says what is wrong with SQL that only an increment computes: models of `increments/` and what
    stands behind `is_incremental()`. Each build must end where it ends with the right SQL, the last
    one where one build of all files does.
    """

    name = "increments"
    steps = (("a later rate",), tuple(set(small_world.CAUSES) - {"a later rate"}))
    """Causes that come together. Of people nearly all are touched by one of the others."""

    def __init__(self, folder: Path) -> None:
        late = {name for names in small_world.CAUSES.values() for name in names}
        first = [one for one in small_world.deliveries() if one.name not in late]
        settings = _built(small_home(folder, first))
        self._project = Project(settings)
        self._expected: list[dict[str, str]] = []
        for number, causes in enumerate(self.steps):
            names = {name for cause in causes for name in small_world.CAUSES[cause]}
            for delivery in small_world.deliveries():
                if delivery.name in names:
                    delivery.write(folder / "drops")
            _loaded(settings)
            self._project.plan_increment()
            _keep(self._project.home, f"before-{number}")
            assert not stages.transform(settings).plan.is_full_refresh
            self._expected.append(self._hashes())
        stages.transform(settings, full_refresh=True)
        assert self._hashes() == self._expected[-1]

    def concerns(self, model: str, sql: str) -> bool:
        """Whether a full build is the same with the wrong SQL."""
        if "increments" in self._project.models[model].fqn:
            return True
        right = self._project.compiled(model)
        with self._project.wrong(model, sql):
            return self._project.compiled(model) == right

    def objects(self, model: str, sql: str) -> str | None:
        """What is wrong with the wrong SQL, None if nobody sees it."""
        if not self.concerns(model, sql):
            return None
        for number, expected in enumerate(self._expected):
            _put_back(self._project.home, f"before-{number}")
            with self._project.wrong(model, sql):
                if not self._project.build():
                    return f"data test in {self.name}"
            if self._hashes() != expected:
                return f"full build of {self.name}"
        return None

    def _hashes(self) -> dict[str, str]:
        """Content hash of each mart."""
        with duckdb.connect(str(self._project.home.marts), read_only=True) as connection:
            return {one.name: one.content_hash for one in content_hash(connection).tables}


def small(folder: Path) -> Project:
    """The small world, for unit tests: dbt needs the columns of built models."""
    return Project(_built(small_home(folder)))


def worlds(folder: Path) -> list[World | Increments]:
    """Those that can tell whether the marts are right."""
    return [
        Increments(folder / "increments"),
        _purchases(folder / "purchases"),
        _paths(folder / "paths"),
        _trust(folder / "trust"),
        *_visitors(folder),
    ]


def _keep(home: Home, name: str) -> None:
    """Copy a home's two files, for `_put_back`."""
    for path in (home.warehouse, home.marts):
        shutil.copyfile(path, path.with_suffix(f".{name}"))


def _put_back(home: Home, name: str) -> None:
    for path in (home.warehouse, home.marts):
        shutil.copyfile(path.with_suffix(f".{name}"), path)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _built(settings: Settings) -> Settings:
    _loaded(settings)
    stages.transform(settings)
    return settings


def _loaded(settings: Settings) -> None:
    stages.fetch(settings, source="drops")
    stages.load(settings)
    stages.check(settings, stage="raw")


def _home(folder: Path, config: str, deliveries: list[Delivery]) -> Settings:
    settings = make_home(folder, config)
    for delivery in deliveries:
        delivery.write(folder / "drops")
    return _built(settings)


def _paths(folder: Path) -> World:
    rows = paths.rows()
    settings = _home(folder, paths.CONFIG, list(paths.deliveries(rows)))
    home = Home(folder)
    home.serving.mkdir(exist_ok=True)

    def agrees() -> None:
        shutil.copyfile(home.marts, home.serving / "current.duckdb")
        test_attribution.test_every_credit_is_what_the_oracle_says(folder, rows)
        for level in ("creator", "channel"):
            test_attribution.test_every_step_and_removal_effect_is_what_the_oracle_says(
                folder, rows, level
            )
        test_attribution.test_the_ledger_shares_markov_inside_each_journey(folder, rows)
        counts = test_attribution.counted(folder, rows)
        test_attribution.test_conversion_of_creators_is_what_loops_count(folder, counts)
        test_attribution.test_conversion_of_tiers_is_what_loops_count(folder, counts)
        test_attribution.test_tiers_have_the_mean_of_their_creators_with_a_code(folder, counts)
        test_attribution.test_kinds_of_evidence_overlap_as_loops_count(folder, counts)
        test_attribution.test_models_disagree_as_their_credits_do(folder)
        test_attribution.test_funnels_are_what_loops_count(folder, rows, counts)
        test_attribution.test_claims_and_the_ledger_differ_as_loops_say(folder, rows)
        test_attribution.test_payouts_are_what_loops_sum(folder, rows)
        test_attribution.test_ambassadors_are_what_loops_count(folder, rows)

    return World("paths", Project(settings), agrees)


def _trust(folder: Path) -> World:
    tests = test_trust_oracle
    settings = _home(folder, tests.config(), tests.deliveries())
    home = Home(folder)
    checks = [check for name, check in vars(tests).items() if name.startswith("test_")]

    def agrees() -> None:
        with duckdb.connect(str(home.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach '{home.marts}' as {MARTS_ALIAS} (read_only)")
            world = trust_oracle.read(tests.deliveries(), connection, tests.RULES, tests.THROUGH)
            for check in checks:
                check(connection, world)

    return World("trust", Project(settings), agrees)


def _purchases(folder: Path) -> World:
    tests = test_purchases
    settings = tests.home(folder)
    marts = tests.expected()

    def agrees() -> None:
        with connect(settings, attach_marts=True) as connection:
            for table, wanted in marts.items():
                assert next(tests.differences(connection, table, wanted), None) is None

    return World("purchases", Project(settings), agrees)


def _visitors(folder: Path) -> Iterator[World]:
    tests = test_stickiness
    for number, case in enumerate(tests.CASES.values()):
        visitors = Visitors(
            seed=case.seed, timezone=case.rules.timezone, first=FIRST, days=tests.DAYS
        )
        deliveries = [one for step in STEPS for one in visitors.deliveries(step)]
        settings = _home(folder / f"visitors-{number}", case.config, deliveries)
        seen = visitors.seen(STEPS[-1])

        def agrees(
            settings: Settings = settings, case: test_stickiness.Case = case, seen: Any = seen
        ) -> None:
            with connect(settings, attach_marts=True) as connection:
                connection.execute(f"use {MARTS_ALIAS}.marts")
                assert next(tests.differences(connection, seen, case.rules), None) is None

        yield World(f"visitors {number}", Project(settings), agrees)
