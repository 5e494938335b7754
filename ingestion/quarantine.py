"""The quarantine: what failed, why, where it lay, and the way back.

A rejected record with a payload is released by running it through today's contract again, with
fields set by hand where it needs that; the result is landed like any delivery, so that a rebuild
replays it. A line that could not be parsed has no payload: mend it at its source and deliver again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import duckdb

from ingestion.landing import Manifest
from ingestion.sources.drops import release as releasing
from ingestion.sources.drops.release import ReleaseRow
from setae.errors import ConfigError, DataError
from setae.settings import Settings


@dataclass(frozen=True)
class QuarantineRecord:
    """One record that failed; `payload` is pseudonymised, None where it could not be parsed."""

    quarantine_id: str
    source: str
    source_account: str
    entity: str
    file_id: str
    origin_name: str | None
    line: int | None
    byte_offset: int | None
    record_key: str | None
    rule: str
    field: str | None
    message: str
    severity: str
    status: str
    times_seen: int
    first_seen_at: datetime | None
    payload: str | None

    @property
    def place(self) -> str:
        """File and line, as an editor takes them."""
        return f"{self.origin_name or self.file_id}:{self.line or 0}"


@dataclass(frozen=True)
class ReleaseResult:
    """What a release landed, and what still fails (quarantine id → why)."""

    manifests: tuple[Manifest, ...]
    released: tuple[str, ...]
    refused: dict[str, str]


_COLUMNS = (
    "quarantine_id, source, source_account, entity, file_id, origin_name, line, byte_offset, "
    "record_key, rule, field, message, severity, status, times_seen, first_seen_at, payload"
)


def find(
    connection: duckdb.DuckDBPyConnection,
    *,
    source: str | None = None,
    entity: str | None = None,
    rule: str | None = None,
    status: str | None = "open",
    limit: int = 100,
) -> list[QuarantineRecord]:
    """The first quarantined records that match every given value, in order of file and line."""
    where, given = _where(source=source, entity=entity, rule=rule, status=status)
    rows = connection.execute(
        f"select {_COLUMNS} from ops.quarantine_records where {where} "
        "order by source, entity, file_id, line, byte_offset, quarantine_id limit $limit",
        {**given, "limit": limit},
    ).fetchall()
    return [QuarantineRecord(*row) for row in rows]


def counts(
    connection: duckdb.DuckDBPyConnection,
    *,
    source: str | None = None,
    entity: str | None = None,
    rule: str | None = None,
    status: str | None = "open",
) -> dict[str, int]:
    """Rule → how many records match every given value, in order of the rules."""
    where, given = _where(source=source, entity=entity, rule=rule, status=status)
    rows = connection.execute(
        "select rule, count(*) from ops.quarantine_records "
        f"where {where} group by rule order by rule",
        given,
    ).fetchall()
    return dict(rows)


def _where(**wanted: str | None) -> tuple[str, dict[str, str]]:
    """A condition on every value that is given, and its parameters."""
    given = {name: value for name, value in wanted.items() if value is not None}
    return " and ".join(f"{name} = ${name}" for name in given) or "true", given


def get(connection: duckdb.DuckDBPyConnection, quarantine_id: str) -> QuarantineRecord:
    """One record by its id or the unambiguous beginning of it.

    Raises:
        ConfigError: No record, or more than one.
    """
    rows = connection.execute(
        f"select {_COLUMNS} from ops.quarantine_records where starts_with(quarantine_id, ?) "
        "order by quarantine_id limit 2",
        [quarantine_id],
    ).fetchall()
    if len(rows) != 1:
        found = "no record" if not rows else "more than one record"
        raise ConfigError(f"{quarantine_id}: {found}; `setae quarantine list` shows the ids")
    return QuarantineRecord(*rows[0])


def choose(
    connection: duckdb.DuckDBPyConnection, *, ids: tuple[str, ...], rule: str | None
) -> list[QuarantineRecord]:
    """The open rejects to release: by id, or all of a rule.

    Raises:
        ConfigError: Neither is given, or nothing matches.
    """
    if not ids and rule is None:
        raise ConfigError("quarantine release: name records by id, or all of a rule by --rule Q05")
    chosen = [get(connection, quarantine_id) for quarantine_id in ids]
    if rule is not None:
        chosen += find(connection, rule=rule, limit=1_000_000)
    open_rejects = [
        record for record in chosen if record.status == "open" and record.severity == "reject"
    ]
    if not open_rejects:
        raise ConfigError("quarantine release: no open reject matches; see `setae quarantine list`")
    return open_rejects


def release(
    settings: Settings, records: list[QuarantineRecord], *, set_fields: dict[str, str]
) -> ReleaseResult:
    """Validate stored payloads again and land those that pass now.

    Raises:
        DataError: None of the records has a payload to release.
    """
    without = {
        record.quarantine_id: f"{record.place}: the line could not be parsed and was not kept; "
        "mend it at the source and deliver the file again"
        for record in records
        if record.payload is None
    }
    if len(without) == len(records):
        raise DataError(next(iter(without.values())))
    groups: dict[tuple[str, str, str], list[ReleaseRow]] = {}
    for record in records:
        if record.payload is not None:
            key = (record.source, record.source_account, record.entity)
            groups.setdefault(key, []).append(
                ReleaseRow(
                    quarantine_id=record.quarantine_id,
                    payload=json.loads(record.payload),
                    set_fields=set_fields,
                )
            )
    manifests: list[Manifest] = []
    refused = dict(without)
    for (source, account, entity), rows in sorted(groups.items()):
        outcome = releasing.release(
            settings, source=source, source_account=account, entity=entity, rows=rows
        )
        refused |= outcome.refused
        if outcome.manifest is not None:
            manifests.append(outcome.manifest)
    released = tuple(
        record.quarantine_id for record in records if record.quarantine_id not in refused
    )
    return ReleaseResult(manifests=tuple(manifests), released=released, refused=refused)
