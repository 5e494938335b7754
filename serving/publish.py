"""Publish the marts: a new file, then a new pointer; readers see the old one or the new one, whole.

    marts.duckdb ─copy─▶ .tmp-… ─publication table, checkpoint, Parquet, fsync─▶ rename
                 ─▶ marts-<run_id>.duckdb, marts-<run_id>/*.parquet ─▶ manifest ─▶ current.duckdb

Every step is durable before the next begins, so a run killed anywhere leaves either the old
pointer or the new one; the next run sweeps what is half-done and takes up a publication that lacks
nothing but the pointer. Content that equals the current publication is not published again. The
caller holds the lease and has no connection open.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb

from serving import publications as shelf, restatements
from serving.content import BUILD_MARK, MARTS_SCHEMA, PUBLICATION_TABLE, Content, content_hash
from serving.ledger import copy_ledger
from serving.publications import Publication
from setae.errors import DataError, GateFailed, StorageError
from setae.failpoints import failpoint
from setae.lease import Lease
from setae.ledger import CONTRACT_VERSION
from setae.progress import Progress, Silent
from setae.settings import Settings
from setae.warehouse import (
    Home,
    connect,
    duckdb_config,
    literal,
    quote,
    storage_errors,
    sync_directory,
)

BUILD_SCHEMA = "build_state"
"""Where transform leaves the finished build's clock; `setae.transformation` owns it."""

_SPARE_BYTES = 64 * 2**20
_COPIES = 2.0
"""Space needed, in sizes of the working file: the copy, and Parquet at most as large."""

_COMMENTS = {
    "run_id": "Of this publication: as_of, then a number that rises with every publication.",
    "published_at": "When this file was made, UTC. The only time here that comes from a clock.",
    "as_of": "The 'now' that every number in this file is measured against, UTC.",
    "data_through_date": "Last business day that is complete in every required feed.",
    "code_version": "Version of Setae that built the marts.",
    "contract_version": "Version of the canonical model.",
    "content_hash": "Over every column of every mart, whatever the order of rows; equal hashes "
    "mean equal marts.",
    "table_count": "Marts in this file, without this table.",
    "row_count": "Rows of all marts together, without this table.",
    "row_counts": "Rows of each mart: table_name → row_count.",
    "table_hashes": "Content hash of each mart: table_name → hash.",
    "gate_passed_count": "Checks before publication that passed.",
    "gate_warned_count": "Checks of severity warn that failed; see the gate report.",
    "gate_no_history_count": "Checks that had too little history to judge.",
    "restated_order_count": "Orders whose default credit is another than in the publication "
    "before, because a mapping, a click or an identity came late or moved; NULL where nothing "
    "could be compared.",
    "restatements": "What that moved, by month of the order and party: orders and money more or "
    "less than in the publication before; NULL where nothing could be compared.",
}


@dataclass(frozen=True)
class _Build:
    """The build in the working file, as transform left it there."""

    digest: str
    as_of: datetime
    data_through_date: date


@dataclass(frozen=True)
class PublishResult:
    """What a call of `publish` or `rollback` did.

    Attributes:
        publication: The one readers get now.
        changed: Whether readers got another one than before.
        reason: One line that says why, for a person.
        removed: Run ids of old publications that were removed.
        damaged: Run ids of publications found damaged on the way and set aside.
    """

    publication: Publication
    changed: bool
    reason: str
    removed: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """Of the publication readers get now."""
        return self.publication.run_id

    @property
    def content_hash(self) -> str:
        """Of the publication readers get now."""
        return self.publication.content_hash


@dataclass(frozen=True)
class VerifyResult:
    """What `verify` found.

    Attributes:
        run_id: The publication that was current.
        damaged: Its files that are missing or changed; empty if all is well.
        rolled_back_to: Where the pointer went, None if it stayed.
    """

    run_id: str
    damaged: tuple[str, ...]
    rolled_back_to: str | None


