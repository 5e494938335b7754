"""`ops.gate_results`: every judgement of every gate, one row per check and gate run.

Rows are only added. `gate_run_id` is `<stage>-<number>`; the number rises with every gate run of a
home. Nothing in it is a cell value of the data: counts, bands and the SQL that finds the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb

from quality.checks import Result

_DDL = """
create schema if not exists ops;
create table if not exists ops.gate_results (
    gate_run_id varchar not null,
    stage varchar not null,
    suite_name varchar not null,
    check_name varchar not null,
    table_name varchar not null,
    severity varchar not null,
    outcome varchar not null,
    observed varchar not null,
    expected varchar not null,
    failed_row_count bigint not null,
    failing_sql varchar not null,
    todo varchar not null,
    file_ids varchar[] not null,
    failed_file_ids varchar[] not null,
    build_digest varchar,
    as_of timestamp,
    checked_at timestamp not null
);
comment on table ops.gate_results is
    'One row per check and gate run: what was expected, what was observed, and the SQL that shows '
    'the failing rows.';
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table where it is missing."""
    connection.execute(_DDL)


def next_run_id(connection: duckdb.DuckDBPyConnection, stage: str) -> str:
    """The id of the gate run that begins now."""
    row = connection.execute(
        "select coalesce(max(cast(split_part(gate_run_id, '-', 2) as bigint)), 0) + 1 "
        "from ops.gate_results where stage = ?",
        [stage],
    ).fetchone()
    assert row is not None
    return f"{stage}-{row[0]:06d}"


def write(
    connection: duckdb.DuckDBPyConnection,
    results: Sequence[Result],
    *,
    gate_run_id: str,
    stage: str,
    build_digest: str | None,
    as_of: datetime | None,
    checked_at: datetime,
) -> None:
    """Add the results of one gate run, in one transaction."""
    connection.execute("begin")
    try:
        for result in results:
            check = result.check
            connection.execute(
                "insert into ops.gate_results values "
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::varchar[], ?::varchar[], ?, ?, ?)",
                [
                    gate_run_id,
                    stage,
                    result.suite,
                    check.name,
                    check.table,
                    check.severity,
                    result.outcome,
                    result.observed,
                    check.expected,
                    result.failed_row_count,
                    result.failing_sql,
                    check.todo,
                    list(result.file_ids),
                    list(result.failed_file_ids),
                    build_digest,
                    None if as_of is None else as_of.astimezone(UTC).replace(tzinfo=None),
                    checked_at.astimezone(UTC).replace(tzinfo=None),
                ],
            )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
