"""What lies in `serving/`: publications, their manifests and the two pointers.

A publication is `marts-<run_id>.duckdb`, the folder `marts-<run_id>/` with the same tables as
Parquet, and `marts-<run_id>.json`, the manifest with the sha256 of every file. It exists once its
manifest does, and the manifest is written last. `current.duckdb` and `current` are relative
symlinks that a rename swaps; the first decides, the second follows it. `marts-<run_id>.withdrawn`
marks a publication that somebody rolled back from.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from serving.read import CURRENT
from setae.errors import StorageError
from setae.failpoints import failpoint
from setae.warehouse import read_json, storage_errors, sync_directory, write_atomically

CURRENT_PARQUET = "current"
MANIFEST_VERSION = 1
TEMPORARY_PREFIX = ".tmp-"

_RUN_ID = re.compile(r"^marts-(\d{8}T\d{6}Z-(\d{4,}))$")
_READ_BYTES = 2**20


@dataclass(frozen=True)
class PublishedFile:
    """One file of a publication, by its path inside `serving/`."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Publication:
    """One publication, as its manifest describes it.

    Attributes:
        run_id: `<as_of>-<sequence>`; the sequence rises with every publication of a home.
        published_at: When it was made, aware UTC.
        as_of: The "now" its numbers are measured against, aware UTC.
        data_through_date: The last business day that is complete in every required feed.
        code_version: Of Setae.
        contract_version: Of the canonical model.
        content_hash: Over every column of every mart, see `serving.content`.
        row_counts: Rows per mart.
        table_hashes: Content hash per mart.
        gate: How the gate before it went: results per status.
        files: Everything it consists of, with sha256.
    """

    run_id: str
    published_at: datetime
    as_of: datetime
    data_through_date: date
    code_version: str
    contract_version: str
    content_hash: str
    row_counts: dict[str, int]
    table_hashes: dict[str, str]
    gate: dict[str, int]
    files: tuple[PublishedFile, ...] = ()

    @property
    def sequence(self) -> int:
        """The number that orders the publications of a home."""
        return int(self.run_id.rsplit("-", 1)[1])

    @property
    def name(self) -> str:
        """What its files start with."""
        return f"marts-{self.run_id}"


def make_run_id(as_of: datetime, sequence: int) -> str:
    """The id of a publication; the sequence keeps it monotonic whatever the clocks do."""
    return f"{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}-{sequence:04d}"


def database_path(serving: Path, publication: Publication) -> Path:
    """The published DuckDB file."""
    return serving / f"{publication.name}.duckdb"


def parquet_path(serving: Path, publication: Publication) -> Path:
    """The folder with the same tables as Parquet."""
    return serving / publication.name


def publications(serving: Path) -> tuple[Publication, ...]:
    """Every publication on disk, oldest first."""
    found = [_read(path) for path in serving.glob("marts-*.json") if _RUN_ID.match(path.stem)]
    return tuple(sorted(found, key=lambda publication: publication.sequence))


def current(serving: Path) -> Publication | None:
    """The publication that readers get, None before the first."""
    pointer = serving / CURRENT
    if not pointer.is_symlink():
        return None
    manifest = serving / f"{pointer.readlink().stem}.json"
    return _read(manifest) if manifest.exists() else None


def highest_sequence(*folders: Path) -> int:
    """The greatest sequence any file in these folders carries, 0 if none does."""
    sequences = [0]
    for folder in folders:
        if folder.is_dir():
            for path in folder.iterdir():
                name = path.name.removesuffix(path.suffix) if path.suffix else path.name
                match = _RUN_ID.match(name)
                sequences.append(int(match[2]) if match else 0)
    pointer = folders[0] / CURRENT
    if pointer.is_symlink() and (match := _RUN_ID.match(pointer.readlink().stem)):
        sequences.append(int(match[2]))
    return max(sequences)


def write_manifest(serving: Path, publication: Publication) -> Publication:
    """Describe the files of a publication that lie in place; from here on it exists.

    Returns:
        The publication with its files and their sha256.
    """
    database = database_path(serving, publication)
    paths = [database, *sorted(parquet_path(serving, publication).iterdir())]
    complete = replace(
        publication,
        files=tuple(
            PublishedFile(
                path=str(path.relative_to(serving)),
                sha256=sha256(path),
                bytes=path.stat().st_size,
            )
            for path in paths
        ),
    )
    write_atomically(_manifest_path(serving, complete), _to_json(complete), mode=0o444)
    return complete


def damaged_files(serving: Path, publication: Publication) -> tuple[str, ...]:
    """Files of a publication that are missing or hold other bytes than when it was made."""
    return tuple(
        file.path
        for file in publication.files
        if not (serving / file.path).is_file()
        or (serving / file.path).stat().st_size != file.bytes
        or sha256(serving / file.path) != file.sha256
    )


