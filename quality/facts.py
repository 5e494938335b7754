"""What a gate has to know before it can say what it expects: files to judge, history, the clock.

Gathered in one read of the ledger, before Great Expectations opens the file, because bands against
history are numbers in the expectations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import duckdb

from setae.settings import Settings, SourceSettings
from setae.warehouse import MARTS_ALIAS, literal, quote

HISTORY_BATCHES = 14
"""A feed with fewer passed files than this has no history to compare with."""

HISTORY_WINDOW = 28
"""How many of the newest passed files history is made of."""

BUILD_SCHEMA = "build_state"


@dataclass(frozen=True)
class Batch:
    """The files of one source and entity that no gate has passed yet.

    Attributes:
        source: Its name in `setae.toml`.
        kind: Its connector.
        entity: Of the source.
        file_ids: To judge, in order.
        history: Files of the same feed that passed, newest first, at most `HISTORY_WINDOW`.
        rows_per_day: Median over the history of received records per day of window; None without
            windows.
        rows_per_file: Median over the history of received records per file.
        settings: Of the source.
    """

    source: str
    kind: str
    entity: str
    file_ids: tuple[str, ...]
    history: tuple[str, ...]
    rows_per_day: float | None
    rows_per_file: float | None
    settings: SourceSettings

    @property
    def name(self) -> str:
        """Source and entity, as in a file id."""
        return f"{self.source}/{self.entity}"

    @cached_property
    def table(self) -> str:
        """The raw table, for a person and for SQL."""
        return raw_table(self.source, self.entity)

    @cached_property
    def file_filter(self) -> str:
        """SQL that picks the files while the gate runs."""
        return (
            f"(select file_id from ops.loaded_files where source = {literal(self.source)} "
            f"and entity = {literal(self.entity)} and gate_status in ('pending', 'failed'))"
        )

    @cached_property
    def rows(self) -> str:
        """SQL of the batch's rows."""
        return f"select * from {self.table} where _file_id in {self.file_filter} and not _is_parked"

    @property
    def missing_history(self) -> str | None:
        """Why nothing can be compared yet, None if it can."""
        if len(self.history) >= HISTORY_BATCHES:
            return None
        return f"no history: {len(self.history)} of {HISTORY_BATCHES} batches"


@dataclass(frozen=True)
class Facts:
    """Everything the suites are made from.

    Attributes:
        settings: Of the home.
        as_of: The only 'now', aware UTC; None while nothing is loaded.
        batches: Feeds with files to judge, by source and entity.
        feeds: Newest event per source and entity, over every file that did not fail.
        build_digest: Of the build in the marts file; None if it did not finish.
        data_through: Last complete business day of the build, ISO.
    """

    settings: Settings
    as_of: datetime | None
    batches: tuple[Batch, ...]
    feeds: tuple[tuple[str, str, datetime | None], ...]
    build_digest: str | None = None
    data_through: str | None = None

    def source(self, name: str) -> SourceSettings:
        """Settings of a source, with defaults for one that is not configured any more."""
        return self.settings.sources.get(name) or SourceSettings(kind=name)


def raw_table(source: str, entity: str) -> str:
    """Name of a raw table; quoted only where it has to be."""
    return ".".join(
        name if name.replace("_", "a").isalnum() and name[0].isalpha() else quote(name)
        for name in (f"raw_{source}", entity)
    )


def newest(table: str) -> str:
    """SQL of the winning version of each record of a raw table; parked rows are left out."""
    return (
        f"select * from {table} where not _is_parked qualify row_number() over (partition by "
        "_record_key order by _source_updated_at desc nulls last, _revision desc, "
        "_record_hash desc) = 1"
    )


def gather(
    connection: duckdb.DuckDBPyConnection, settings: Settings, *, as_of: datetime | None
) -> Facts:
    """Read the ledger, and the build's own record where the marts are attached.

    Args:
        connection: To the warehouse; with the marts attached for the marts gate.
        settings: Of the home.
        as_of: The clock; by default the settings', else the build's, else the newest window's end.
    """
    digest, build_as_of, through = _build(connection)
    row = connection.execute(
        "select max(coalesce(window_end_at, received_at)) from ops.loaded_files"
    ).fetchone()
    newest = _aware(row[0]) if row else None
    feeds = connection.execute(
        "select source, entity, max(max_event_at) from ops.loaded_files "
        "where gate_status <> 'failed' group by source, entity order by source, entity"
    ).fetchall()
    return Facts(
        settings=settings,
        as_of=as_of or settings.as_of or build_as_of or newest,
        batches=_batches(connection, settings),
        feeds=tuple((source, entity, _aware(at)) for source, entity, at in feeds),
        build_digest=digest,
        data_through=through,
    )


def _batches(connection: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[Batch, ...]:
    wanted = connection.execute(
        """
        select source, entity, list(file_id order by file_id)
        from ops.loaded_files
        where gate_status in ('pending', 'failed')
        group by source, entity
        order by source, entity
        """
    ).fetchall()
    batches = []
    for source, entity, file_ids in wanted:
        history = connection.execute(
            """
            select
                file_id,
                received_count,
                received_count
                / nullif(date_diff('second', window_start_at, window_end_at) / 86400.0, 0)
            from ops.loaded_files
            where source = ? and entity = ? and kind = 'data'
            and gate_status in ('passed', 'accepted')
            order by coalesce(window_end_at, max_event_at, received_at) desc, file_id desc
            limit ?
            """,
            [source, entity, HISTORY_WINDOW],
        ).fetchall()
        configured = settings.sources.get(source)
        batches.append(
            Batch(
                source=source,
                kind=configured.kind if configured else source,
                entity=entity,
                file_ids=tuple(file_ids),
                history=tuple(file_id for file_id, _, _ in history),
                rows_per_day=_median([rate for _, _, rate in history]),
                rows_per_file=_median([float(count) for _, count, _ in history]),
                settings=configured or SourceSettings(kind=source),
            )
        )
    return tuple(batches)


def _build(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[str | None, datetime | None, str | None]:
    there = connection.execute(
        "select 1 from duckdb_tables() where database_name = ? and schema_name = ?",
        [MARTS_ALIAS, BUILD_SCHEMA],
    ).fetchone()
    if there is None:  # the raw gate, or a build that did not finish
        return None, None, None
    row = connection.execute(
        "select build_digest, as_of, strftime(data_through_date, '%Y-%m-%d') "
        f"from {MARTS_ALIAS}.{BUILD_SCHEMA}.build"
    ).fetchone()
    return (str(row[0]), _aware(row[1]), str(row[2])) if row else (None, None, None)


def _median(values: list[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def _aware(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)