def publish(
    settings: Settings,
    *,
    lease: Lease,
    progress: Progress | None = None,
    code_version: str | None = None,
) -> PublishResult:
    """Publish `marts.duckdb` if it passed its gate and its content is new.

    Args:
        settings: Of the home.
        lease: Checked before anything that readers see.
        progress: Told about each step.
        code_version: Stands in the `publication` table; the installed one by default.

    Returns:
        The publication that readers get now, and whether it is another one.

    Raises:
        DataError: There is no finished build to publish.
        GateFailed: The gate failed on this build, or has not seen it.
        StorageError: The disk is full or read-only; temporary files are gone, `current.duckdb`
            is what it was.
    """
    home, told = Home(settings.home), progress or Silent()
    serving = home.serving
    with storage_errors(serving):
        shelf.settle(serving)
        newest = shelf.highest_sequence(serving, home.damaged)
        restatements.sweep(serving, newest)
        told.step("hash the marts")
        build, content = _read_marts(settings)
        gate = _gate_summary(settings, build)
        kept = _already_there(home, content, lease)
        if kept is not None:
            copy_ledger(settings)
            return kept
        _need_space(home)
        publication = Publication(
            run_id=shelf.make_run_id(build.as_of, newest + 1),
            published_at=datetime.now(UTC),
            as_of=build.as_of,
            data_through_date=build.data_through_date,
            code_version=code_version or _installed_version(),
            contract_version=CONTRACT_VERSION,
            content_hash=content.content_hash,
            row_counts=content.row_counts(),
            table_hashes={table.name: table.content_hash for table in content.tables},
            gate=gate,
        )
        with _sweeping(serving):
            publication = _write(settings, publication, lease, told)
        lease.check()
        shelf.point_to(serving, publication)
        return _finish(settings, publication, told)


def rollback(
    settings: Settings,
    *,
    lease: Lease,
    to: str | None = None,
) -> PublishResult:
    """Point readers at an earlier publication (or, with `to`, at any that is kept).

    What is newer than the target is marked as withdrawn: `publish` does not bring the same content
    back, and publishes again as soon as the content differs.

    Args:
        settings: Of the home.
        lease: Checked before the pointer moves.
        to: Run id to go to; by default the newest intact one before the current.

    Raises:
        DataError: There is nothing to go back to.
        StorageError: The wanted publication is damaged.
    """
    home = Home(settings.home)
    serving = home.serving
    with storage_errors(serving):
        shelf.settle(serving)
        now = _current(serving)
        everything = shelf.publications(serving)
        if to is None:
            target, damaged = _newest_intact_before(home, now)
        else:
            damaged = ()
            found = [publication for publication in everything if publication.run_id == to]
            if not found:
                known = ", ".join(publication.run_id for publication in everything)
                raise DataError(f"{serving}: no publication {to!r}; there are: {known}")
            target = found[0]
            if wrong := shelf.damaged_files(serving, target):
                raise StorageError(
                    f"{serving / wrong[0]}: damaged or missing; choose another publication"
                )
        lease.check()
        for publication in everything:
            if publication.sequence > target.sequence and publication.run_id not in damaged:
                shelf.withdraw(serving, publication, reason=f"rolled back to {target.run_id}")
                failpoint("publish:after_withdraw")
        shelf.restore(serving, target)
        shelf.point_to(serving, target)
        copy_ledger(settings)
    return PublishResult(
        publication=target,
        changed=target.run_id != now.run_id,
        reason=f"readers get {target.run_id} again, {now.run_id} is withdrawn",
        damaged=damaged,
    )


def verify(settings: Settings, *, lease: Lease) -> VerifyResult:
    """Compare every byte of the current publication with its manifest.

    A damaged one is moved to `damaged/` and the pointer goes back to the newest intact one before
    it; `publish` then makes the lost content anew.

    Raises:
        DataError: Nothing is published.
        StorageError: It is damaged, and there is no intact one to go back to.
    """
    home = Home(settings.home)
    serving = home.serving
    with storage_errors(serving):
        now = _current(serving)
        wrong = shelf.damaged_files(serving, now)
        if not wrong:
            return VerifyResult(run_id=now.run_id, damaged=(), rolled_back_to=None)
        try:
            target, _ = _newest_intact_before(home, now)
        except DataError as error:
            raise StorageError(
                f"{serving / wrong[0]}: damaged, and no intact publication before it; run "
                f"`setae publish` once {serving} is sound"
            ) from error
        lease.check()
        shelf.point_to(serving, target)
        shelf.set_aside(serving, now, into=home.damaged)
        copy_ledger(settings)
        return VerifyResult(run_id=now.run_id, damaged=wrong, rolled_back_to=target.run_id)


def current(settings: Settings) -> dict[str, Any] | None:
    """The publication that readers get, for display; opens no database file."""
    serving = Home(settings.home).serving
    now = shelf.current(serving)
    if now is None:
        return None
    return {
        "run_id": now.run_id,
        "published_at": now.published_at.isoformat(timespec="seconds"),
        "as_of": now.as_of.isoformat(),
        "data_through_date": now.data_through_date.isoformat(),
        "content_hash": now.content_hash,
        "row_counts": dict(now.row_counts),
        "path": str(shelf.database_path(serving, now)),
    }


