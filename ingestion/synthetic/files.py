"""Files written the same to the byte each time: Parquet, NDJSON (also gzip), CSV, XLSX.

Nothing of the clock, of the machine or of Python gets in: gzip is Arrow's own with no time in its
header, the members of an XLSX are stored uncompressed under one fixed date.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from setae.warehouse import literal, quote

LINES_AT_ONCE = 50_000
"""Rows that are spelled together; more would only take memory."""

_XLSX_DATE = (2026, 1, 1, 0, 0, 0)


class TableFile:
    """A file that grows by tables; raw lines may be slipped in where the form has lines."""

    def __init__(self, path: Path, form: str, connection: duckdb.DuckDBPyConnection) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.form = form
        self.row_count = 0
        self.line_count = 0
        self._connection = connection
        self._parquet: Any = None
        self._stream: Any = None
        if form != "parquet":
            plain = pa.OSFile(str(path), "wb")
            self._stream = (
                pa.CompressedOutputStream(plain, "gzip") if form.endswith("gz") else plain
            )

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if not table.num_rows and self.form == "parquet" and self._parquet is not None:
            return
        if self.form == "parquet":
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self.path, table.schema, compression="zstd")
            self._parquet.write_table(table, row_group_size=131_072)
        elif self.form == "csv":
            self._write_csv(table)
        else:
            for begin in range(0, table.num_rows, LINES_AT_ONCE):
                part = table.slice(begin, LINES_AT_ONCE)
                self._stream.write(lines(part, self._connection))
        self.row_count += table.num_rows
        self.line_count += table.num_rows

    def raw(self, line: bytes) -> int:
        """Append one line as it is, and say its number."""
        if self._stream is None:
            raise ValueError("a Parquet file has no lines")
        self._stream.write(line + b"\n")
        self.row_count += 1
        self.line_count += 1
        return self.line_count

    def close(self) -> Path:
        """Finish the file."""
        if self._parquet is not None:
            self._parquet.close()
        if self._stream is not None:
            self._stream.close()
        return self.path

    def _write_csv(self, table: pa.Table) -> None:
        is_first = self.line_count == 0
        self.line_count += is_first
        options = arrow_csv.WriteOptions(include_header=is_first, quoting_style="needed")
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(as_text(table, self._connection), sink, options)
        data = sink.getvalue().to_pybytes()
        if is_first:
            # Names of fields need no quotes.
            head, _, rest = data.partition(b"\n")
            data = head.replace(b'"', b"") + b"\n" + rest
        self._stream.write(data)


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB that spells values; one thread, so that rows keep their order by construction."""
    connection = duckdb.connect(":memory:", config={"threads": "1"})
    connection.execute("set TimeZone = 'UTC'")
    return connection


def write_parquet(path: Path, table: pa.Table) -> Path:
    """One table as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=131_072)
    return path


def lines(table: pa.Table, connection: duckdb.DuckDBPyConnection) -> bytes:
    """Rows as NDJSON: members in the order of columns, those without a value left out."""
    if not table.num_rows:
        return b""
    flat = _without_zone(table)
    members = [
        f"{literal(_json(name) + ':')} || {_spelled(quote(name), flat.schema.field(name).type)}"
        for name in flat.schema.names
    ]
    made = _run(f"select '{{' || concat_ws(',', {', '.join(members)}) || '}}' as line from rows",
                flat, connection)  # fmt: skip
    return ("\n".join(made["line"].to_pylist()) + "\n").encode()


def as_text(table: pa.Table, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Every column as the text a CSV cell holds."""
    flat = _without_zone(table)
    columns = [
        f"{_cell(quote(name), flat.schema.field(name).type)} as {quote(name)}"
        for name in flat.schema.names
    ]
    return _run(f"select {', '.join(columns)} from rows", flat, connection)


def _run(sql: str, rows: pa.Table, connection: duckdb.DuckDBPyConnection) -> pa.Table:
    connection.register("rows", rows)
    try:
        return connection.execute(sql).to_arrow_table()
    finally:
        connection.unregister("rows")


def _without_zone(table: pa.Table) -> pa.Table:
    for position, one in enumerate(table.schema):
        if pa.types.is_timestamp(one.type):
            table = table.set_column(position, one.name, table[one.name].cast(pa.timestamp("us")))
    return table


def _json(name: str) -> str:
    return f'"{name}"'


def _instant(name: str) -> str:
    return f"replace(strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')"


def _spelled(name: str, data_type: pa.DataType) -> str:
    types = pa.types
    if types.is_timestamp(data_type):
        return f"'\"' || {_instant(name)} || '\"'"
    if types.is_decimal(data_type) or types.is_date(data_type):
        return f"'\"' || {name}::varchar || '\"'"
    if types.is_boolean(data_type) or types.is_integer(data_type) or types.is_floating(data_type):
        return f"{name}::varchar"
    return f"to_json({name})::varchar"


def _cell(name: str, data_type: pa.DataType) -> str:
    types = pa.types
    if types.is_timestamp(data_type):
        return _instant(name)
    if types.is_list(data_type):
        return f"array_to_string({name}, '|')"
    return f"{name}::varchar"


def write_xlsx(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    packed = io.BytesIO()
    book.save(packed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(packed) as source,
        zipfile.ZipFile(path, "w", compression=zipfile.ZIP_STORED) as target,
    ):
        for name in sorted(source.namelist()):
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name, _XLSX_DATE), data)
    return path


def sha256(path: Path) -> str:
    """Digest of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
