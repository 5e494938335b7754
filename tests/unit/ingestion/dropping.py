"""Drop records into a folder in any format, fetch them, and read back what landed."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import landing, sources
from ingestion.landing import Manifest
from setae.progress import Silent
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import make_home

FORMATS = ("ndjson", "ndjson.gz", "csv", "parquet")

END = datetime(2026, 12, 1, tzinfo=UTC)

CONFIG = """
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "drops"
account = "demo"
"""


def drop_home(path: Path, extra: str = "") -> Settings:
    """A home with one drops source and an empty folder."""
    settings = make_home(path, CONFIG + extra)
    (settings.home / "drops").mkdir(exist_ok=True)
    return settings


def put(settings: Settings, entity: str, name: str, data: bytes | str) -> Path:
    """Drop a file with these bytes."""
    path = settings.home / "drops" / entity / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def cell(value: Any) -> str:
    """A value as CSV holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def encode(rows: Sequence[dict[str, Any]], form: str) -> bytes:
    """Records as a file of this form."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if form.startswith("ndjson"):
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        return gzip.compress(data, mtime=0) if form.endswith("gz") else data
    if form == "csv":
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([cell(row.get(name)) for name in names] for row in rows)
        return text.getvalue().encode()
    columns = {
        name: pa.array(
            [cell(row[name]) if row.get(name) is not None else None for row in rows], pa.string()
        )
        for name in names
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def line_of(number: int, form: str) -> int:
    """Line of the n-th record: CSV has a header above it."""
    return number + 1 if form == "csv" else number


def fetch(
    settings: Settings, *, start: datetime | None = None, end: datetime | None = END
) -> list[Manifest]:
    """Fetch everything that was dropped."""
    return sources.get("drops").fetch(
        settings, name="drops", start=start, end=end, progress=Silent()
    )


def good(settings: Settings, *manifests: Manifest) -> list[dict[str, Any]]:
    """Landed rows, in the order of their lines."""
    directory = Home(settings.home).landing
    rows = [
        row
        for manifest in manifests
        for row in pq.read_table(landing.data_path(manifest, directory)).to_pylist()
    ]
    return sorted(rows, key=lambda row: row["_line"])


def rejects(settings: Settings, *manifests: Manifest) -> list[dict[str, Any]]:
    """Rejects and warnings, in the order of their lines."""
    directory = Home(settings.home).landing
    rows = []
    for manifest in manifests:
        path = landing.rejects_path(manifest, directory)
        if path is not None:
            rows += pq.read_table(path).to_pylist()
    return sorted(rows, key=lambda row: (row["_line"], row["rule"]))


def every_byte(folder: Path) -> bytes:
    """All bytes below a folder, Parquet unpacked, for searches of what may not be there."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.append(path.name.encode() + b"\n" + path.read_bytes())
            if path.suffix == ".parquet":
                found.append(json.dumps(pq.read_table(path).to_pylist(), default=str).encode())
    return b"\n".join(found)
