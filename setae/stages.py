"""The stages of the flow: plain functions that the command line and Airflow tasks call.

    fetch → load → check(raw) → transform → check(marts) → publish

Each takes the settings of one home, writes what it did to `status.json` and returns a frozen
dataclass. A stage that writes the warehouse holds its lease, and never an open connection while dbt
or Great Expectations run. Every stage is safe to run again at any time.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ingestion import landing, loader, quarantine, sources
from ingestion.landing import Manifest
from ingestion.loader import LoadResult
from ingestion.quarantine import ReleaseResult
from quality import gate
from quality.gate import GateReport
from serving import comparison, publish as publication
from serving.comparison import Comparison
from serving.publish import PublishResult
from setae import ledger, transformation
from setae.errors import ConfigError, GateFailed, StorageError
from setae.failpoints import failpoint
from setae.lease import current_holder, lease
from setae.progress import Progress, Silent
from setae.settings import Settings
from setae.transformation import TransformResult
from setae.warehouse import (
    DamagedFile,
    DamagedMarts,
    DamagedWarehouse,
    Home,
    connect,
    read_json,
    write_atomically,
)

log = logging.getLogger(__name__)

SILENT: Progress = Silent()


@dataclass(frozen=True)
class FetchResult:
    """What one fetch landed; files that were landed before do not count again."""

    source: str
    manifests: tuple[Manifest, ...]

    @property
    def received(self) -> int:
        """Records in the files landed now."""
        return sum(manifest.received_count for manifest in self.manifests)

    @property
    def rejected(self) -> int:
        """Of them, records that went to quarantine."""
        return sum(manifest.rejected_count for manifest in self.manifests)


@dataclass(frozen=True)
class RunResult:
    """One pass through all stages."""

    fetched: tuple[FetchResult, ...]
    loaded: LoadResult
    raw_gate: GateReport
    transformed: TransformResult
    marts_gate: GateReport
    published: PublishResult


@dataclass(frozen=True)
class Status:
    """What `setae status` shows; gathered without opening the warehouse."""

    home: Path
    holder: str | None
    stages: dict[str, dict[str, Any]]
    publication: dict[str, Any] | None
    landed_file_count: int = 0


@contextmanager
def _recorded(settings: Settings, stage: str) -> Iterator[dict[str, Any]]:
    """Write the stage's beginning and end to `status.json`; the yielded dict is its summary."""
    home = Home(settings.home)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    clock = time.monotonic()
    summary: dict[str, Any] = {}
    _write_status(home, stage, {"state": "running", "started_at": started})
    entry = {"state": "failed", "started_at": started}
    try:
        yield summary
        entry = {"state": "done", "started_at": started, **summary}
    except BaseException as error:
        entry["message"] = str(error) or type(error).__name__
        raise
    finally:
        entry["seconds"] = str(round(time.monotonic() - clock, 1))
        _write_status(home, stage, entry)


def _write_status(home: Home, stage: str, entry: dict[str, Any]) -> None:
    present = _read_status(home)
    present[stage] = entry
    write_atomically(home.status, json.dumps(present, indent=2, sort_keys=True) + "\n")


def _read_status(home: Home) -> dict[str, Any]:
    try:
        return read_json(home.status) if home.status.exists() else {}
    except DamagedFile:
        return {}  # nothing but a display depends on it


def fetch(
    settings: Settings,
    *,
    source: str,
    start: datetime | None = None,
    end: datetime | None = None,
    progress: Progress = SILENT,
) -> FetchResult:
    """Read one source, check it against the contract, pseudonymise it and land it.

    Needs neither the lease nor DuckDB's file: any number of fetches may run at once, anywhere.

    Args:
        source: Its name in `setae.toml`.
        start: Begin of the window, UTC, inclusive; None: all there is.
        end: End of the window, exclusive.

    Raises:
        ConfigError: No such source, or no pseudonym key.
        SourceError: The source cannot be read now.
        DataError: The source's files are unusable as a whole.
    """
    config = settings.source(source)
    settings.pii_master()
    with _recorded(settings, f"fetch {source}") as summary:
        progress.step(f"fetch {source}")
        landed = sources.get(config.kind).fetch(
            settings, name=source, start=start, end=end, progress=progress
        )
        result = FetchResult(source=source, manifests=tuple(landed))
        summary |= {
            "files": len(result.manifests),
            "received": result.received,
            "rejected": result.rejected,
        }
    return result


def load(settings: Settings, *, progress: Progress = SILENT) -> LoadResult:
    """Load every landed file that the ledger lacks.

    A working file that DuckDB finds damaged is set aside under `damaged/` and everything is loaded
    again from landing: the file cannot be its own proof of completeness.

    Raises:
        LeaseHeld: Another process writes the warehouse.
        StorageError: A landed file is not what its manifest says, or the disk failed.
    """
    with lease(settings, stage="load") as held, _recorded(settings, "load") as summary:
        progress.step("load")
        home = Home(settings.home)
        landing.sweep(home.landing)
        try:
            result = _load(settings, held, progress)
        except DamagedWarehouse as error:
            held.check()
            _set_aside(settings, home.warehouse, home.marts)
            result = _load(settings, held, progress, incident=error)
        summary |= {
            "files": len(result.files),
            "received": result.received,
            "loaded": result.loaded,
            "duplicate": result.duplicate,
            "quarantined": result.quarantined,
        }
    return result