def _already_there(home: Home, content: Content, lease: Lease) -> PublishResult | None:
    serving = home.serving
    now = shelf.current(serving)
    if now is not None and now.content_hash == content.content_hash:
        if not shelf.damaged_files(serving, now):
            return PublishResult(
                publication=now,
                changed=False,
                reason=f"nothing changed: the content equals {now.run_id}",
            )
        return None  # the next one replaces it
    since = now.sequence if now is not None else 0
    for publication in reversed(shelf.publications(serving)):
        if publication.sequence <= since or publication.content_hash != content.content_hash:
            continue
        if shelf.is_withdrawn(serving, publication):
            if now is not None:
                return PublishResult(
                    publication=now,
                    changed=False,
                    reason=f"the content equals {publication.run_id}, which was rolled back; "
                    f"`setae publish --rollback --to {publication.run_id}` brings it back",
                )
        elif not shelf.damaged_files(serving, publication):
            lease.check()
            shelf.point_to(serving, publication)  # a run died before its pointer moved
            return PublishResult(
                publication=publication,
                changed=True,
                reason=f"finished {publication.run_id}, which lacked only the pointer",
            )
    return None


def _write(
    settings: Settings,
    publication: Publication,
    lease: Lease,
    progress: Progress,
) -> Publication:
    home = Home(settings.home)
    serving = home.serving
    database = shelf.temporary_name(serving, "marts.duckdb")
    parquet = shelf.temporary_name(serving, "parquet")
    progress.step("copy the marts")
    shutil.copyfile(home.marts, database)
    failpoint("publish:after_copy")
    progress.step("write Parquet")
    parquet.mkdir()
    _complete_copy(settings, database, parquet, publication, progress)
    failpoint("publish:after_write")
    for path in (database, *parquet.iterdir()):
        shelf.make_durable(path)
    sync_directory(parquet)
    failpoint("publish:before_rename")
    lease.check()
    progress.step("publish")
    database.rename(shelf.database_path(serving, publication))
    failpoint("publish:after_rename")
    parquet.rename(shelf.parquet_path(serving, publication))
    sync_directory(serving)
    failpoint("publish:before_manifest")
    return shelf.write_manifest(serving, publication)


def _finish(settings: Settings, publication: Publication, progress: Progress) -> PublishResult:
    serving = Home(settings.home).serving
    removed = shelf.prune(serving, keep=settings.keep_publications)
    failpoint("publish:after_prune")
    progress.step("copy the ledger")
    copy_ledger(settings)
    return PublishResult(
        publication=publication,
        changed=True,
        reason="new content",
        removed=removed,
    )


def _read_marts(settings: Settings) -> tuple[_Build, Content]:
    """The finished build in the working file: its clock and its content."""
    path = Home(settings.home).marts
    if not path.exists():
        raise DataError(f"{path}: no marts yet; run `setae transform` first")
    with storage_errors(path):
        # Not read-only: a log that a killed build left is folded into the file before it is copied.
        connection = duckdb.connect(str(path), config=_config(settings))
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("checkpoint")
            try:
                row = connection.execute(
                    f"select build_digest, as_of, data_through_date from {BUILD_SCHEMA}.build"
                ).fetchone()
            except duckdb.CatalogException:
                row = None
            if row is None:
                raise DataError(f"{path}: its last build did not finish; run `setae transform`")
            build = _Build(
                digest=str(row[0]),
                as_of=row[1].replace(tzinfo=UTC),
                data_through_date=row[2],
            )
            return build, content_hash(connection)
        finally:
            connection.close()


def _gate_summary(settings: Settings, build: _Build) -> dict[str, int]:
    """How the gate judged this very build, newest judgement first."""
    unseen = GateFailed(
        f"{Home(settings.home).marts}: no gate has judged this build; run `setae check marts`"
    )
    with connect(settings, read_only=True) as connection:
        try:
            rows = connection.execute(
                """
                select outcome, severity, check_name, table_name
                from ops.gate_results
                where gate_run_id = (
                    select max(gate_run_id) from ops.gate_results
                    where stage = 'marts' and build_digest = ?
                )
                order by check_name, table_name
                """,
                [build.digest],
            ).fetchall()
        except duckdb.CatalogException:
            raise unseen from None
    if not rows:
        raise unseen
    summary = {"passed": 0, "warned": 0, "no_history": 0}
    for outcome, severity, check_name, table_name in rows:
        if outcome == "failed" and severity == "error":
            raise GateFailed(
                f"{table_name}: the check {check_name} failed on this build; nothing is "
                f"published, see {Home(settings.home).reports / 'gate-marts.html'}"
            )
        summary["warned" if outcome == "failed" else outcome] += 1
    return summary


