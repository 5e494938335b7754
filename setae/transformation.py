"""One dbt build over the set of loaded files that no build has modelled yet.

The set is written to `ops.transform_pending`, dbt builds and tests, and only then are the files
marked. Two attached files cannot share a transaction, so the build's digest (of the files it
covers, the code and the variables) is left in the marts file first and in the ledger after it;
where the two disagree, the next build starts from nothing.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

import estimation
from ingestion import loader
from setae import ledger
from setae.errors import BuildFailed, ConfigError, DataError, SetaeError, StorageError
from setae.failpoints import failpoint
from setae.lease import Lease
from setae.progress import Progress
from setae.settings import Settings
from setae.warehouse import (
    MARTS_ALIAS,
    STORAGE_VERSION,
    DamagedMarts,
    DamagedWarehouse,
    Home,
    connect,
    duckdb_config,
    is_out_of_space,
)

BUILD_SCHEMA = "build_state"
"""Schema of the working marts file that holds the build's digest; dropped from published copies."""


PARSED_PROJECT = "partial_parse.msgpack"
"""In dbt's target folder: what it knows of the project from the last time."""

PARSED_CODE = "partial_parse.code_digest"
"""Beside it: of which code that was."""


@dataclass(frozen=True)
class Plan:
    """What a build will cover.

    Attributes:
        pending: Files to model now.
        files: All files the marts will stand on.
        as_of: The only 'now', UTC.
        data_through_date: Last business day that every required feed covers.
        build_digest: Of files, code and variables; names the result.
        basis_digest: Of code and variables that an increment cannot change.
        is_full_refresh: Build from nothing.
        is_done: The marts file holds exactly this already.
    """

    pending: tuple[str, ...]
    files: tuple[str, ...]
    as_of: datetime
    data_through_date: date
    build_digest: str
    basis_digest: str
    is_full_refresh: bool
    is_done: bool


@dataclass(frozen=True)
class TransformResult:
    """What a build did.

    Attributes:
        models: Names of the marts tables built, empty if there was nothing to do.
        nodes: dbt nodes run, by status.
    """

    plan: Plan
    models: tuple[str, ...]
    nodes: dict[str, int]


@cache
def project_directory() -> Path:
    """Where the dbt project is: beside this package in a clone, inside it when installed."""
    here = Path(__file__).resolve().parent
    for place in (here.parent / "dbt_project", here / "dbt_project"):
        if (place / "dbt_project.yml").exists():
            return place
    raise DataError(f"{here.parent}: no dbt_project; install Setae again from its repository")