def _load(
    settings: Settings,
    held: Any,
    progress: Progress,
    *,
    incident: DamagedWarehouse | None = None,
) -> LoadResult:
    with connect(settings) as connection:
        ledger.create(connection)
        if incident:
            _record_incident(connection, "load", incident)
        result = loader.load_landed(connection, settings, lease=held, progress=progress.advance)
        _replay_acceptances(connection, settings)
        connection.execute("checkpoint")
    return result


def _record_incident(connection: Any, stage: str, error: StorageError) -> None:
    connection.execute(
        "insert into ops.incidents values (?, ?, ?)",
        [datetime.now(UTC).replace(tzinfo=None), stage, str(error)],
    )


def _set_aside(settings: Settings, *paths: Path) -> None:
    home = Home(settings.home)
    place = home.damaged / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    place.mkdir(parents=True)
    for path in paths:
        for part in (path, path.with_name(path.name + ".wal")):
            if part.exists():
                part.replace(place / part.name)


def _acceptance_path(home: Home, file_id: str) -> Path:
    return home.landing / f"{file_id}.accepted.json"


def _replay_acceptances(connection: Any, settings: Settings) -> None:
    """A decision to accept a file lies beside it in landing, so that a rebuild knows it."""
    home = Home(settings.home)
    for file_id in ledger.pending_gate(connection):
        path = _acceptance_path(home, file_id)
        if path.exists():
            reason = str(read_json(path)["reason"])
            ledger.set_gate_status(connection, {file_id: "accepted"}, reason=reason)


def check(
    settings: Settings,
    *,
    stage: Literal["raw", "marts"] = "raw",
    as_of: datetime | None = None,
    accept: str | None = None,
    reason: str | None = None,
    progress: Progress = SILENT,
) -> GateReport:
    """Judge loaded files (`raw`) or the built marts (`marts`) by Great Expectations.

    Args:
        stage: Which gate.
        as_of: What freshness is measured against; by default the settings' or the newest
            window's end.
        accept: A file id whose failed gate a person overrides, with `reason`.

    Raises:
        GateFailed: A check of severity `error` failed. Names the check and the rows.
        ConfigError: `accept` without `reason`, or an unknown file.
    """
    with lease(settings, stage=f"check {stage}") as held:
        if accept is not None:
            _accept(settings, accept, reason)
        with _recorded(settings, f"check {stage}") as summary:
            progress.step(f"check {stage}")
            if stage == "raw":
                report = gate.check_raw(settings, as_of=as_of, progress=progress)
                failpoint("check:before_status")
                held.check()
                if report.file_status:
                    with connect(settings) as connection:
                        ledger.set_gate_status(connection, dict(report.file_status))
                failpoint("check:after_status")
            else:
                report = gate.check_marts(settings, progress=progress)
                failpoint("check:after_marts")
                held.check()
            _log_results(report)
            summary |= {"checks": report.check_count, "failures": len(report.failures)}
            if not report.passed:
                raise GateFailed(report.message)
    return report


def _log_results(report: GateReport) -> None:
    """A line for each check, in the log of whoever runs the gate, such as an Airflow task."""
    for result in report.results:
        verdict = "warned" if result in report.warnings else result.outcome
        log.info(
            "gate %s: %s: %s: %s: %s, expected %s",
            report.stage,
            verdict,
            result.check.table,
            result.check.name,
            result.observed,
            result.check.expected,
        )
    log.info("%s", report.message)


def _accept(settings: Settings, file_id: str, reason: str | None) -> None:
    if not reason:
        raise ConfigError(f"{file_id}: to accept a file say why: --reason '...'")
    with connect(settings) as connection:
        ledger.create(connection)
        found = connection.execute(
            "select 1 from ops.loaded_files where file_id = ?", [file_id]
        ).fetchone()
        if found is None:
            raise ConfigError(f"{file_id}: no such loaded file; the gate's report names them")
        text = json.dumps({"reason": reason, "file_id": file_id}, sort_keys=True)
        write_atomically(_acceptance_path(Home(settings.home), file_id), text)
        ledger.set_gate_status(connection, {file_id: "accepted"}, reason=reason)