def _complete_copy(
    settings: Settings,
    database: Path,
    parquet: Path,
    publication: Publication,
    progress: Progress,
) -> None:
    with storage_errors(database):
        connection = duckdb.connect(str(database), config=_config(settings))
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"drop schema if exists {BUILD_SCHEMA} cascade")
            for name in _marts(connection):
                if BUILD_MARK in name:
                    connection.execute(f"drop table {MARTS_SCHEMA}.{quote(name)}")
            serving = Home(settings.home).serving
            shown = shelf.current(serving)
            is_compared = restatements.find(
                connection, shelf.database_path(serving, shown) if shown is not None else None
            )
            restatements.keep(
                connection, serving, publication.run_id, shown.run_id if shown else None
            )
            _write_publication_table(connection, publication, is_compared=is_compared)
            connection.execute("checkpoint")
            names = _marts(connection)
            for done, name in enumerate(names):
                progress.advance(done, len(names), name)
                connection.execute(
                    f"copy {MARTS_SCHEMA}.{quote(name)} "
                    f"to {literal(str(parquet / f'{name}.parquet'))} "
                    "(format parquet, compression zstd)"
                )
            progress.advance(len(names), len(names))
        finally:
            connection.close()
    leftover = database.with_name(database.name + ".wal")
    if leftover.exists():
        raise StorageError(f"{leftover}: the copy was not closed cleanly; publish again")


def _marts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() "
        "where database_name = current_database() and schema_name = ? order by table_name",
        [MARTS_SCHEMA],
    ).fetchall()
    return [name for (name,) in rows]


def _write_publication_table(
    connection: duckdb.DuckDBPyConnection, publication: Publication, *, is_compared: bool
) -> None:
    told = (restatements.RESTATED_ORDERS, restatements.SUMMARY) if is_compared else ("null", "null")
    table = f"{MARTS_SCHEMA}.{PUBLICATION_TABLE}"
    connection.execute(
        f"""
        create or replace table {table} (
            run_id varchar not null,
            published_at timestamp not null,
            as_of timestamp not null,
            data_through_date date not null,
            code_version varchar not null,
            contract_version varchar not null,
            content_hash varchar not null,
            table_count bigint not null,
            row_count bigint not null,
            row_counts map(varchar, bigint) not null,
            table_hashes map(varchar, varchar) not null,
            gate_passed_count bigint not null,
            gate_warned_count bigint not null,
            gate_no_history_count bigint not null,
            restated_order_count bigint,
            restatements {restatements.SUMMARY_TYPE}
        )
        """
    )
    counts, hashes = publication.row_counts, publication.table_hashes
    connection.execute(
        f"insert into {table} values "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, map(?, ?::bigint[]), map(?, ?), ?, ?, ?, "
        f"{', '.join(told)})",
        [
            publication.run_id,
            publication.published_at.replace(tzinfo=None),
            publication.as_of.astimezone(UTC).replace(tzinfo=None),
            publication.data_through_date,
            publication.code_version,
            publication.contract_version,
            publication.content_hash,
            len(counts),
            sum(counts.values()),
            list(counts.keys()),
            list(counts.values()),
            list(hashes.keys()),
            list(hashes.values()),
            publication.gate.get("passed", 0),
            publication.gate.get("warned", 0),
            publication.gate.get("no_history", 0),
        ],
    )
    connection.execute(
        f"comment on table {table} is "
        "'One row per publication, that is one row in each published file: which run made it, as "
        "of when, and what is in it.'"
    )
    for column, text in _COMMENTS.items():
        connection.execute(f"comment on column {table}.{column} is {literal(text)}")


def _need_space(home: Home) -> None:
    needed = int(home.marts.stat().st_size * _COPIES) + _SPARE_BYTES
    free = shutil.disk_usage(home.serving).free
    if free < needed:
        raise StorageError(
            f"{home.serving}: {free // 2**20} MiB free, a publication needs up to "
            f"{needed // 2**20} MiB; free some space or lower keep_publications, then run again"
        )


@contextmanager
def _sweeping(serving: Path) -> Iterator[None]:
    """Leave no half-made file behind when something goes wrong."""
    try:
        yield
    except BaseException:
        shelf.settle(serving)
        raise


def _current(serving: Path) -> Publication:
    now = shelf.current(serving)
    if now is None:
        raise DataError(f"{serving}: nothing is published yet; run `setae publish`")
    return now


def _newest_intact_before(home: Home, now: Publication) -> tuple[Publication, tuple[str, ...]]:
    """The publication to go back to, and the damaged ones passed over and set aside."""
    serving = home.serving
    damaged: list[str] = []
    for publication in reversed(shelf.publications(serving)):
        if publication.sequence >= now.sequence or shelf.is_withdrawn(serving, publication):
            continue
        if shelf.damaged_files(serving, publication):
            shelf.set_aside(serving, publication, into=home.damaged)
            damaged.append(publication.run_id)
            continue
        return publication, tuple(damaged)
    raise DataError(f"{serving}: no intact publication before {now.run_id}; nothing to go back to")


def _config(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    return dict(duckdb_config(settings))


def _installed_version() -> str:
    try:
        return version("setae")
    except PackageNotFoundError:
        return "unknown"
