"""Suites of the raw gate: what arrived, before anything is modelled from it.

For every feed (source and entity) with files that no gate has passed yet:

- the files: records are accounted for, rejects stay below the limits of `setae.toml`, volume is
  near that of the feed's history;
- their rows: shares of missing values and middles of numbers are near those of the history, and
  what one feed says agrees with another (`checks` in `quality/<source kind>.py`).

And for every source, whether or not a file is waiting: its newest event is fresh at `as_of`. A feed
in `required_entities` stops the run when it is silent too long; any other only warns. Bands against
history need 14 passed files; until then their result is `no_history`, never a pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import cast

import duckdb

from quality.checks import Check, Severity, Suite, between_check, rows_check
from quality.facts import HISTORY_BATCHES, HISTORY_WINDOW, Batch, Facts
from setae.settings import SourceSettings
from setae.warehouse import literal, quote

VOLUME_WARN_RATIO = 3.0
"""Warn when a file has this many times more, or fewer, records than the median of its history."""

VOLUME_ERROR_RATIO = 10.0
"""Stop at this ratio. Only feeds with windows: a drop may be as small as somebody made it."""

MISSING_SHARE_STEP = 0.2
"""Warn when the share of missing values of a column moves by more than this."""

MIDDLE_RATIO = 3.0
"""Warn when the median of a number moves by more than this factor."""

MINIMUM_ROWS = 100
"""Distributions of smaller batches are not compared: they say nothing."""


def suites(connection: duckdb.DuckDBPyConnection, facts: Facts) -> list[Suite]:
    """The suites of the raw gate for what waits now.

    Args:
        connection: To the warehouse, for the numbers of the history.
        facts: Of this gate run.
    """
    found = _freshness(facts)
    for batch in facts.batches:
        found.append(_files(batch))
        checks = [*_distributions(connection, batch), *_cross_checks(batch)]
        if checks:
            found.append(
                Suite(
                    name=f"{batch.name} rows",
                    query=batch.rows,
                    checks=checks,
                    file_ids=batch.file_ids,
                    file_filter=batch.file_filter,
                )
            )
    return found


def _cross_checks(batch: Batch) -> Sequence[Check]:
    """What the kind's own module says; a source that is not known any more has none."""
    name = f"quality.{batch.kind}"
    if find_spec(name) is None:
        return ()
    return cast("Sequence[Check]", import_module(name).checks(batch))


def _files(batch: Batch) -> Suite:
    query = (
        "select f.file_id, f.received_count, f.loaded_count, f.duplicate_count, "
        "f.quarantined_count, f.erased_count, f.rejected_count, f.parked_count, "
        "f.rejected_count - (select count(*) from ops.quarantine_records as q "
        "where q.file_id = f.file_id and q.severity = 'reject' and q.status <> 'open') "
        "as open_reject_count, "
        "f.received_count / "
        "nullif(date_diff('second', f.window_start_at, f.window_end_at) / 86400.0, 0) "
        "as rows_per_day, "
        f"(select count(*) from {batch.table} as r where r._file_id = f.file_id) as raw_row_count, "
        "f.kind "
        f"from ops.loaded_files as f where f.file_id in {batch.file_filter}"
    )
    return Suite(
        name=f"{batch.name} files",
        query=query,
        checks=[*_accounting(batch), *_rejects(batch), *_volume(batch)],
        file_ids=batch.file_ids,
        file_filter=batch.file_filter,
    )


def _accounting(batch: Batch) -> list[Check]:
    return [
        rows_check(
            name="every_record_is_accounted_for",
            table=batch.table,
            severity="error",
            bad_rows="select * from {batch} where received_count "
            "<> loaded_count + duplicate_count + quarantined_count + erased_count",
            expected="received = loaded + duplicate + quarantined + erased in every file",
            todo="the ledger is wrong: run `setae rebuild`, and report a bug if it stays",
            file_column="file_id",
        ),
        rows_check(
            name="raw_rows_match_the_ledger",
            table=batch.table,
            severity="error",
            bad_rows="select * from {batch} where raw_row_count <> loaded_count + parked_count",
            expected="as many rows in the raw table as the ledger says of each file",
            todo="rows were lost or added outside Setae: run `setae rebuild`",
            file_column="file_id",
        ),
    ]


