"""A copy of the ledger beside the publications, so that `setae status` answers during a run.

`serving/ledger.duckdb`, schema `ops`: the tables of `ops` that say what happened (files, gate
results, builds, incidents, quarantine by rule and status; no payload), `publications`, every one
this home has made, and `credit_restatements`, what each credited otherwise than the one before.
It is written anew and renamed into place by `copy_ledger`, as the last step of each `publish`;
it is derived, so a damaged one is simply made again.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from serving import restatements
from serving.publications import current, make_durable, publications, temporary_name
from setae.settings import Settings
from setae.warehouse import (
    STORAGE_VERSION,
    Home,
    duckdb_config,
    literal,
    quote,
    storage_errors,
    sync_directory,
)

LEDGER_FILE = "ledger.duckdb"

_COPIED = ("loaded_files", "gate_results", "builds", "incidents", "contract_version")

_QUARANTINE = """
create table target.ops.quarantine_counts as
select source, entity, rule, severity, status, count(*) as record_count
from warehouse.ops.quarantine_records
group by all
order by all
"""

_PUBLICATIONS = """
create table target.ops.publications (
    run_id varchar not null,
    published_at timestamp not null,
    as_of timestamp not null,
    data_through_date date not null,
    code_version varchar not null,
    contract_version varchar not null,
    content_hash varchar not null,
    row_counts map(varchar, bigint) not null,
    is_current boolean not null,
    is_on_disk boolean not null
)
"""


def ledger_path(settings: Settings) -> Path:
    """Where the copy is."""
    return Home(settings.home).serving / LEDGER_FILE


def copy_ledger(settings: Settings) -> Path:
    """Write the copy anew; the caller holds the lease and has no connection open.

    Args:
        settings: Of the home.

    Returns:
        The path of the copy.

    Raises:
        StorageError: It cannot be written; the copy before it stays.
    """
    home = Home(settings.home)
    home.serving.mkdir(parents=True, exist_ok=True)
    final = ledger_path(settings)
    temporary = temporary_name(home.serving, LEDGER_FILE)
    temporary.unlink(missing_ok=True)
    with storage_errors(final):
        try:
            connection = duckdb.connect(":memory:", config=dict(duckdb_config(settings)))
            try:
                connection.execute("set TimeZone = 'UTC'")
                connection.execute(
                    f"attach {literal(str(temporary))} as target "
                    f"(storage_version '{STORAGE_VERSION}')"
                )
                connection.execute("create schema target.ops")
                _copy_tables(connection, home)
                _copy_publications(connection, home, final)
                restatements.copy_into(connection, home.serving, "target.ops.credit_restatements")
                connection.execute("checkpoint target")
            finally:
                connection.close()
            make_durable(temporary)
            temporary.replace(final)
            sync_directory(final.parent)
        finally:
            temporary.unlink(missing_ok=True)
    return final


def _copy_tables(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    if not home.warehouse.exists():
        return
    connection.execute(f"attach {literal(str(home.warehouse))} as warehouse (read_only)")
    found = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = 'warehouse' and schema_name = 'ops'"
        ).fetchall()
    }
    for name in _COPIED:
        if name in found:
            connection.execute(
                f"create table target.ops.{quote(name)} as from warehouse.ops.{quote(name)}"
            )
    if "quarantine_records" in found:
        connection.execute(_QUARANTINE)


def _copy_publications(connection: duckdb.DuckDBPyConnection, home: Home, before: Path) -> None:
    """Those on disk, and those that the copy before this one remembers."""
    connection.execute(_PUBLICATIONS)
    shown = current(home.serving)
    for publication in publications(home.serving):
        connection.execute(
            "insert into target.ops.publications values "
            "(?, ?, ?, ?, ?, ?, ?, map(?, ?::bigint[]), ?, true)",
            [
                publication.run_id,
                publication.published_at.replace(tzinfo=None),
                publication.as_of.replace(tzinfo=None),
                publication.data_through_date,
                publication.code_version,
                publication.contract_version,
                publication.content_hash,
                list(publication.row_counts.keys()),
                list(publication.row_counts.values()),
                shown is not None and shown.run_id == publication.run_id,
            ],
        )
    if not before.exists():
        return
    try:
        connection.execute(f"attach {literal(os.fspath(before))} as earlier (read_only)")
        connection.execute(
            "insert into target.ops.publications by name "
            "select * replace (false as is_current, false as is_on_disk) "
            "from earlier.ops.publications "
            "where run_id not in (select run_id from target.ops.publications)"
        )
    except duckdb.Error:  # a damaged copy: its history is lost, the publications are not
        return