def is_withdrawn(serving: Path, publication: Publication) -> bool:
    """Whether somebody rolled back from it."""
    return _withdrawn_path(serving, publication).exists()


def withdraw(serving: Path, publication: Publication, *, reason: str) -> None:
    """Mark a publication as rolled back; the same content is not published again."""
    write_atomically(_withdrawn_path(serving, publication), reason + "\n")


def restore(serving: Path, publication: Publication) -> None:
    """Take the mark of `withdraw` away."""
    _withdrawn_path(serving, publication).unlink(missing_ok=True)


def point_to(serving: Path, publication: Publication) -> None:
    """Swap both pointers to a publication; a reader sees the old one or the new one."""
    failpoint("publish:before_pointer")
    _swap_link(serving / CURRENT, database_path(serving, publication).name)
    failpoint("publish:after_pointer")
    _swap_link(serving / CURRENT_PARQUET, parquet_path(serving, publication).name)
    failpoint("publish:after_parquet_pointer")


def settle(serving: Path) -> None:
    """Finish or sweep what a killed run left: temporary names, half a publication, one pointer."""
    serving.mkdir(parents=True, exist_ok=True)
    for path in serving.iterdir():
        if path.name.startswith((TEMPORARY_PREFIX, ".marts-")):
            _delete(path)
    known = {publication.name for publication in publications(serving)}
    pointer = serving / CURRENT
    pointed = pointer.readlink().stem if pointer.is_symlink() else None
    for path in serving.iterdir():
        name = path.name if path.is_dir() else path.stem
        if _RUN_ID.match(name) and name not in known and name != pointed:
            _delete(path)
    shown = current(serving)
    if shown is not None:
        wanted = parquet_path(serving, shown).name
        link = serving / CURRENT_PARQUET
        if not link.is_symlink() or str(link.readlink()) != wanted:
            _swap_link(link, wanted)


def prune(serving: Path, *, keep: int) -> tuple[str, ...]:
    """Remove old publications: the newest `keep` stay, and the current one always.

    Returns:
        The run ids that went.
    """
    shown = current(serving)
    gone = [
        publication
        for publication in publications(serving)[:-keep]
        if shown is None or publication.run_id != shown.run_id
    ]
    for publication in gone:
        _manifest_path(serving, publication).unlink()  # first: without it the rest is swept
        failpoint("publish:in_prune")
        _delete(database_path(serving, publication))
        _delete(parquet_path(serving, publication))
        restore(serving, publication)
    return tuple(publication.run_id for publication in gone)


def set_aside(serving: Path, publication: Publication, *, into: Path) -> None:
    """Move a damaged publication out of the readers' folder, keeping it as evidence."""
    into.mkdir(parents=True, exist_ok=True)
    for path in (
        _manifest_path(serving, publication),
        database_path(serving, publication),
        parquet_path(serving, publication),
        _withdrawn_path(serving, publication),
    ):
        if path.exists():
            path.rename(into / path.name)


def sha256(path: Path) -> str:
    """Of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def make_durable(path: Path) -> None:
    """Make a finished file read-only for everybody and sync it to disk."""
    path.chmod(0o444)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_name(serving: Path, name: str) -> Path:
    """A name inside `serving/` that `settle` sweeps if we do not get to the end."""
    return serving / f"{TEMPORARY_PREFIX}{os.getpid()}-{name}"


def _swap_link(link: Path, target: str) -> None:
    temporary = temporary_name(link.parent, link.name)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
    sync_directory(link.parent)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _manifest_path(serving: Path, publication: Publication) -> Path:
    return serving / f"{publication.name}.json"


def _withdrawn_path(serving: Path, publication: Publication) -> Path:
    return serving / f"{publication.name}.withdrawn"


def _to_json(publication: Publication) -> str:
    values: dict[str, Any] = asdict(publication)
    for name in ("published_at", "as_of", "data_through_date"):
        values[name] = values[name].isoformat()
    return json.dumps({"manifest_version": MANIFEST_VERSION, **values}, sort_keys=True, indent=1)


def _read(path: Path) -> Publication:
    values = read_json(path)
    version = values.pop("manifest_version", None)
    if version != MANIFEST_VERSION:
        raise StorageError(
            f"{path}: manifest version {version}, this Setae reads {MANIFEST_VERSION}; "
            "publish again with one version"
        )
    with storage_errors(path):
        return Publication(
            **{
                **values,
                "published_at": datetime.fromisoformat(values["published_at"]),
                "as_of": datetime.fromisoformat(values["as_of"]),
                "data_through_date": date.fromisoformat(values["data_through_date"]),
                "files": tuple(PublishedFile(**file) for file in values["files"]),
            }
        )