def _rejects(batch: Batch) -> list[Check]:
    limits = batch.settings
    large = (
        f"open_reject_count >= {limits.reject_minimum_count} "
        f"and open_reject_count > {limits.reject_maximum_rate!r} * received_count"
    )
    small = (
        f"open_reject_count >= {limits.small_reject_minimum_count} "
        f"and open_reject_count > {limits.small_reject_maximum_rate!r} * received_count"
    )
    observed = (
        "select sum(open_reject_count) || ' open rejects, at most ' || max(open_reject_count) "
        "|| ' in a file' from {batch} as files"
    )
    todo = (
        f"see `setae quarantine list --source {batch.source}`; release or deliver them corrected, "
        "or `setae check raw --accept FILE --reason '…'`"
    )
    checks = [
        rows_check(
            name="rejects_stay_below_the_limits",
            table=batch.table,
            severity="error",
            bad_rows=f"select * from {{batch}} where ({large}) or ({small})",
            expected=f"fewer than {limits.reject_minimum_count} open rejects or at most "
            f"{limits.reject_maximum_rate:.1%} of a file, and fewer than "
            f"{limits.small_reject_minimum_count} or at most "
            f"{limits.small_reject_maximum_rate:.0%}",
            todo=todo,
            file_column="file_id",
        ),
        rows_check(
            name="no_record_is_rejected",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} where open_reject_count > 0",
            expected="no open reject",
            todo=todo,
            file_column="file_id",
        ),
    ]
    return [replace(check, observed_sql=observed, observed_if_passed=None) for check in checks]


def _volume(batch: Batch) -> list[Check]:
    """Records per day of window where the feed has windows, else per file and only to warn."""
    if batch.missing_history is not None or batch.rows_per_file is None:
        return [_unjudged(batch, "volume_is_as_usual", batch.missing_history)]
    by_day = batch.rows_per_day is not None
    column = "rows_per_day" if by_day else "received_count"
    usual = batch.rows_per_file if batch.rows_per_day is None else batch.rows_per_day
    levels: list[tuple[Severity, float]] = [("warn", VOLUME_WARN_RATIO)]
    if by_day:
        levels.append(("error", VOLUME_ERROR_RATIO))
    checks = []
    for severity, ratio in levels:
        low, high = usual / ratio, usual * ratio
        outside = f"kind = 'data' and not {column} between {low!r} and {high!r}"
        checks.append(
            Check(
                name=f"volume_is_within_{ratio:g}_times_the_usual",
                table=batch.table,
                severity=severity,
                expected=f"{low:.6g} to {high:.6g} records per {'day' if by_day else 'file'}, "
                f"the median of the last {len(batch.history)} files being {usual:.6g}",
                todo="ask the source whether it sent everything, and once; then fetch again or "
                "accept the file",
                arguments={
                    "unexpected_rows_query": f"select * from {{batch}} where {outside}",
                },
                observed_sql=f"select format('{{:.6g}} to {{:.6g}}', min({column})::double, "
                f"max({column})::double) from {{batch}} as files where kind = 'data'",
                failing_sql=f"select * from {{batch}} as files where {outside}",
                file_column="file_id",
            )
        )
    return checks


def _freshness(facts: Facts) -> list[Suite]:
    if facts.as_of is None:
        return []
    newest: dict[str, dict[str, datetime | None]] = {}
    for source, entity, at in facts.feeds:
        newest.setdefault(source, {})[entity] = at
    found = []
    for source in sorted(newest.keys() | facts.settings.sources.keys()):
        settings = facts.source(source)
        feeds = newest.get(source, {})
        required = settings.required_entities
        if not required and all(at is None for at in feeds.values()):
            continue  # a source without times, or nothing of it yet: there is nothing to be late
        checks = []
        for entity in required or ("",):
            table = f"raw_{source}.{entity}" if entity else f"raw_{source}"
            where = f" and entity = {literal(entity)}" if entity else ""
            for days, severity in _freshness_levels(settings, is_required=bool(entity)).items():
                limit = (facts.as_of - timedelta(days=days)).astimezone(UTC).replace(tzinfo=None)
                rows = (
                    "select source, entity, max(max_event_at) as newest_event_at from {batch} "
                    f"where max_event_at is not null{where} group by all"
                )
                late = (
                    "select max(max_event_at) as newest_event_at from {batch} where true"
                    f"{where} having coalesce(max(max_event_at) < timestamp '{limit}', true)"
                )
                checks.append(
                    Check(
                        name=f"{entity or source}_is_at_most_{days}_days_old",
                        table=table,
                        severity=severity,
                        expected=f"an event at or after {limit:%Y-%m-%d %H:%M} (as of "
                        f"{facts.as_of:%Y-%m-%d %H:%M} UTC)",
                        todo=f"see why `{source}` went silent and fetch it again; if that is "
                        f"right, raise freshness_{severity}_days",
                        arguments={"unexpected_rows_query": late},
                        observed_sql="select coalesce(strftime(max(max_event_at), "
                        f"'%Y-%m-%d %H:%M'), 'no event') from {{batch}} as feed where true{where}",
                        failing_sql=rows,
                    )
                )
        found.append(
            Suite(
                name=f"{source} freshness",
                query="select source, entity, max_event_at from ops.loaded_files "
                f"where source = {literal(source)} and gate_status <> 'failed'",
                checks=checks,
            )
        )
    return found


