"""The ledger, schema `ops`: what was loaded, what passed its gate, what is modelled.

A landed file's rows and its line in `ops.loaded_files` commit in one transaction, so the two never
disagree. The ledger can be rebuilt from landing alone, and each load compares it with the manifests
on disk: DuckDB opens a file whose log was cut short without a word and with fewer rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import duckdb

CONTRACT_VERSION = "1.0"
"""Of the canonical model: a change is additive, or bumps the major."""

_DDL = """
create schema if not exists ops;
create table if not exists ops.contract_version (contract_version varchar not null);
create table if not exists ops.loaded_files (
    file_id varchar not null,
    source varchar not null,
    source_account varchar not null,
    entity varchar not null,
    kind varchar not null,
    data_sha256 varchar not null,
    origin_name varchar,
    origin_sha256 varchar,
    contract_version varchar not null,
    revision bigint not null,
    window_start_at timestamp,
    window_end_at timestamp,
    min_event_at timestamp,
    max_event_at timestamp,
    received_at timestamp,
    received_count bigint not null,
    loaded_count bigint not null,
    duplicate_count bigint not null,
    rejected_count bigint not null,
    parked_count bigint not null,
    quarantined_count bigint not null,
    erased_count bigint not null,
    warning_count bigint not null,
    gate_status varchar not null,
    gate_reason varchar,
    fencing_token bigint not null,
    loaded_at timestamp not null
);
create table if not exists ops.quarantine_records (
    quarantine_id varchar not null,
    file_id varchar not null,
    source varchar not null,
    source_account varchar not null,
    entity varchar not null,
    origin_name varchar,
    line bigint,
    byte_offset bigint,
    record_key varchar,
    rule varchar not null,
    reasons varchar not null,
    field varchar,
    message varchar not null,
    severity varchar not null,
    payload varchar,
    payload_digest varchar,
    status varchar not null,
    times_seen bigint not null,
    first_seen_at timestamp,
    last_seen_at timestamp,
    contract_version varchar not null
);
create table if not exists ops.transform_pending (file_id varchar not null);
create table if not exists ops.modelled_files (file_id varchar not null, build_digest varchar);
create table if not exists ops.builds (
    build_id bigint not null,
    build_digest varchar not null,
    basis_digest varchar not null,
    file_count bigint not null,
    as_of timestamp not null,
    data_through_date date not null,
    is_full_refresh boolean not null,
    built_at timestamp not null
);
create table if not exists ops.incidents (
    happened_at timestamp not null,
    stage varchar not null,
    message varchar not null
);
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the ledger's tables where they are missing; a no-op otherwise."""
    connection.execute(_DDL)


def stamp_contract(connection: duckdb.DuckDBPyConnection) -> None:
    """Note the version of the contract that the raw tables were last made by."""
    connection.execute("delete from ops.contract_version")
    connection.execute("insert into ops.contract_version values (?)", [CONTRACT_VERSION])


def loaded(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Every file in the ledger: `file_id` → sha256 of its data file."""
    rows = connection.execute("select file_id, data_sha256 from ops.loaded_files").fetchall()
    return dict(rows)


def pending_gate(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Loaded files that no gate has judged yet, in order."""
    rows = connection.execute(
        "select file_id from ops.loaded_files where gate_status = 'pending' order by file_id"
    ).fetchall()
    return [file_id for (file_id,) in rows]


def set_gate_status(
    connection: duckdb.DuckDBPyConnection, statuses: dict[str, str], *, reason: str | None = None
) -> None:
    """Write what a gate, or a person with a reason, decided about files."""
    connection.executemany(
        "update ops.loaded_files set gate_status = ?, gate_reason = ? where file_id = ?",
        [[status, reason, file_id] for file_id, status in statuses.items()],
    )


def open_files(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Files whose rows staging reads: passed, or accepted with a reason."""
    rows = connection.execute(
        "select file_id from ops.loaded_files where gate_status in ('passed', 'accepted') "
        "order by file_id"
    ).fetchall()
    return [file_id for (file_id,) in rows]


def digest(parts: Iterable[Any]) -> str:
    """sha256 over the canonical JSON of a list: the name of a set of inputs."""
    text = json.dumps(list(parts), sort_keys=True, default=_plain, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
