"""NDJSON, plain or gzipped: one JSON object a line.

Lines are found in large chunks of bytes and handed to DuckDB without a copy. What its parser lets
pass and JSON does not (NaN, trailing commas, names that occur twice), and numbers whose writing the
parsed value hides (`1e2`, `-0`), make a line doubtful; the strict rules read it again from its
bytes. Line numbers and byte offsets are those of the uncompressed file.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingestion import intake, validate
from ingestion.conversion import (
    MAXIMUM_UNKNOWN_FIELDS,
    NOT_A_NUMBER,
    NUMBERS_AS_WRITTEN,
    NUMERIC,
)
from ingestion.intake import Batch, Intake, Place, RawRecord
from ingestion.sources.drops.unusable import Unusable, check_unpacked
from ingestion.validate import Violation
from setae.warehouse import literal

CHUNK_BYTES = 32 * 2**20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_RETURN = 0x0D

_DOUBTFUL = (",}", ",]", " }", " ]", "\t}", "\t]", "\r}", "\r]", "\\u0000")
# JSON allows blanks before a closing bracket, but only odd writers put them there; behind a comma
# they would hide that the comma trails.


@dataclass(frozen=True)
class Chunk:
    """Whole lines, with the number of the first and where it begins in the file."""

    data: bytes
    first_line: int
    offset: int


def fill(one: Intake, path: Path) -> None:
    """Feed a file to an intake.

    Raises:
        Unusable: The file as a whole cannot be read.
    """
    is_empty = True
    packed = path.stat().st_size
    with path.open("rb") as raw:
        if path.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=raw) as stream:
                for chunk in _chunks(one, stream, packed):  # type: ignore[arg-type]
                    is_empty = False
                    _take(one, chunk)
        else:
            for chunk in _chunks(one, raw, None):
                is_empty = False
                _take(one, chunk)
    if is_empty:
        raise Unusable("is empty; deliver it again, or nothing where there is nothing")


def _chunks(one: Intake, stream: BinaryIO, packed: int | None) -> Iterator[Chunk]:
    carry, line, offset, total = b"", 1, 0, 0
    while True:
        data = _read(stream)
        if total == 0:
            if data.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise Unusable("is UTF-16; save it as UTF-8")
            if data.startswith(BYTE_ORDER_MARK):
                data, offset, total = data[3:], 3, 3
        total += len(data)
        if packed is not None:
            check_unpacked(total, packed)
        if not data:
            if carry:
                yield Chunk(carry + b"\n", line, offset)
            elif offset or line > 1:
                yield Chunk(b"", line, offset)
            return
        carry += data
        end = carry.rfind(b"\n") + 1
        if end:
            yield Chunk(carry[:end], line, offset)
            line += carry.count(b"\n", 0, end)
            offset += end
            carry = carry[end:]
        if len(carry) > validate.MAXIMUM_BYTES:
            length, carry = _skip_line(one, stream, carry, Place(line, offset))
            line, offset, total = line + 1, offset + length, total + length


def _skip_line(one: Intake, stream: BinaryIO, begun: bytes, place: Place) -> tuple[int, bytes]:
    """Read on to the end of a line too long to hold; returns its length and what follows."""
    digest = one.pseudonyms.hasher()
    length = len(begun)
    digest.update(begun)
    rest = b""
    while data := _read(stream):
        head, found, rest = data.partition(b"\n")
        digest.update(head)
        length += len(head)
        if found:
            break
    message = "the line is longer than 1 MiB; deliver smaller records"
    one.refuse(
        Place(place.line, place.offset, length),
        Violation("Q15", None, message),
        digest=digest.hexdigest(),
    )
    return length + 1, rest


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except EOFError:
        raise Unusable("ends in the middle (truncated gzip); deliver it again") from None
    except (gzip.BadGzipFile, zlib.error):
        raise Unusable("is damaged or no gzip file; deliver it again") from None


def _take(one: Intake, chunk: Chunk) -> None:
    if not chunk.data:
        return
    ends = _ends(chunk.data)
    lines = np.arange(chunk.first_line, chunk.first_line + len(ends), dtype=np.int64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    offsets = starts + chunk.offset
    data = chunk.data
    try:
        texts = _texts(data, ends)
        texts.validate(full=True)
    except pa.ArrowInvalid:
        texts, data, starts, ends, kept = _split_bad(one, data, starts, ends, lines, offsets)
        lines, offsets = lines[kept], offsets[kept]
    # Lines with nothing on them are no records; there may be millions of them.
    lengths = ends - starts
    letters = np.frombuffer(data, dtype=np.uint8)
    is_blank = (lengths == 0) | ((lengths == 1) & (letters[starts] == _RETURN))
    if is_blank.any():
        kept = ~is_blank
        texts = texts.filter(pa.array(kept))
        starts, ends, lines, offsets = starts[kept], ends[kept], lines[kept], offsets[kept]
    if len(ends):
        one.take(_batch(one, data, texts, starts, ends, lines, offsets))


def _ends(data: bytes) -> npt.NDArray[np.int64]:
    """Where the newlines are; `data` ends with one."""
    lengths = np.fromiter(map(len, data.split(b"\n")), dtype=np.int64)[:-1]
    return np.cumsum(lengths + 1) - 1


def _texts(data: bytes, ends: npt.NDArray[np.int64]) -> pa.Array:
    """The lines as Arrow strings over the same bytes, newlines included."""
    offsets = np.zeros(len(ends) + 1, dtype=np.int64)
    offsets[1:] = ends + 1
    return pa.Array.from_buffers(
        pa.large_string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def _split_bad(
    one: Intake,
    data: bytes,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
) -> tuple[pa.Array, bytes, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Reject the lines that are not UTF-8; the rest as a chunk of its own."""
    kept = np.ones(len(ends), dtype=bool)
    parts = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    bad: list[RawRecord] = []
    for row, part in enumerate(parts):
        try:
            part.decode("utf-8")
        except UnicodeDecodeError:
            kept[row] = False
            place = Place(int(lines[row]), int(offsets[row]), len(part))
            bad.append(RawRecord(place, validate.parse_line(part), part))
    one.judge(iter(bad))
    good = b"".join(part + b"\n" for part, is_kept in zip(parts, kept, strict=True) if is_kept)
    new_ends = _ends(good) if good else np.zeros(0, dtype=np.int64)
    new_starts = np.concatenate(([0], new_ends[:-1] + 1)) if good else new_ends
    return _texts(good, new_ends), good, new_starts, new_ends, kept