def _freshness_levels(settings: SourceSettings, *, is_required: bool) -> dict[int, Severity]:
    """Days → severity. Only a feed that is named as required stops a run by its silence."""
    levels: dict[int, Severity] = {settings.freshness_warn_days: "warn"}
    if is_required:
        levels[settings.freshness_error_days] = "error"
    return levels


def _distributions(connection: duckdb.DuckDBPyConnection, batch: Batch) -> list[Check]:
    """Shares of missing values and medians, near those of the history."""
    source, entity = f"raw_{batch.source}", batch.entity
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ? "
        "and not starts_with(column_name, '_') order by column_index",
        [source, entity],
    ).fetchall()
    missing = batch.missing_history
    if missing is None:
        waiting = _scalar(connection, f"select count(*) from ({batch.rows})")
        if waiting < MINIMUM_ROWS:
            missing = f"too few rows: {waiting} of {MINIMUM_ROWS}"
    if missing is not None:
        return [_unjudged(batch, "values_are_distributed_as_usual", missing)]
    history = ", ".join(literal(file_id) for file_id in batch.history)
    checks = []
    for column, data_type in columns:
        name = quote(column)
        is_number = data_type.startswith(("DECIMAL", "BIGINT", "DOUBLE", "INTEGER"))
        row = connection.execute(
            f"select avg((({name}) is not null)::int), "
            f"{f'median({name}::double)' if is_number else 'null'} "
            f"from {batch.table} where _file_id in ({history}) and not _is_parked"
        ).fetchone()
        assert row is not None
        present, middle = row
        if present is None:
            continue
        checks.append(
            between_check(
                name=f"{column}_is_present_as_often_as_usual",
                table=batch.table,
                severity="warn",
                expectation="ExpectColumnProportionOfNonNullValuesToBeBetween",
                column=column,
                aggregate=f"avg((({name}) is not null)::int)",
                low=max(0.0, round(present - MISSING_SHARE_STEP, 6)),
                high=min(1.0, round(present + MISSING_SHARE_STEP, 6)),
                todo="ask the source whether the field changed its name or meaning",
                failing_where=f"{name} is null",
            )
        )
        if middle:
            low, high = sorted((middle / MIDDLE_RATIO, middle * MIDDLE_RATIO))
            checks.append(
                between_check(
                    name=f"{column}_has_its_usual_median",
                    table=batch.table,
                    severity="warn",
                    expectation="ExpectColumnMedianToBeBetween",
                    column=column,
                    aggregate=f"median({name}::double)",
                    low=low,
                    high=high,
                    todo="ask the source whether the field changed its unit",
                    failing_where=f"not {name} between {low!r} and {high!r}",
                )
            )
    return checks


def _unjudged(batch: Batch, name: str, missing: str | None) -> Check:
    """Stands for what cannot be compared yet, so that silence is not taken for a pass."""
    return Check(
        name=name,
        table=batch.table,
        severity="warn",
        expected=f"near the last {HISTORY_BATCHES} to {HISTORY_WINDOW} batches that passed",
        todo="nothing: it is compared once there is history",
        arguments={},
        observed_sql="",
        failing_sql="",
        missing_history=missing or "no history",
    )


def _scalar(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])
