"""CSV: a header naming the contract's fields, then one record a row.

The delimiter is whichever of comma, semicolon and tab makes names of the header that the contract
knows; nothing is guessed from the data. Quotes are those of RFC 4180: around a whole cell, doubled
inside it; a quoted cell may hold newlines. Records are found by counting quotes, and line numbers
count every newline, so that they are an editor's.

Where quotes stand elsewhere, or a row has more or fewer cells than the header, the rows of that
chunk are read one by one: the bad ones are rejected, and the next line is a row again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv

from ingestion import typed_table, validate
from ingestion.contract import EntityContract
from ingestion.intake import Intake, Place, RawRecord
from ingestion.sources.drops.unusable import Unusable
from ingestion.validate import Violation

CHUNK_BYTES = 32 * 2**20
DELIMITERS = (",", ";", "\t")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_QUOTE, _NEWLINE, _RETURN = 0x22, 0x0A, 0x0D

csv.field_size_limit(2 * validate.MAXIMUM_BYTES)


@dataclass(frozen=True)
class Header:
    """What the first row says, and where the second begins."""

    names: tuple[str, ...]
    delimiter: str
    length: int
    lines: int


@dataclass(frozen=True)
class Row:
    """One record: its bytes without the newline, and where they lie."""

    data: bytes
    place: Place
    is_broken: bool = False


def fill(one: Intake, path: Path) -> None:
    """Feed a file to an intake.

    Raises:
        Unusable: The file is empty, or its header is not one.
    """
    with path.open("rb") as stream:
        head = stream.read(validate.MAXIMUM_BYTES)
        header = read_header(head, one.contract)
        stream.seek(header.length)
        carry, line, offset = b"", 1 + header.lines, header.length
        while True:
            data = stream.read(CHUNK_BYTES)
            buffer = carry + data
            is_last = not data
            if is_last and buffer and not buffer.endswith(b"\n"):
                buffer += b"\n"
            used = _take(one, header, buffer, line, offset, is_last=is_last)
            line += buffer.count(b"\n", 0, used)
            offset += used
            carry = buffer[used:]
            if is_last:
                return


def read_header(head: bytes, contract: EntityContract) -> Header:
    """Read the header row.

    Args:
        head: The beginning of the file.
        contract: Of the entity, to tell the delimiter by.

    Raises:
        Unusable: There is none, or its names are not usable.
    """
    if not head.strip():
        raise Unusable("is empty; deliver it again, with a header row")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unusable("is UTF-16; save it as UTF-8")
    mark = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
    end = head.find(b"\n")
    end = len(head) if end < 0 else end
    try:
        text = head[mark:end].decode("utf-8").rstrip("\r")
    except UnicodeDecodeError:
        raise Unusable("has a header that is not UTF-8; save it as UTF-8") from None
    known = {field.name for field in contract.fields}
    best: tuple[int, str, list[str]] = (0, "", [])
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([text], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        hits = len(known.intersection(name.strip() for name in names))
        if hits > best[0]:
            best = (hits, delimiter, [name.strip() for name in names])
    hits, delimiter, names = best
    if not hits:
        raise Unusable(
            f"has a first row that names no field of {contract.entity}; give it a header row "
            "(see docs/sources/drops.md)"
        )
    # Nameless columns, as spreadsheets leave behind, are dropped like any unknown one.
    named = [name or f"(column {number})" for number, name in enumerate(names, start=1)]
    if len(named) != len(set(named)):
        raise Unusable("has a header with one name twice; rename one of the columns")
    return Header(tuple(named), delimiter, min(end + 1, len(head)), 1)


def rows(data: bytes, header: Header) -> Iterator[RawRecord]:
    """All records of a small file, one by one."""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    found, _ = _scan(data, header.delimiter, 1 + header.lines, header.length, is_last=True)
    for row in found:
        cells = _cells(row, header)
        if isinstance(cells, Violation):
            yield RawRecord(row.place, cells, row.data)
        elif cells:
            value = {name: cell or None for name, cell in zip(header.names, cells, strict=True)}
            yield RawRecord(row.place, value, row.data)


def _take(
    one: Intake, header: Header, buffer: bytes, line: int, offset: int, *, is_last: bool
) -> int:
    """Convert the whole records in `buffer`; returns how many bytes they are."""
    regular = _regular_ends(buffer, header.delimiter)
    if regular is not None:
        ends, newlines = regular
        if not len(ends):
            # A cell has been open for more than a record may be: its quote was never meant as one.
            if len(buffer) <= 2 * validate.MAXIMUM_BYTES and not is_last:
                return 0
            if not buffer:
                return 0
        elif not is_last or int(ends[-1]) + 1 == len(buffer):
            used = int(ends[-1]) + 1
            _take_regular(one, header, buffer[:used], ends, newlines, line, offset)
            return used
    rows, used = _scan(buffer, header.delimiter, line, offset, is_last=is_last)
    _take_rows(one, header, rows)
    return used


def _regular_ends(
    buffer: bytes, delimiter: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None:
    """Ends of records and all newlines; None where quotes stand where they may not."""
    data = np.frombuffer(buffer, dtype=np.uint8)
    newlines = np.flatnonzero(data == _NEWLINE)
    if b'"' not in buffer:
        return newlines, newlines
    quotes = np.flatnonzero(data == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[opening - 1][opening > 0]
    after = data[np.minimum(closing + 1, len(data) - 1)][closing + 1 < len(data)]
    edges = (ord(delimiter), _NEWLINE, _QUOTE)
    if not np.isin(before, edges).all() or not np.isin(after, (*edges, _RETURN)).all():
        return None
    inside = np.searchsorted(quotes, newlines) % 2 == 1
    return newlines[~inside], newlines


def _take_regular(
    one: Intake,
    header: Header,
    buffer: bytes,
    ends: npt.NDArray[np.int64],
    newlines: npt.NDArray[np.int64],
    line: int,
    offset: int,
) -> None:
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = line + np.searchsorted(newlines, starts)
    lengths = ends - starts
    data = np.frombuffer(buffer, dtype=np.uint8)
    ends = ends - ((lengths > 0) & (data[ends - 1] == _RETURN))
    is_blank = ends == starts
    starts, ends, lines = starts[~is_blank], ends[~is_blank], lines[~is_blank]
    table = None
    if len(starts) and int((ends - starts).max()) <= validate.MAXIMUM_BYTES:
        table = _parse(buffer, header)
    if table is None or len(table) != len(starts):
        rows = [
            Row(buffer[start:end], Place(number, offset + start, end - start))
            for start, end, number in zip(
                starts.tolist(), ends.tolist(), lines.tolist(), strict=True
            )
        ]
        _take_rows(one, header, rows)
        return

    def read(row: int) -> RawRecord:
        start, end = int(starts[row]), int(ends[row])
        cells = {name: table[name][row].as_py() for name in header.names}
        return RawRecord(
            Place(int(lines[row]), offset + start, end - start), cells, buffer[start:end]
        )

    batch = typed_table.batch(one.contract, table, lines=pa.array(lines, pa.int64()))
    one.take(replace(batch, record=read))


def _parse(buffer: bytes, header: Header) -> pa.Table | None:
    """All rows at once; None where any is not as the header has it, or not UTF-8."""
    try:
        return arrow_csv.read_csv(
            io.BytesIO(buffer),
            read_options=arrow_csv.ReadOptions(
                column_names=list(header.names), block_size=len(buffer) + 1, use_threads=True
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=header.delimiter, newlines_in_values=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _take_rows(one: Intake, header: Header, rows: Sequence[Row]) -> None:
    """Read rows one by one: the bad ones are rejected, the others go on together."""
    good: list[tuple[Row, list[str]]] = []
    bad: list[RawRecord] = []
    for row in rows:
        cells = _cells(row, header)
        if isinstance(cells, Violation):
            bad.append(RawRecord(row.place, cells, row.data))
        elif cells:
            good.append((row, cells))
    one.judge(iter(bad))
    if not good:
        return
    columns = list(zip(*(cells for _, cells in good), strict=True))
    table = pa.table(
        {
            name: pa.array([cell or None for cell in column], pa.string())
            for name, column in zip(header.names, columns, strict=True)
        }
    )

    def read(number: int) -> RawRecord:
        row, cells = good[number]
        value = {name: cell or None for name, cell in zip(header.names, cells, strict=True)}
        return RawRecord(row.place, value, row.data)

    lines = pa.array([row.place.line for row, _ in good], pa.int64())
    one.take(replace(typed_table.batch(one.contract, table, lines=lines), record=read))


def _cells(row: Row, header: Header) -> list[str] | Violation:
    """The cells of one record; empty for a blank line."""
    if row.is_broken:
        return Violation("Q15", None, "a quote or line break stands where CSV has none")
    if len(row.data) > validate.MAXIMUM_BYTES:
        return Violation("Q15", None, "the row is longer than 1 MiB; deliver smaller records")
    try:
        text = row.data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Violation("Q15", None, f"not UTF-8 at byte {error.start + 1} of the row")
    if not text.strip():
        return []
    try:
        found = list(
            csv.reader(io.StringIO(text, newline=""), delimiter=header.delimiter, strict=True)
        )
    except csv.Error:
        found = []
    if len(found) != 1:
        return Violation("Q15", None, "a quote or line break stands where CSV has none")
    cells = found[0]
    if len(cells) != len(header.names):
        wanted = len(header.names)
        return Violation("Q15", None, f"{len(cells)} cells where the header has {wanted}")
    return cells


def _scan(
    buffer: bytes, delimiter: str, line: int, offset: int, *, is_last: bool
) -> tuple[list[Row], int]:
    """Find records where quotes are not to be trusted, physical line by physical line."""
    rows: list[Row] = []
    position = 0
    for end, is_broken in _record_ends(buffer, delimiter.encode(), is_last=is_last):
        data = buffer[position:end]
        cells = data.removesuffix(b"\r")
        rows.append(Row(cells, Place(line, offset + position, len(cells)), is_broken))
        line += data.count(b"\n") + 1
        position = end + 1
    return rows, position


def _record_ends(buffer: bytes, delimiter: bytes, *, is_last: bool) -> Iterator[tuple[int, bool]]:
    """Ends of records, and whether the record is one physical line with a stray quote."""
    start = 0
    while start < len(buffer):
        newline = buffer.find(b"\n", start)
        if newline < 0:
            return
        end = _close(buffer, start, delimiter)
        if end is None:
            begun = len(buffer) - start
            if not is_last and begun <= validate.MAXIMUM_BYTES:
                return  # the rest of the cell may be in the next chunk
            end, is_broken = newline, True
        elif end < 0:
            end, is_broken = newline, True
        else:
            is_broken = False
        yield end, is_broken
        start = end + 1


def _close(buffer: bytes, start: int, delimiter: bytes) -> int | None:
    """Newline that ends the record at `start`; None: not in here; -1: its quotes are wrong."""
    position = start
    while True:
        if buffer[position : position + 1] == b'"':
            while True:
                position = buffer.find(b'"', position + 1)
                if position < 0:
                    return None
                if buffer[position + 1 : position + 2] != b'"':
                    break
                position += 1
            position += 1
            following = buffer[position : position + 1]
            if following == b"\r" and buffer[position + 1 : position + 2] == b"\n":
                return position + 1
            if following == b"\n":
                return position
            if not following:
                return None
            if following != delimiter:
                return -1
            position += 1
            continue
        newline = buffer.find(b"\n", position)
        if newline < 0:
            return None
        comma = buffer.find(delimiter, position, newline)
        if comma < 0:
            return newline
        position = comma + 1