def _batch(
    one: Intake,
    data: bytes,
    texts: pa.Array,
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
) -> Batch:
    table = pa.table(
        {
            "_row": pa.array(np.arange(len(ends), dtype=np.int64)),
            "_line": pa.array(lines),
            "line": texts,
        }
    )
    known = {field.name for field in one.contract.fields}
    signatures = _signatures(one, table)
    is_json = sum(signatures.values()) == len(table)
    unknown, refused, dropped_count = _unknown(signatures, known)
    # Fields that no line of the chunk has cost nothing: the statement holds NULL in their place.
    present = {name for keys in signatures for name in keys}
    names = [field.name for field in one.contract.fields if field.name in present]
    also_ok = [
        "not (" + " or ".join(f"contains(line, {literal(sign)})" for sign in _DOUBTFUL) + ")"
    ]
    numeric = [
        field.name
        for field in one.contract.fields
        if field.name in present and field.x_type in NUMERIC
    ]
    if numeric:
        given = ", ".join(f'given."{name}"' for name in numeric)
        as_written = f"regexp_matches(line, {literal(NUMBERS_AS_WRITTEN)})"
        also_ok.append(f"(coalesce({given}) is null or not {as_written})")
    if refused:
        also_ok += _plain_values(refused)
    if any(len(keys) != len(set(keys)) for keys in signatures):
        also_ok.append("len(json_keys(line)) = len(list_distinct(json_keys(line)))")
    if int((ends - starts).max()) > validate.MAXIMUM_BYTES:
        also_ok.append(f"strlen(line) <= {validate.MAXIMUM_BYTES}")

    def read(row: int) -> RawRecord:
        part = data[int(starts[row]) : int(ends[row])]
        place = Place(int(lines[row]), int(offsets[row]), len(part))
        return RawRecord(place, validate.parse_line(part), part)

    return Batch(
        table=table,
        relation=intake.json_relation(names, trusted=False, is_checked=is_json),
        inputs=intake.json_inputs(names),
        record=read,
        unknown=intake.json_unknown(unknown),
        also_ok=also_ok,
        dropped_count=dropped_count,
    )


def _signatures(one: Intake, table: pa.Table) -> dict[tuple[str, ...], int]:
    """The distinct lists of names that occur as a line's members, with how often."""
    one.connection.register("chunk", intake.sliced(table))
    rows = one.connection.execute(
        "select keys, count(*) from (select try(json_keys(line)) as keys from chunk) "
        "where keys is not null group by keys"
    ).fetchall()
    one.connection.unregister("chunk")
    return {tuple(keys): count for keys, count in rows}


def _unknown(
    signatures: dict[tuple[str, ...], int], known: set[str]
) -> tuple[list[str], list[str], int]:
    """Names outside the contract to keep, those to drop, and how many of these there are."""
    kept: set[str] = set()
    refused: set[str] = set()
    for keys in signatures:
        for name in keys:
            if name not in known:
                (kept if validate.is_kept_name(name) else refused).add(name)
    chosen = sorted(kept)
    refused |= set(chosen[MAXIMUM_UNKNOWN_FIELDS:])
    dropped = sum(
        count * sum(name in refused for name in keys) for keys, count in signatures.items()
    )
    return chosen[:MAXIMUM_UNKNOWN_FIELDS], sorted(refused), dropped


def _plain_values(names: list[str]) -> list[str]:
    """Conditions that dropped members, which nobody looks into, are readable all the same."""
    safe = [name for name in names if re.fullmatch(r"[0-9A-Za-z_.$ @-]+", name)]
    conditions = [
        f"not regexp_matches(line, {literal(NOT_A_NUMBER)})",
    ]
    if safe:
        paths = ", ".join(literal(intake.member(name)) for name in safe)
        conditions.append(f"not list_has_any(json_type(line, [{paths}]), ['OBJECT', 'ARRAY'])")
    if len(safe) < len(names):
        odd = ", ".join(literal(name) for name in names if name not in safe)
        conditions.append(f"not list_has_any(json_keys(line), [{odd}])")
    return conditions