def transform(
    settings: Settings,
    *,
    as_of: datetime | None = None,
    full_refresh: bool = False,
    progress: Progress = SILENT,
) -> TransformResult:
    """Build and test the marts for the set of files not modelled yet, in one dbt call.

    Building the same set twice changes nothing; a build that did not end is built again, in full. A
    marts file that DuckDB finds damaged is set aside under `damaged/` and built anew.

    Args:
        as_of: The only 'now'; by default the settings' or the newest window's end.
        full_refresh: Forget what was built and build everything.

    Raises:
        BuildFailed: A model or a data test failed; the message names it.
        ConfigError: It needs more memory than `memory_limit`.
        LeaseHeld: Another process writes the warehouse.
        StorageError: The disk is full.
    """
    with lease(settings, stage="transform") as held, _recorded(settings, "transform") as summary:
        progress.step("transform")
        try:
            work = transformation.plan(settings, as_of=as_of, full_refresh=full_refresh)
        except DamagedMarts as error:
            held.check()
            _set_aside(settings, Home(settings.home).marts)
            with connect(settings) as connection:
                _record_incident(connection, "transform", error)
            work = transformation.plan(settings, as_of=as_of, full_refresh=full_refresh)
        if work.is_done:
            result = TransformResult(plan=work, models=(), nodes={})
        else:
            result = transformation.build(settings, work, lease=held, progress=progress)
        summary |= {
            "files": len(work.pending),
            "models": len(result.models),
            "as_of": work.as_of.isoformat(),
            "data_through_date": work.data_through_date.isoformat(),
        }
    return result


def publish(
    settings: Settings,
    *,
    rollback: bool = False,
    to: str | None = None,
    progress: Progress = SILENT,
) -> PublishResult:
    """Publish the checked marts, or go back to the publication before.

    Args:
        rollback: Point readers at an earlier publication instead of making one.
        to: Run id to go to with `rollback`; by default the newest intact one before the current.

    Raises:
        GateFailed: The marts have not passed their gate since they were built.
        StorageError: No space, or a damaged file; what is published stays.
    """
    with lease(settings, stage="publish") as held, _recorded(settings, "publish") as summary:
        progress.step("publish")
        if rollback:
            result = publication.rollback(settings, lease=held, to=to)
        else:
            result = publication.publish(settings, lease=held, progress=progress)
        summary |= {
            "run_id": result.run_id,
            "content_hash": result.content_hash,
            "changed": result.changed,
        }
    return result


def run(
    settings: Settings,
    *,
    source: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    as_of: datetime | None = None,
    full_refresh: bool = False,
    progress: Progress = SILENT,
) -> RunResult:
    """All stages, for one source or every configured one."""
    names = [source] if source else sorted(settings.sources)
    if not names:
        raise ConfigError(f"{Home(settings.home).config}: no source configured; run `setae init`")
    fetched = tuple(
        fetch(settings, source=name, start=start, end=end, progress=progress) for name in names
    )
    loaded = load(settings, progress=progress)
    raw_gate = check(settings, stage="raw", as_of=as_of, progress=progress)
    transformed = transform(settings, as_of=as_of, full_refresh=full_refresh, progress=progress)
    marts_gate = check(settings, stage="marts", progress=progress)
    published = publish(settings, progress=progress)
    return RunResult(fetched, loaded, raw_gate, transformed, marts_gate, published)


def rebuild(
    settings: Settings, *, as_of: datetime | None = None, progress: Progress = SILENT
) -> TransformResult:
    """Build the warehouse and the marts again from landing alone.

    The old working files are removed once the lease is held; what is published stays until the
    next `publish`.
    """
    home = Home(settings.home)
    with lease(settings, stage="rebuild"):
        for path in (home.warehouse, home.marts):
            for part in (path, path.with_name(path.name + ".wal")):
                part.unlink(missing_ok=True)
        shutil.rmtree(home.temporary, ignore_errors=True)
    load(settings, progress=progress)
    check(settings, stage="raw", as_of=as_of, progress=progress)
    result = transform(settings, as_of=as_of, full_refresh=True, progress=progress)
    check(settings, stage="marts", progress=progress)
    return result


def status(settings: Settings) -> Status:
    """Where things stand; answers during a run, because it opens no working file."""
    home = Home(settings.home)
    holder = current_holder(settings)
    return Status(
        home=home.path,
        holder=holder.describe() if holder else None,
        stages=_read_status(home),
        publication=publication.current(settings),
        landed_file_count=landing.count(home.landing),
    )


def release(
    settings: Settings,
    *,
    ids: tuple[str, ...] = (),
    rule: str | None = None,
    set_fields: dict[str, str] | None = None,
    progress: Progress = SILENT,
) -> ReleaseResult:
    """Run quarantined records through the current contract again and land those that pass."""
    with lease(settings, stage="quarantine release"):
        progress.step("quarantine release")
        with connect(settings) as connection:
            ledger.create(connection)
            chosen = quarantine.choose(connection, ids=ids, rule=rule)
        return quarantine.release(settings, chosen, set_fields=set_fields or {})


def compare(
    first: Path,
    second: Path,
    *,
    ignore: tuple[str, ...] = (),
    keys: Path | None = None,
    examples: int = 0,
) -> Comparison:
    """Compare the marts of two published files, table by table.

    Args:
        ignore: Columns (`table.column`, or `column` in every table) to leave out.
        keys: CSV file (`first,second`) of names that mean the same in the two.
        examples: How many differing rows of each kind to give for a table.
    """
    return comparison.compare(first, second, ignore=ignore, keys=keys, examples=examples)


__all__ = [
    "FetchResult",
    "RunResult",
    "Status",
    "check",
    "compare",
    "fetch",
    "load",
    "publish",
    "rebuild",
    "release",
    "run",
    "status",
    "transform",
]