@cache
def code_digest() -> str:
    """Of every file the build depends on, so that a changed model is never mixed with old rows."""
    total = hashlib.sha256()
    numerics = Path(estimation.__file__).parent
    for root in (project_directory(), numerics):
        for path in sorted(root.rglob("*")):
            relative = path.relative_to(root)
            if path.suffix in {".sql", ".yml", ".csv", ".py"} and relative.parts[0] not in {
                "target",
                "logs",
            }:
                total.update(str(relative).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def plan(settings: Settings, *, as_of: datetime | None, full_refresh: bool) -> Plan:
    """Decide what the next build covers.

    Raises:
        ConfigError: A setting of `[dbt_vars]` that no model reads.
        DamagedMarts: DuckDB cannot read the marts file.
        DataError: Nothing that passed its gate has been loaded, so there is no 'now'.
    """
    _check_variables(settings)
    with connect(settings) as connection:
        ledger.create(connection)
        loader.create_raw_tables(connection, settings)
        files = ledger.open_files(connection)
        modelled = dict(
            connection.execute("select file_id, build_digest from ops.modelled_files").fetchall()
        )
        last = connection.execute(
            "select build_digest, basis_digest, as_of from ops.builds "
            "order by build_id desc limit 1"
        ).fetchone()
        now = as_of or settings.as_of or _newest_window_end(connection)
        if now is None:
            raise DataError(
                f"{settings.home}: nothing loaded says when it is; load a source first, or give "
                "--as-of 2026-11-22T00:00:00Z"
            )
        through = _data_through(connection, settings, now)
    variables = _fixed_variables(settings)
    basis = ledger.digest([code_digest(), variables])
    build = ledger.digest([basis, now, through, files])
    in_marts = _digest_in_marts(settings)
    agrees = last is not None and in_marts == last[0]
    pending = sorted(set(files) - set(modelled))
    is_full = (
        full_refresh
        or last is None
        or not agrees
        or last[1] != basis
        or bool(set(modelled) - set(files))
        or now < last[2].replace(tzinfo=UTC)  # an increment only knows what became true since
    )
    return Plan(
        pending=tuple(files if is_full else pending),
        files=tuple(files),
        as_of=now,
        data_through_date=through,
        build_digest=build,
        basis_digest=basis,
        is_full_refresh=is_full,
        is_done=not full_refresh and agrees and in_marts == build,
    )


def build(
    settings: Settings,
    work: Plan,
    *,
    lease: Lease,
    progress: Progress,
) -> TransformResult:
    """Run the plan through dbt: seeds, models and data tests, in one call.

    Raises:
        BuildFailed: A node failed; nothing is marked as modelled, so the next run builds the
            same set again.
        ConfigError: It needs more memory than `memory_limit`.
        StorageError: The disk is full.
    """
    home = Home(settings.home)
    with connect(settings, attach_marts=True) as connection:
        connection.execute("begin")
        connection.execute("delete from ops.transform_pending")
        if work.pending:
            connection.executemany(
                "insert into ops.transform_pending values (?)", [[file] for file in work.pending]
            )
        lease.check()
        connection.execute("commit")
        # A build that dies half-way must not be taken for the one before it.
        connection.execute(f"drop schema if exists {MARTS_ALIAS}.{BUILD_SCHEMA} cascade")
    failpoint("transform:after_pending")
    lease.check()
    nodes, models = _run_dbt(settings, work, home, progress)
    failpoint("transform:after_dbt")
    lease.check()
    with connect(settings, attach_marts=True) as connection:
        connection.execute(f"create schema if not exists {MARTS_ALIAS}.{BUILD_SCHEMA}")
        connection.execute(
            f"create or replace table {MARTS_ALIAS}.{BUILD_SCHEMA}.build as select "
            "$build as build_digest, $as_of::timestamp as as_of, $through::date as "
            "data_through_date",
            {
                "build": work.build_digest,
                "as_of": _naive(work.as_of),
                "through": work.data_through_date,
            },
        )
        failpoint("transform:after_marts_digest")
        connection.execute("begin")
        if work.is_full_refresh:
            connection.execute("delete from ops.modelled_files")
        connection.execute(
            "insert into ops.modelled_files select file_id, ? from ops.transform_pending",
            [work.build_digest],
        )
        connection.execute(
            """
            insert into ops.builds
            select coalesce(max(build_id), 0) + 1, ?, ?, ?, ?, ?, ?, ? from ops.builds
            """,
            [
                work.build_digest,
                work.basis_digest,
                len(work.files),
                _naive(work.as_of),
                work.data_through_date,
                work.is_full_refresh,
                _naive(datetime.now(UTC)),
            ],
        )
        connection.execute("delete from ops.transform_pending")
        lease.check()
        failpoint("transform:before_commit")
        connection.execute("commit")
    return TransformResult(plan=work, models=models, nodes=nodes)


def _naive(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _newest_window_end(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    row = connection.execute(
        "select max(coalesce(window_end_at, received_at)) from ops.loaded_files "
        "where gate_status in ('passed', 'accepted')"
    ).fetchone()
    return row[0].replace(tzinfo=UTC) if row and row[0] else None


def _data_through(
    connection: duckdb.DuckDBPyConnection, settings: Settings, as_of: datetime
) -> date:
    """The least last-complete business day over the required feeds.

    A feed covers what its windows say; one that came without a window covers up to `as_of`,
    because nothing tells when it ended. A configured source without `required_entities` requires
    every windowed feed that has delivered.
    """
    rows = connection.execute(
        "select source, entity, max(window_end_at), bool_and(window_end_at is not null) "
        "from ops.loaded_files where gate_status in ('passed', 'accepted') "
        "group by source, entity order by source, entity"
    ).fetchall()
    ends = [as_of]
    for source, entity, end, is_windowed in rows:
        required = settings.sources[source].required_entities if source in settings.sources else ()
        if is_windowed and (not required or entity in required):
            ends.append(end.replace(tzinfo=UTC))
    zone = ZoneInfo(settings.business_timezone)
    local = min(ends).astimezone(zone)
    midnight = datetime.combine(local.date(), time(), zone)
    complete = local.date() - timedelta(days=1)
    return complete if local >= midnight else complete - timedelta(days=1)


def _check_variables(settings: Settings) -> None:
    """A misspelt variable would change nothing and say nothing."""
    if not settings.dbt_vars:
        return
    from dbt.clients.yaml_helper import load_yaml_text

    project = load_yaml_text((project_directory() / "dbt_project.yml").read_text()) or {}
    known = project["vars"]
    for name in settings.dbt_vars:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else "see `vars:` of dbt_project.yml"
            raise ConfigError(
                f"{Home(settings.home).config}: [dbt_vars] {name}: no such variable; {advice}"
            )


def _fixed_variables(settings: Settings) -> dict[str, Any]:
    """Variables whose change makes every row doubtful."""
    return {
        "business_timezone": settings.business_timezone,
        "week_start": settings.week_start,
        "leading_tier_scheme": settings.leading_tier_scheme,
        "reporting_currency": settings.reporting_currency or "",
        **settings.dbt_vars,
    }


def _digest_in_marts(settings: Settings) -> str | None:
    home = Home(settings.home)
    if not home.marts.exists():
        return None
    try:
        with connect(settings, attach_marts=True) as connection:
            found = connection.execute(
                "select 1 from duckdb_tables() where database_name = ? and schema_name = ?",
                [MARTS_ALIAS, BUILD_SCHEMA],
            ).fetchone()
            if found is None:
                return None
            row = connection.execute(
                f"select build_digest from {MARTS_ALIAS}.{BUILD_SCHEMA}.build"
            ).fetchone()
    except DamagedWarehouse as error:  # the warehouse itself was read just before
        raise DamagedMarts(f"{home.marts}: damaged ({error.__cause__})") from error
    return str(row[0]) if row else None


def _run_dbt(
    settings: Settings, work: Plan, home: Home, progress: Progress
) -> tuple[dict[str, int], tuple[str, ...]]:
    from dbt.cli.main import dbtRunner

    arguments = [
        "build",
        *("--project-dir", str(project_directory())),
        *("--profiles-dir", str(project_directory())),
        *("--target-path", str(home.dbt / "target")),
        *("--log-path", str(home.dbt / "logs")),
        *("--vars", json.dumps(_fixed_variables(settings), sort_keys=True)),
        *("--exclude-resource-type", "unit_test"),
        # Nobody reads the artefacts or the console, and the debug log is a tenth of a small
        # build's time.
        *("--no-write-json", "--log-level", "none", "--log-level-file", "info"),
        *(("--full-refresh",) if work.is_full_refresh else ()),
        *("--quiet", "--no-use-colors", "--fail-fast"),
    ]
    _forget_other_projects(home)
    counter = _Counter(progress)
    clock = {
        "SETAE_BUILD_AS_OF": _naive(work.as_of).isoformat(sep=" "),
        "SETAE_BUILD_DATA_THROUGH_DATE": work.data_through_date.isoformat(),
    }
    with _environment(settings, clock), contextlib.redirect_stdout(io.StringIO()):
        outcome = dbtRunner(callbacks=[counter]).invoke(arguments)
        _close_dbt()
    log = home.dbt / "logs" / "dbt.log"
    results = list(getattr(outcome.result, "results", None) or [])
    if not outcome.success:
        raise _failure(results, outcome.exception, settings=settings, log=log)
    nodes: dict[str, int] = {}
    for result in results:
        nodes[str(result.status)] = nodes.get(str(result.status), 0) + 1
    models = tuple(
        sorted(
            result.node.name
            for result in results
            if result.node.resource_type == "model" and result.node.schema == "marts"
        )
    )
    return nodes, models


def _failure(
    results: list[Any], exception: BaseException | None, *, settings: Settings, log: Path
) -> SetaeError:
    """What went wrong in dbt, told by the first node that failed."""
    where, text = "dbt", str(exception)
    for result in results:
        if str(result.status) in {"error", "fail", "runtime error"}:
            node = result.node
            where = f"dbt: {node.resource_type} {node.name} ({node.original_file_path})"
            text = str(result.message)
            break
    if is_out_of_space(text):
        return StorageError(f"{where}: no space left; free some and run again; see {log}")
    if "Out of Memory" in text:
        return ConfigError(
            f"{where}: {settings.memory_limit} of memory are not enough; raise `memory_limit` or "
            f"lower `threads` in setae.toml; see {log}"
        )
    return BuildFailed(f"{where}: {_first_line(text)}; see {log}")


def _forget_other_projects(home: Home) -> None:
    """Let dbt read the project anew if it is not the one it read last in this home.

    Reading on from another version's metrics, dbt finds them twice and stops.
    """
    place = home.dbt / "target"
    known = place / PARSED_CODE
    if not known.exists() or known.read_text() != code_digest():
        (place / PARSED_PROJECT).unlink(missing_ok=True)
        place.mkdir(parents=True, exist_ok=True)
        known.write_text(code_digest())


def _close_dbt() -> None:
    """Close dbt's connection: it outlives the call, and no other could open the file beside it."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters

    reset_adapters()  # type: ignore[no-untyped-call]
    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()  # type: ignore[no-untyped-call]
    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


class _Counter:
    """Counts finished dbt nodes for the progress display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._done = 0

    def __call__(self, event: Any) -> None:
        if event.info.name == "NodeFinished":
            self._done += 1
            failpoint("transform:after_node")
            node = event.data.node_info.node_name
            self._progress.advance(self._done, 0, node)


def _first_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "no message").splitlines() if line.strip()]
    return " ".join(lines[:3])[:400]


@contextlib.contextmanager
def _environment(settings: Settings, clock: Mapping[str, str] | None = None) -> Iterator[None]:
    """What dbt reads: in `profiles.yml` the same path and settings map as ours, and the clock."""
    home, config = Home(settings.home), duckdb_config(settings)
    wanted = {
        "SETAE_WAREHOUSE_PATH": str(home.warehouse),
        "SETAE_MARTS_PATH": str(home.marts),
        "SETAE_STORAGE_VERSION": STORAGE_VERSION,
        # Whoever asks MetricFlow in the same shell has another (docs/query/metricflow.md).
        "DBT_TARGET": "duckdb",
        **{f"SETAE_DUCKDB_{name.upper()}": value for name, value in config.items()},
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **(clock or {}),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
