"""One delivery on its way into landing: batches in, one landed file out.

A reader (`ingestion.sources`) cuts a delivery into batches: an Arrow table, how the contract's
fields lie in it, and how to read one row again. `Intake` runs the compiled statement over each
batch, writes what it accepts, and puts the rest to the strict rules row by row; what those accept
goes through the same statement, what they reject is written with rule, field and message, and a
payload in which pseudonyms stand for people. Nothing plain is written: the connection has no
spill directory, and neither messages nor logs quote values.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion import conversion, landing, validate
from ingestion.contract import LANDED_COLUMNS, Column, EntityContract
from ingestion.conversion import Input, Terms
from ingestion.landing import Delivery, Draft, Facts, Manifest
from ingestion.pseudonyms import Pseudonyms
from ingestion.validate import Checked, Rules, Violation
from setae.settings import Settings
from setae.warehouse import literal, storage_errors

LOG = logging.getLogger(__name__)

SLICE_ROWS = 16_384
"""Rows of an Arrow batch: DuckDB reads batches in parallel, a whole table on one thread."""

STRICT_ROWS = 8_192
"""Rows of the strict path that go through the statement together."""

_ARROW = {
    "VARCHAR": pa.string(),
    "TIMESTAMP": pa.timestamp("us"),
    "DATE": pa.date32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DECIMAL(18,4)": pa.decimal128(18, 4),
    "DECIMAL(20,4)": pa.decimal128(20, 4),
    "DECIMAL(18,8)": pa.decimal128(18, 8),
}

_VALUE_ERRORS = (
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
)

REJECT_SCHEMA = pa.schema(
    [
        ("_line", pa.int64()),
        ("_byte_offset", pa.int64()),
        ("_byte_length", pa.int64()),
        ("rule", pa.string()),
        ("reasons", pa.string()),
        ("field", pa.string()),
        ("message", pa.string()),
        ("severity", pa.string()),
        ("record_key", pa.string()),
        ("payload", pa.string()),
        ("payload_digest", pa.string()),
    ]
)
"""Columns of `<name>.rejects.parquet`."""


@dataclass(frozen=True)
class Place:
    """Where a record lies in its file; offset and length in bytes of the uncompressed file."""

    line: int
    offset: int | None = None
    length: int | None = None


@dataclass(frozen=True)
class RawRecord:
    """One row read again for the strict rules.

    Attributes:
        value: Fields as delivered; a violation where they cannot be read; None for a blank line.
        data: The bytes as delivered, or any fixed spelling of the row, for the keyed digest.
    """

    place: Place
    value: dict[str, Any] | Violation | None
    data: bytes


@dataclass(frozen=True)
class Batch:
    """Part of a delivery.

    Attributes:
        table: Rows, with `_row` (0, 1, …) and `_line`.
        relation: SQL of the rows over the table `chunk`.
        inputs: How the contract's fields lie in `relation`.
        unknown: Fields outside the contract that are kept: name, expression of JSON text.
        also_ok: Conditions of the format on a row, over `relation`.
        record: Reads one row again.
        dropped_count: Values of fields outside the contract that are not kept.
    """

    table: pa.Table
    relation: str
    inputs: Mapping[str, Input]
    record: Callable[[int], RawRecord]
    unknown: Sequence[tuple[str, str]] = ()
    also_ok: Sequence[str] = ()
    dropped_count: int = 0


@contextmanager
def connect(settings: Settings, pseudonyms: Pseudonyms) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB in memory, with the pseudonym macros and without a place to spill plain values to."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": str(settings.threads),
            "memory_limit": settings.memory_limit,
            "temp_directory": "",
        },
    )
    try:
        connection.execute("set TimeZone = 'UTC'")
        pseudonyms.install(connection)
        yield connection
    finally:
        connection.close()


def json_relation(names: Sequence[str], *, trusted: bool, is_checked: bool = False) -> str:
    """SQL of rows whose column `line` holds a JSON object each; its members become `given`.

    Args:
        names: Members to take.
        trusted: The rows come from the strict rules, with `_overlay`.
        is_checked: Every line is known to be JSON; others than JSON become NULL otherwise.
    """
    # A struct needs a member; a chunk without any known field is rejected by its required ones.
    struct = ",".join(f'{json.dumps(name)}:"VARCHAR"' for name in names or ["none"])
    overlay = "_overlay, " if trusted else ""
    line = "line" if is_checked else "case when json_valid(line) then line end as line"
    return (
        f"(select *, from_json(line, {literal('{' + struct + '}')}) as given from (select _row, "
        f"_line, {overlay}{line} from chunk))"
    )


def json_inputs(names: Sequence[str]) -> dict[str, Input]:
    """The fields of `json_relation`."""
    return {name: Input(f'given."{name}"', "json") for name in names}


def json_unknown(names: Sequence[str]) -> list[tuple[str, str]]:
    """Members of `line` that the contract does not know, as JSON text."""
    return [(name, f"json_extract(line, {literal(member(name))})::varchar") for name in names]


def member(name: str) -> str:
    """JSON path of a member; the name holds neither quotes nor backslashes."""
    return f'$."{name}"'


def sliced(table: pa.Table) -> pa.Table:
    """The same rows in batches small enough for DuckDB to share out."""
    return pa.Table.from_batches(table.to_batches(max_chunksize=SLICE_ROWS), table.schema)


@dataclass
class Intake:
    """Writes one delivery into a draft of a landed file."""

    contract: EntityContract
    terms: Terms
    pseudonyms: Pseudonyms
    connection: duckdb.DuckDBPyConnection
    draft: Draft
    _good_count: int = 0
    _rejected_count: int = 0
    _warning_count: int = 0
    _notes: dict[str, int] = field(default_factory=dict)
    _least: Any = None
    _greatest: Any = None
    _rejects: list[dict[str, Any]] = field(default_factory=list)
    _versions: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    _data_writer: Any = None
    _reject_writer: Any = None

    def __post_init__(self) -> None:
        self._columns = [*self.contract.columns, *LANDED_COLUMNS]
        self._schema = pa.schema(
            [(column.name, _ARROW[column.duckdb_type]) for column in self._columns]
        )
        self._rules = Rules(self.contract, self.terms, self.pseudonyms)
        self._names = [one.name for one in self.contract.fields]
        with storage_errors(self.draft.data):
            self._data_writer = pq.ParquetWriter(
                self.draft.data,
                self._schema,
                compression="zstd",
                compression_level=1,
                use_dictionary=[one.name for one in self._columns if _is_repetitive(one)],
                store_decimal_as_integer=True,
            )

    def take(self, batch: Batch) -> None:
        """Convert, judge and write one batch."""
        sql = conversion.statement(
            self.contract,
            self.terms,
            batch.inputs,
            unknown=batch.unknown,
            also_ok=batch.also_ok,
            relation=batch.relation,
        )
        self._note("dropped_fields", batch.dropped_count)
        try:
            result = self._run(sql, batch.table)
        except _VALUE_ERRORS:
            # A value nobody thought of: the strict rules find out whose it is.
            self._judge(batch.record(row) for row in range(len(batch.table)))
            return
        doubtful = pc.invert(result["_ok"])
        rows = pc.filter(result["_row"], doubtful).to_pylist()
        if rows:
            result = result.filter(result["_ok"])
        self._write_good(result)
        del result
        if rows:
            self._judge(batch.record(row) for row in rows)

    def judge(self, records: Iterator[RawRecord]) -> None:
        """Put records straight to the strict rules."""
        self._judge(records)

    def accept(self, checked: Sequence[tuple[int, Checked]]) -> None:
        """Write records the strict rules accepted: line and verdict."""
        for part in self._convert(checked):
            self._write_good(part)

    def refuse(self, place: Place, violation: Violation, *, digest: str) -> None:
        """Record a rejected line that could not be read: no payload."""
        self._rejected_count += 1
        self._reject(
            place,
            rule=violation.rule,
            reasons=[violation.rule],
            name=violation.field,
            message=violation.message,
            digest=digest,
        )

    def finish(self) -> Facts:
        """Close the files; look for what only the whole delivery shows."""
        with storage_errors(self.draft.data):
            self._data_writer.close()
        self._data_writer = None
        if self._good_count:
            self._warn_of_conflicts()
            if "falling_counter" in self.contract.rules:
                self._warn_of_falling_counters()
        self._flush_rejects()
        if self._reject_writer is not None:
            with storage_errors(self.draft.rejects):
                self._reject_writer.close()
            self._reject_writer = None
        return Facts(
            good_count=self._good_count,
            rejected_count=self._rejected_count,
            warning_count=self._warning_count,
            min_event_at=_instant(self._least),
            max_event_at=_instant(self._greatest),
            notes={name: count for name, count in self._notes.items() if count},
        )

    def abandon(self) -> None:
        """Close the files without more ado; the draft is thrown away."""
        for writer in (self._data_writer, self._reject_writer):
            if writer is not None:
                writer.close()
        self._data_writer = self._reject_writer = None

    # -- writing --------------------------------------------------------------------------------

    def _run(self, sql: str, table: pa.Table) -> pa.Table:
        self.connection.register("chunk", sliced(table))
        try:
            return self.connection.execute(sql).to_arrow_table()
        finally:
            self.connection.unregister("chunk")

    def _write_good(self, result: pa.Table) -> None:
        if not result.num_rows:
            return
        self._good_count += result.num_rows
        self._versions.append(result["_version"].to_numpy())
        self._warn_of_bits(result)
        good = result.select(self._schema.names).cast(self._schema)
        if self.contract.time_column is not None:
            bounds = pc.min_max(good[self.contract.time_column]).as_py()
            self._least = _least(self._least, bounds["min"])
            self._greatest = _greatest(self._greatest, bounds["max"])
        with storage_errors(self.draft.data):
            self._data_writer.write_table(good, row_group_size=131_072)

    def _note(self, name: str, count: int) -> None:
        self._notes[name] = self._notes.get(name, 0) + count

    def _reject(
        self,
        place: Place,
        *,
        rule: str,
        reasons: Sequence[str],
        name: str | None,
        message: str,
        digest: str,
        severity: str = "reject",
        record_key: str | None = None,
        payload: str | None = None,
    ) -> None:
        self._rejects.append(
            {
                "_line": place.line,
                "_byte_offset": place.offset,
                "_byte_length": place.length,
                "rule": rule,
                "reasons": json.dumps(list(reasons)),
                "field": name,
                "message": message,
                "severity": severity,
                "record_key": record_key,
                "payload": payload,
                "payload_digest": digest,
            }
        )
        if severity == "warn":
            self._warning_count += 1
        if len(self._rejects) >= STRICT_ROWS:
            self._flush_rejects()

    def _flush_rejects(self) -> None:
        if not self._rejects:
            return
        with storage_errors(self.draft.rejects):
            if self._reject_writer is None:
                self._reject_writer = pq.ParquetWriter(
                    self.draft.rejects, REJECT_SCHEMA, compression="zstd"
                )
            self._reject_writer.write_table(pa.Table.from_pylist(self._rejects, REJECT_SCHEMA))
        self._rejects = []

    # -- the strict path ------------------------------------------------------------------------

    def _judge(self, records: Iterator[RawRecord]) -> None:
        accepted: list[tuple[int, Checked]] = []
        rejected: list[tuple[RawRecord, Checked]] = []
        for record in records:
            if record.value is None:
                continue
            digest = self.pseudonyms.digest(record.data)
            if isinstance(record.value, Violation):
                self.refuse(record.place, record.value, digest=digest)
                continue
            checked = self._rules.check(record.value)
            if not checked.violations and len(record.data) > validate.MAXIMUM_BYTES:
                checked.violations.append(Violation("Q15", None, "the record is longer than 1 MiB"))
            for name, count in checked.notes.items():
                self._note(name, count)
            if checked.violations:
                rejected.append((record, checked))
            else:
                accepted.append((record.place.line, checked))
            if len(accepted) >= STRICT_ROWS:
                self.accept(accepted)
                accepted = []
            if len(rejected) >= STRICT_ROWS:
                self._refuse_all(rejected)
                rejected = []
        self.accept(accepted)
        self._refuse_all(rejected)

    def _convert(self, checked: Sequence[tuple[int, Checked]]) -> Iterator[pa.Table]:
        """The rows of accepted records; one that cannot be converted is rejected, alone."""
        if not checked:
            return
        try:
            yield self._run_trusted(checked)
        except _VALUE_ERRORS:
            if len(checked) > 1:
                middle = len(checked) // 2
                yield from self._convert(checked[:middle])
                yield from self._convert(checked[middle:])
                return
            line, one = checked[0]
            violation = Violation("Q15", None, "a value that cannot be stored; correct it")
            spelled = json.dumps(one.record, sort_keys=True).encode()
            self.refuse(Place(line), violation, digest=self.pseudonyms.digest(spelled))

    def _run_trusted(self, checked: Sequence[tuple[int, Checked]]) -> pa.Table:
        lines = [validate.as_line(one) for _, one in checked]
        present = {name for _, one in checked for name in one.record}
        names = [name for name in self._names if name in present]
        unknown = sorted(present.difference(names))
        sql = conversion.statement(
            self.contract,
            self.terms,
            json_inputs(names),
            unknown=json_unknown(unknown),
            trusted=True,
            relation=json_relation(names, trusted=True, is_checked=True),
        )
        table = pa.table(
            {
                "_row": pa.array(range(len(lines)), pa.int64()),
                "_line": pa.array([line for line, _ in checked], pa.int64()),
                "line": pa.array([line for line, _ in lines], pa.string()),
                "_overlay": pa.array([overlay for _, overlay in lines], pa.string()),
            }
        )
        return self._run(sql, table)

    def _refuse_all(self, rejected: Sequence[tuple[RawRecord, Checked]]) -> None:
        if not rejected:
            return
        try:
            shown = self._run_trusted([(record.place.line, one) for record, one in rejected])
        except _VALUE_ERRORS:
            if len(rejected) > 1:
                middle = len(rejected) // 2
                self._refuse_all(rejected[:middle])
                self._refuse_all(rejected[middle:])
                return
            record, one = rejected[0]
            digest = self.pseudonyms.digest(record.data)
            self.refuse(record.place, one.violations[0], digest=digest)
            return
        payloads = shown["_canonical"].to_pylist()
        keys = shown["_record_key"].to_pylist()
        whole = _all_there(shown, self.contract)
        for (record, checked), payload, key, is_whole in zip(
            rejected, payloads, keys, whole, strict=True
        ):
            first = checked.violations[0]
            self._rejected_count += 1
            self._reject(
                record.place,
                rule=first.rule,
                reasons=validate.reasons(checked),
                name=first.field,
                message="; ".join(dict.fromkeys(one.message for one in checked.violations)),
                digest=self.pseudonyms.digest(record.data),
                record_key=key if is_whole else None,
                payload=_with_leftover(payload, checked),
            )

    # -- warnings -------------------------------------------------------------------------------

    def _warn(self, rule: str, name: str | None, message: str, line: int, key: str) -> None:
        self._reject(
            Place(line),
            rule=rule,
            reasons=[rule],
            name=name,
            message=message,
            digest=self.pseudonyms.digest(f"{rule}\x1f{key}\x1f{line}".encode()),
            severity="warn",
            record_key=key,
        )

    def _warn_of_bits(self, result: pa.Table) -> None:
        if not pc.any(pc.not_equal(result["_warn"], 0)).as_py():
            return
        warned = result.filter(pc.not_equal(result["_warn"], 0))
        columns = (warned["_warn"], warned["_line"], warned["_record_key"])
        for bits, line, key in zip(*(column.to_pylist() for column in columns), strict=True):
            for bit, (rule, name, message) in conversion.WARNINGS.items():
                if bits & bit:
                    self._warn(rule, name or self.contract.time_column, message, line, key)

    def _warn_of_conflicts(self) -> None:
        """Q14 within the delivery: one key, one `updated_at`, different content."""
        versions = np.sort(np.concatenate(self._versions))
        if not (versions[1:] == versions[:-1]).any():
            return
        rows = self.connection.execute(
            "select _record_key, max(_line) from read_parquet(?) "
            "group by _record_key, _source_updated_at having count(*) > 1 "
            "and count(distinct _record_hash) > 1 order by _record_key",
            [str(self.draft.data)],
        ).fetchall()
        message = "delivered twice with the same updated_at and different content"
        for key, line in rows:
            self._warn("Q14", None, message, line, key)

    def _warn_of_falling_counters(self) -> None:
        """Q10 within the delivery: a lifetime counter falls by more than 20 % and 100."""
        rows = self.connection.execute(
            """
            with counted as (
                select
                    _line, _record_key, value,
                    lag(value) over (
                        partition by platform, post_id, metric, scope
                        order by observed_at, _record_key, _line
                    ) as before
                from read_parquet(?)
            )
            select _line, _record_key from counted
            where before - value > 100 and value < 0.8 * before
            order by _line
            """,
            [str(self.draft.data)],
        ).fetchall()
        message = "a lifetime counter falls by more than 20 % and 100; kept, the platform purges"
        for line, key in rows:
            self._warn("Q10", "value", message, line, key)


def land(
    *,
    landing_directory: Path,
    delivery: Delivery,
    contract: EntityContract,
    terms: Terms,
    pseudonyms: Pseudonyms,
    connection: duckdb.DuckDBPyConnection,
    fill: Callable[[Intake], None],
) -> Manifest:
    """Land one delivery, unless it has been landed.

    Args:
        landing_directory: `<home>/landing`.
        delivery: What is being landed.
        contract: Of its entity.
        terms: What holds for every row.
        pseudonyms: With the home's key.
        connection: From `connect`.
        fill: Feeds the intake with batches; what it raises leaves nothing behind.

    Returns:
        The manifest, of now or of before.
    """
    before = landing.find(landing_directory, delivery)
    if before is not None:
        return before
    with landing.draft(landing_directory, delivery) as draft:
        intake = Intake(contract, terms, pseudonyms, connection, draft)
        try:
            fill(intake)
            facts = intake.finish()
        finally:
            intake.abandon()
        if facts.rejected_count or facts.warning_count:
            LOG.info(
                "%s: %s good, %s rejected, %s warnings",
                delivery.origin.name,
                facts.good_count,
                facts.rejected_count,
                facts.warning_count,
            )
        return landing.land(landing_directory, draft, facts)


def _with_leftover(payload: str, checked: Checked) -> str:
    if not checked.leftover:
        return payload
    value = json.loads(payload) | checked.leftover
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _all_there(shown: pa.Table, contract: EntityContract) -> list[bool]:
    """Whether a row has all of its key; the key of a rejected row may lack a part."""
    wanted = [name for name in contract.key if _is_needed(contract.column(name))]
    if not wanted:
        return [True] * shown.num_rows
    present = [pc.is_valid(shown[name]).to_pylist() for name in wanted]
    return [all(row) for row in zip(*present, strict=True)]


def _is_repetitive(column: Column) -> bool:
    """Whether a dictionary of the values is small; for keys and hashes it is lost work."""
    return (
        column.x_type in ("enum", "ccy", "cc", "bool")
        or column.name.startswith("utm_")
        or column.name.endswith("_host")
        or column.name in ("_source_account", "event_name", "channel", "platform")
    )


def _is_needed(column: Column) -> bool:
    return column.required


def _least(before: Any, value: Any) -> Any:
    return value if before is None or (value is not None and value < before) else before


def _greatest(before: Any, value: Any) -> Any:
    return value if before is None or (value is not None and value > before) else before


def _instant(value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    assert isinstance(value, date)
    return datetime.combine(value, time(), UTC)
