"""Landing → `raw_<source>`, exactly once.

Each load first compares the manifests on disk with `ops.loaded_files`; a landed file that the
ledger lacks is loaded, whatever the reason. Its rows, its rejects and its ledger line commit in one
transaction, after the lease was checked. Each received record is exactly one of: loaded (a version
not seen before), duplicate (record key and hash known), quarantined (rejected, or parked until its
parent arrives) or erased.

    landing/<source>/<entity>/*.parquet  →  raw_<source>.<entity>     good rows
                              *.rejects  →  ops.quarantine_records    what failed, and why

A parked row lies in its raw table with `_is_parked`; staging does not read it. The load that brings
its parent releases it, and the counts of the file it came with change with it, so that in the end
the ledger does not depend on the order of delivery.

Run it alone: `setae load`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from ingestion import contract, landing
from ingestion.contract import EntityContract
from ingestion.landing import Manifest
from setae import ledger
from setae.errors import StorageError
from setae.failpoints import failpoint
from setae.lease import Lease
from setae.settings import Settings
from setae.warehouse import Home, quote

LINEAGE = (
    *((column.name, column.duckdb_type) for column in contract.LANDED_COLUMNS),
    ("_file_id", "VARCHAR"),
    ("_is_parked", "BOOLEAN"),
)
"""Columns every raw table has beside its contract's."""


@dataclass(frozen=True)
class LoadedFile:
    """What became of one landed file's records; the counts add up to `received`."""

    file_id: str
    received: int
    loaded: int
    duplicate: int
    quarantined: int
    erased: int


@dataclass(frozen=True)
class LoadResult:
    """The files one load brought in, and how many parked rows found their parent."""

    files: tuple[LoadedFile, ...]
    unparked: int

    @property
    def received(self) -> int:
        """Records in all files."""
        return sum(file.received for file in self.files)

    @property
    def loaded(self) -> int:
        """Records that are a new version."""
        return sum(file.loaded for file in self.files)

    @property
    def duplicate(self) -> int:
        """Records whose key and content were known."""
        return sum(file.duplicate for file in self.files)

    @property
    def quarantined(self) -> int:
        """Records rejected or parked."""
        return sum(file.quarantined for file in self.files)


def source_kinds(settings: Settings) -> dict[str, str]:
    """Configured sources and their kinds, and every other kind too, so that staging compiles."""
    kinds = {name: source.kind for name, source in settings.sources.items()}
    return {kind: kind for kind in contract.source_kinds()} | kinds


