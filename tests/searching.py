"""Search every byte of a folder, packed or not, for texts that must not be there.

A file is looked at as it lies, and as what it holds: gzip and zip unpacked, the values of Parquet
files, of every table of DuckDB and SQLite files (Airflow's metadata among them). A text is looked
for whatever the case of its letters, in UTF-8 and UTF-16, in base64 wherever it begins, in hex, in
a URL, and as an unkeyed hash, which anybody could compute of an address book.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_plus

import duckdb
import pyarrow.parquet as pq

SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Found:
    """One text in one place.

    Attributes:
        form: How it is written there, such as `base64`.
        inside: What was unpacked to see it; empty for the file as it lies.
    """

    path: Path
    text: str
    form: str
    inside: str = ""


def find(folder: Path, texts: Iterable[str]) -> list[Found]:
    """Every place in a folder and in the names of its files that holds one of these texts."""
    # Often two forms of a text are the same bytes.
    forms = {
        (needle, form.startswith("base64")): (text, form)
        for text in texts
        for form, needle in written(text).items()
    }
    found = []
    for path in sorted(folder.rglob("*")):
        for inside, data in contents(path):
            lowered = data.lower()
            for (needle, tells_case), (text, form) in forms.items():
                if needle in (data if tells_case else lowered):
                    found.append(Found(path, text, form, inside))
    return found


def written(text: str) -> dict[str, bytes]:
    """The forms of a text that are looked for: name → bytes."""
    data, small = text.encode(), text.lower().encode()
    forms = {
        "plain": small,
        "UTF-16": text.lower().encode("utf-16-le"),
        "hex": small.hex().encode(),
        "hex of it as typed": data.hex().encode(),
        "URL": quote_plus(text).lower().encode(),
        "JSON": ascii(text.lower())[1:-1].encode(),
    }
    for name in ("md5", "sha1", "sha256"):
        for how, value in (("as typed", data), ("in small letters", small)):
            digest = hashlib.new(name, value, usedforsecurity=False)
            forms[f"{name} {how}"] = digest.hexdigest().encode()
    for how, value in (("as typed", data), ("in small letters", small)):
        for shift in range(3):
            packed = base64.b64encode(b"\0" * shift + value)
            # A character stands for six bits; those at the ends may be the neighbours' too.
            whole = slice(-(-shift * 8 // 6), (shift + len(value)) * 8 // 6)
            forms[f"base64 {how}, {shift}"] = packed[whole]
    return forms


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """What there is to search in a file: what was unpacked, bytes."""
    yield "name", path.name.encode()
    if path.is_symlink() or not path.is_file():
        return
    data = path.read_bytes()
    yield "", data
    if data.startswith(b"\x1f\x8b"):
        try:
            yield "gzip", gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield "gzip, cut", zlib.decompressobj(31).decompress(data)
    elif data.startswith(b"PAR1"):
        table = pq.read_table(path)
        yield "Parquet", repr(table.to_pylist()).encode()
        yield "Parquet schema", repr(table.schema).encode()
    elif data.startswith(SQLITE):
        yield from _sqlite(path)
    elif data[8:12] == b"DUCK":
        yield from _duckdb(path)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield f"zip {name}", archive.read(name)


def _sqlite(path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        for (name,) in tables.fetchall():
            table = name.decode()
            for row in connection.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield f"table {table}", value
                        if value.startswith(b"x\x9c"):
                            yield f"table {table}, unpacked", zlib.decompress(value)
                    else:
                        yield f"table {table}", str(value).encode()


def _duckdb(path: Path) -> Iterator[tuple[str, bytes]]:
    with duckdb.connect() as connection:
        # By a name of ours: a file may be called like one of its schemas.
        connection.execute(f"attach '{path}' as searched (read_only)")
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'searched'"
        )
        for schema, table in tables.fetchall():
            reader = connection.execute(f'from searched."{schema}"."{table}"')
            while rows := reader.fetchmany(10_000):
                yield f"table {schema}.{table}", repr(rows).encode()