def create_raw_tables(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make every raw table of every known source, and add columns a newer contract brought."""
    present: dict[tuple[str, str], set[str]] = {}
    for schema, entity, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() "
        "where database_name = current_database() and starts_with(schema_name, 'raw_')"
    ).fetchall():
        present.setdefault((schema, entity), set()).add(column)
    statements = []
    for source, kind in sorted(source_kinds(settings).items()):
        schema = f"raw_{source}"
        statements.append(f"create schema if not exists {quote(schema)}")
        for entity in contract.entities(kind):
            table = f"{quote(schema)}.{quote(entity)}"
            columns = {
                **{
                    column.name: column.duckdb_type
                    for column in contract.load(kind, entity).columns
                },
                **dict(LINEAGE),
            }
            there = present.get((schema, entity))
            if there is None:
                body = ", ".join(f"{quote(name)} {type_}" for name, type_ in columns.items())
                statements.append(f"create table {table} ({body})")
                continue
            statements += [
                f"alter table {table} add column {quote(name)} {type_}"
                for name, type_ in columns.items()
                if name not in there
            ]
    connection.execute(";\n".join(["begin", *statements, "commit"]))


def load_landed(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    *,
    lease: Lease,
    progress: Callable[[int, int, str], None],
) -> LoadResult:
    """Load every landed file the ledger lacks.

    Args:
        connection: To the warehouse, writable.
        settings: Of the home.
        lease: Checked before each commit.
        progress: Called with (files done, files in all, file id).

    Returns:
        One entry per file loaded now; empty if the ledger had them all.

    Raises:
        StorageError: A landed file is not what its manifest says, or the disk failed.
        LeaseHeld: The lease was taken over; the open transaction was rolled back.
    """
    ledger.create(connection)
    create_raw_tables(connection, settings)
    ledger.stamp_contract(connection)
    root = Home(settings.home).landing
    known = ledger.loaded(connection)
    manifests = list(landing.iter_manifests(root))
    for manifest in manifests:
        digest = known.get(manifest.file_id)
        if digest is not None and digest != manifest.data_sha256:
            raise StorageError(
                f"{root / manifest.file_id}: the ledger has sha256 {digest[:12]} and the manifest "
                f"{manifest.data_sha256[:12]}; landed files never change: run `setae rebuild`"
            )
    wanted = sorted(
        (manifest for manifest in manifests if manifest.file_id not in known),
        key=lambda manifest: (_depth(settings, manifest), manifest.file_id),
    )
    done: list[LoadedFile] = []
    for number, manifest in enumerate(wanted):
        progress(number, len(wanted), manifest.file_id)
        done.append(_load_file(connection, settings, manifest, root, lease))
    unparked = _unpark(connection, settings, lease)
    _settle_quarantine(
        connection,
        settings,
        lease,
        releases=sorted({one for manifest in manifests for one in manifest.releases}),
    )
    progress(len(wanted), len(wanted), "")
    return LoadResult(files=tuple(done), unparked=unparked)


def _depth(settings: Settings, manifest: Manifest) -> int:
    """How many ancestors an entity has: parents are loaded first, so that fewer rows park."""
    kind = source_kinds(settings).get(manifest.source, manifest.source)
    depth, parent = 0, contract.load(kind, manifest.entity).parent
    while parent is not None:
        depth, parent = depth + 1, contract.load(kind, parent.entity).parent
    return depth


def _load_file(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    manifest: Manifest,
    root: Path,
    lease: Lease,
) -> LoadedFile:
    landing.verify(manifest, root)
    kind = source_kinds(settings)[manifest.source]
    entity = contract.load(kind, manifest.entity)
    connection.execute("begin")
    try:
        loaded, parked = _insert_good(connection, manifest, entity, root)
        failpoint("load:after_rows")
        warnings = _insert_rejects(connection, manifest, root)
        failpoint("load:after_rejects")
        file = LoadedFile(
            file_id=manifest.file_id,
            received=manifest.received_count,
            loaded=loaded - parked,
            duplicate=manifest.good_count - loaded,
            quarantined=manifest.rejected_count + parked,
            erased=0,
        )
        _insert_line(connection, manifest, file, parked, warnings, lease)
        lease.check()
        failpoint("load:before_commit")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    failpoint("load:after_commit")
    return file


def _insert_good(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, entity: EntityContract, root: Path
) -> tuple[int, int]:
    """Insert versions not seen before; returns (rows inserted, of them parked)."""
    if manifest.good_count == 0:
        return 0, 0
    schema = f"raw_{manifest.source}"
    table = f"{quote(schema)}.{quote(manifest.entity)}"
    orphan = "false"
    if entity.parent is not None:
        orphan = f"not {_has_parent(schema, entity, 'fresh')}"
    names = ", ".join(
        quote(name)
        for name in (
            *(column.name for column in entity.columns),
            *(column.name for column in contract.LANDED_COLUMNS),
        )
    )
    fresh = f"""
        select {names}, $file_id as _file_id
        from read_parquet($path) as landed
        where not exists (
            select 1 from {table} as known
            where known._record_key = landed._record_key
            and known._record_hash = landed._record_hash
        )
        qualify row_number() over (
            partition by landed._record_key, landed._record_hash order by landed._line
        ) = 1
    """
    path = str(landing.data_path(manifest, root))
    connection.execute(
        f"insert into {table} by name "
        f"select fresh.*, {orphan} as _is_parked from ({fresh}) as fresh",
        {"file_id": manifest.file_id, "path": path},
    )
    row = connection.execute(
        f"select count(*), count(*) filter (where _is_parked) from {table} where _file_id = ?",
        [manifest.file_id],
    ).fetchone()
    assert row is not None
    if row[1]:
        _record_parked(connection, manifest, table)
    return int(row[0]), int(row[1])


def _has_parent(schema: str, entity: EntityContract, child: str) -> str:
    """SQL: a row of `child` has a parent that is not parked itself."""
    assert entity.parent is not None
    on = " and ".join(
        f"parent.{quote(theirs)} = {child}.{quote(ours)}" for ours, theirs in entity.parent.columns
    )
    return (
        f"exists (select 1 from {quote(schema)}.{quote(entity.parent.entity)} as parent "
        f"where parent._source_account = {child}._source_account and {on} "
        "and not parent._is_parked)"
    )


_QUARANTINE_COLUMNS = (
    "quarantine_id, file_id, source, source_account, entity, origin_name, line, byte_offset, "
    "record_key, rule, reasons, field, message, severity, payload, payload_digest, status, "
    "times_seen, first_seen_at, last_seen_at, contract_version"
)


def _record_parked(connection: duckdb.DuckDBPyConnection, manifest: Manifest, table: str) -> None:
    connection.execute(
        f"""
        insert into ops.quarantine_records ({_QUARANTINE_COLUMNS})
        select
            sha256($source || '.' || $entity || ':parked:' || _record_key || ':' || _record_hash),
            $file_id, $source, _source_account, $entity, $origin, _line, null, _record_key,
            'Q12', '["Q12"]', null,
            'its parent has not arrived; kept aside until it does, nothing to do',
            'park', null, _record_hash, 'open', 1, _received_at, _received_at, $version
        from {table}
        where _file_id = $file_id and _is_parked
        """,
        {
            "source": manifest.source,
            "entity": manifest.entity,
            "file_id": manifest.file_id,
            "origin": manifest.origin.name,
            "version": manifest.contract_version,
        },
    )


def _insert_rejects(connection: duckdb.DuckDBPyConnection, manifest: Manifest, root: Path) -> int:
    """Upsert what failed into the quarantine; returns how many warnings the file has."""
    path = landing.rejects_path(manifest, root)
    if path is None:
        return 0
    # The same bad record delivered twice is one line of the quarantine, seen twice; where it was
    # first found is the least (file, line), so that the order of delivery does not show.
    connection.execute(
        """
        create or replace temp table rejects as
        select
            sha256(
                $source || '.' || $entity || ':' || severity || ':'
                || coalesce(payload, payload_digest)
            ) as quarantine_id,
            $file_id as file_id, $source as source, $account as source_account,
            $entity as entity, $origin as origin_name,
            _line as line, _byte_offset as byte_offset, record_key, rule, reasons, field, message,
            severity, payload, payload_digest, 'open' as status, 1::bigint as times_seen,
            $received_at::timestamp as first_seen_at, $received_at::timestamp as last_seen_at,
            $version as contract_version
        from read_parquet($path);
        """,
        {
            "source": manifest.source,
            "account": manifest.source_account,
            "entity": manifest.entity,
            "file_id": manifest.file_id,
            "origin": manifest.origin.name,
            "received_at": _naive(manifest.received_at),
            "version": manifest.contract_version,
            "path": str(path),
        },
    )
    connection.execute(
        f"""
        create or replace temp table merged as
        with both_sides as (
            select {_QUARANTINE_COLUMNS} from rejects
            union all
            select {_QUARANTINE_COLUMNS} from ops.quarantine_records
            where quarantine_id in (select quarantine_id from rejects)
        )
        select * replace (
            sum(times_seen) over whole::bigint as times_seen,
            min(first_seen_at) over whole as first_seen_at,
            max(last_seen_at) over whole as last_seen_at,
            max(status) over whole as status
        )
        from both_sides
        window whole as (partition by quarantine_id)
        qualify row_number() over (
            partition by quarantine_id order by file_id, line, byte_offset
        ) = 1;
        delete from ops.quarantine_records
        where quarantine_id in (select quarantine_id from rejects);
        insert into ops.quarantine_records by name select * from merged;
        """
    )
    row = connection.execute("select count(*) from rejects where severity = 'warn'").fetchone()
    connection.execute("drop table merged; drop table rejects")
    assert row is not None
    return int(row[0])


def _insert_line(
    connection: duckdb.DuckDBPyConnection,
    manifest: Manifest,
    file: LoadedFile,
    parked: int,
    warnings: int,
    lease: Lease,
) -> None:
    line = {
        "file_id": manifest.file_id,
        "source": manifest.source,
        "source_account": manifest.source_account,
        "entity": manifest.entity,
        "kind": manifest.kind,
        "data_sha256": manifest.data_sha256,
        "origin_name": manifest.origin.name,
        "origin_sha256": manifest.origin.sha256,
        "contract_version": manifest.contract_version,
        "revision": manifest.revision,
        "window_start_at": _naive(manifest.window_start_at),
        "window_end_at": _naive(manifest.window_end_at),
        "min_event_at": _naive(manifest.min_event_at),
        "max_event_at": _naive(manifest.max_event_at),
        "received_at": _naive(manifest.received_at),
        "received_count": file.received,
        "loaded_count": file.loaded,
        "duplicate_count": file.duplicate,
        "rejected_count": manifest.rejected_count,
        "parked_count": parked,
        "quarantined_count": file.quarantined,
        "erased_count": file.erased,
        "warning_count": warnings,
        "gate_status": "pending",
        "gate_reason": None,
        "fencing_token": lease.token,
        "loaded_at": datetime.now(UTC).replace(tzinfo=None),
    }
    columns = ", ".join(line)
    marks = ", ".join("?" for _ in line)
    connection.execute(
        f"insert into ops.loaded_files ({columns}) values ({marks})", list(line.values())
    )


def _unpark(connection: duckdb.DuckDBPyConnection, settings: Settings, lease: Lease) -> int:
    """Release parked rows whose parent is there now, parents before their children."""
    total = 0
    for source, kind in sorted(source_kinds(settings).items()):
        for entity in _parents_first(kind):
            table = f"{quote(f'raw_{source}')}.{quote(entity.entity)}"
            found = f"_is_parked and {_has_parent(f'raw_{source}', entity, 'child')}"
            rows = connection.execute(
                f"select _file_id, count(*) from {table} as child where {found} "
                "group by _file_id order by _file_id"
            ).fetchall()
            if not rows:
                continue
            connection.execute("begin")
            try:
                connection.execute(
                    f"""
                    update ops.quarantine_records set status = 'released'
                    where source = ? and entity = ? and rule = 'Q12' and record_key in (
                        select _record_key from {table} as child where {found}
                    )
                    """,
                    [source, entity.entity],
                )
                connection.execute(f"update {table} as child set _is_parked = false where {found}")
                connection.executemany(
                    "update ops.loaded_files set loaded_count = loaded_count + $n, "
                    "parked_count = parked_count - $n, quarantined_count = quarantined_count - $n "
                    "where file_id = $file_id",
                    [{"file_id": file_id, "n": count} for file_id, count in rows],
                )
                lease.check()
                failpoint("load:before_unpark_commit")
                connection.execute("commit")
            except BaseException:
                connection.execute("rollback")
                raise
            total += sum(count for _, count in rows)
    return total


def _parents_first(kind: str) -> Sequence[EntityContract]:
    children = [contract.load(kind, name) for name in contract.entities(kind)]
    waiting = [child for child in children if child.parent is not None]
    ordered: list[EntityContract] = []
    while waiting:
        names = {entity.entity for entity in waiting}
        ready = [
            entity for entity in waiting if entity.parent and entity.parent.entity not in names
        ]
        assert ready, "entities that are each other's parents"
        ordered += ready
        waiting = [entity for entity in waiting if entity not in ready]
    return ordered


def _settle_quarantine(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    lease: Lease,
    *,
    releases: Sequence[str],
) -> None:
    """Mark rejects that have since been loaded: released by a person, or delivered corrected.

    A release names the records it lets in; a corrected delivery is known by the record's key.
    """
    if releases:
        connection.execute("begin")
        lease.check()
        connection.execute(
            "update ops.quarantine_records set status = 'released' "
            "where status = 'open' and quarantine_id in (select unnest(?))",
            [list(releases)],
        )
        connection.execute("commit")
    open_entities = connection.execute(
        "select distinct source, entity from ops.quarantine_records "
        "where status = 'open' and severity = 'reject' order by source, entity"
    ).fetchall()
    kinds = source_kinds(settings)
    for source, entity in open_entities:
        if source not in kinds:
            continue
        connection.execute("begin")
        lease.check()
        connection.execute(
            f"""
            update ops.quarantine_records as bad set status = 'fixed'
            from (
                select
                    raw._record_key as record_key,
                    max(coalesce(raw._received_at, timestamp 'infinity')) as received_at
                from {quote(f"raw_{source}")}.{quote(entity)} as raw
                group by raw._record_key
            ) as good
            where bad.source = ? and bad.entity = ? and bad.status = 'open'
            and bad.severity = 'reject' and bad.record_key = good.record_key
            and good.received_at >= coalesce(bad.last_seen_at, timestamp '-infinity')
            """,
            [source, entity],
        )
        connection.execute("commit")


def _naive(value: datetime | None) -> datetime | None:
    return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None
