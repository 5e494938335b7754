"""Landing: immutable Parquet files, and a manifest each, in `<home>/landing/<source>/<entity>/`.

    <name>.parquet            good rows, typed and pseudonymised
    <name>.rejects.parquet    what failed and why, and warnings; only where there are any
    <name>.manifest.json      counts, digests, window; written last

and, for a source that is pulled, `<home>/landing/<source>/.state/<account>.json`: how far it has
been read, written after the manifests (`ingestion.extraction`).

A landed file exists once its manifest does. Each file is written under a temporary name, fsynced,
renamed, and its folder fsynced, before the next; a process that dies in between leaves files that
nobody reads and `sweep` removes. The name is made of what was fetched (digest and name of the
origin, contract version, key), so fetching the same thing again finds it there and does nothing.

Sweeping stays away from a source that is being fetched: fetches hold a shared lock on
`landing/.<source>.lock`. Two fetches may find the same drop and date it differently; who comes
second to `landing/.<source>.land.lock` takes what is there. The kernel drops both locks when the
process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from setae.errors import StorageError
from setae.failpoints import failpoint
from setae.warehouse import DamagedFile, storage_errors, sync_directory

MANIFEST_VERSION = 1
MANIFEST_SUFFIX = ".manifest.json"
TEMPORARY_SUFFIX = ".tmp"

STATE_FOLDER = ".state"
"""In a source's folder: how far its API has been read, one file an account."""


@dataclass(frozen=True)
class Origin:
    """The delivered file: its name relative to the source's folder, digest, size and format."""

    name: str
    sha256: str
    bytes: int
    format: str


@dataclass(frozen=True)
class Manifest:
    """What is known about one landed file.

    Attributes:
        file_id: `<source>/<entity>/<name>`.
        kind: `data`, or `release` for rows mended in quarantine.
        received_count: Records delivered; always good plus rejected.
        received_at: End of the window, the 'now' of rows whose feed does not tell its own.
        notes: Counts of what was left out on purpose: dropped fields, masked values, plain values
            that no pseudonym can be made of.
        releases: Ids of the quarantined records that a file of kind `release` lets back in.
    """

    manifest_version: int
    file_id: str
    source: str
    source_account: str
    entity: str
    kind: str
    contract_version: str
    key_id: str
    data_file: str
    data_sha256: str
    data_bytes: int
    good_count: int
    rejects_file: str | None
    rejects_sha256: str | None
    rejected_count: int
    warning_count: int
    received_count: int
    origin: Origin
    window_start_at: datetime | None
    window_end_at: datetime | None
    min_event_at: datetime | None
    max_event_at: datetime | None
    received_at: datetime | None
    revision: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    releases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name without suffix."""
        return self.file_id.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Facts:
    """What a writer knows about the rows it wrote into a draft."""

    good_count: int
    rejected_count: int
    warning_count: int = 0
    min_event_at: datetime | None = None
    max_event_at: datetime | None = None
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """What is being landed: all of a manifest that is known before the first row is read."""

    source: str
    source_account: str
    entity: str
    contract_version: str
    key_id: str
    origin: Origin
    kind: str = "data"
    window_start_at: datetime | None = None
    window_end_at: datetime | None = None
    received_at: datetime | None = None
    revision: int = 0
    is_named_by_window: bool = False
    is_dated: bool = False
    releases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the landed file; the same for the same content, origin, contract and key.

        A drop is landed once whatever the window it was found in; a source read by windows has
        them in the name. A dated file begins with the day its window ends, for people to read.
        """
        parts = [self.origin.sha256, self.origin.name, self.contract_version, self.key_id]
        parts += [self.kind, self.source_account, str(self.revision)]
        prefix = self.kind if self.kind != "data" else "drop"
        if self.is_named_by_window:
            parts += [_iso(self.window_start_at) or "", _iso(self.window_end_at) or ""]
        if (self.is_named_by_window or self.is_dated) and self.window_end_at is not None:
            prefix = self.window_end_at.astimezone(UTC).strftime("%Y%m%d")
        digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        return f"{prefix}-{digest[:16]}"


@dataclass(frozen=True)
class Draft:
    """Temporary files to write rows into, before `land` makes them a landed file."""

    delivery: Delivery
    data: Path
    rejects: Path


def find(landing_directory: Path, delivery: Delivery) -> Manifest | None:
    """The manifest, if this very delivery has been landed already."""
    folder = landing_directory / delivery.source / delivery.entity
    path = folder / f"{delivery.name}{MANIFEST_SUFFIX}"
    return _read(path) if path.exists() else None


@contextmanager
def draft(landing_directory: Path, delivery: Delivery) -> Iterator[Draft]:
    """Temporary files for one delivery, removed on the way out unless they were landed."""
    folder = landing_directory / delivery.source / delivery.entity
    stem = f".{delivery.name}.{uuid.uuid4().hex[:12]}"
    made = Draft(
        delivery=delivery,
        data=folder / f"{stem}.parquet{TEMPORARY_SUFFIX}",
        rejects=folder / f"{stem}.rejects.parquet{TEMPORARY_SUFFIX}",
    )
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield made
        finally:
            made.data.unlink(missing_ok=True)
            made.rejects.unlink(missing_ok=True)


def land(landing_directory: Path, written: Draft, facts: Facts) -> Manifest:
    """Make a draft a landed file: data, then rejects, then the manifest, each durable.

    Where another fetch has landed the same delivery meanwhile, its file stands.

    Args:
        landing_directory: `<home>/landing`.
        written: The draft; its data file must exist, its rejects file only if there are any.
        facts: Counts and times of what was written.

    Returns:
        The manifest now on disk.

    Raises:
        StorageError: The disk is full or cannot be written.
    """
    delivery, name = written.delivery, written.delivery.name
    folder = landing_directory / delivery.source / delivery.entity
    with (
        storage_errors(folder),
        _lock_file(landing_directory, f"{delivery.source}.land") as descriptor,
    ):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = find(landing_directory, delivery)
        if before is not None:
            return before
        data_sha256, data_bytes = _digest(written.data)
        rejects_file = rejects_sha256 = None
        failpoint("fetch:before_data")
        _settle(written.data, folder / f"{name}.parquet")
        failpoint("fetch:after_data")
        if written.rejects.exists():
            rejects_sha256, _ = _digest(written.rejects)
            rejects_file = f"{name}.rejects.parquet"
            _settle(written.rejects, folder / rejects_file)
        failpoint("fetch:after_rejects")
        manifest = Manifest(
            manifest_version=MANIFEST_VERSION,
            file_id=f"{delivery.source}/{delivery.entity}/{name}",
            source=delivery.source,
            source_account=delivery.source_account,
            entity=delivery.entity,
            kind=delivery.kind,
            contract_version=delivery.contract_version,
            key_id=delivery.key_id,
            data_file=f"{name}.parquet",
            data_sha256=data_sha256,
            data_bytes=data_bytes,
            good_count=facts.good_count,
            rejects_file=rejects_file,
            rejects_sha256=rejects_sha256,
            rejected_count=facts.rejected_count,
            warning_count=facts.warning_count,
            received_count=facts.good_count + facts.rejected_count,
            origin=delivery.origin,
            window_start_at=delivery.window_start_at,
            window_end_at=delivery.window_end_at,
            min_event_at=facts.min_event_at,
            max_event_at=facts.max_event_at,
            received_at=delivery.received_at,
            revision=delivery.revision,
            notes=dict(sorted(facts.notes.items())),
            releases=delivery.releases,
        )
        path = folder / f"{name}{MANIFEST_SUFFIX}"
        temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
        temporary.write_text(_dump(manifest), encoding="utf-8")
        failpoint("fetch:before_manifest")
        _settle(temporary, path)
        failpoint("fetch:after_file")
    return manifest


def iter_manifests(landing_directory: Path) -> Iterator[Manifest]:
    """All landed files, in the order of their `file_id`.

    Raises:
        DamagedFile: A manifest is not what we wrote.
    """
    for path in sorted(landing_directory.glob(f"*/*/*{MANIFEST_SUFFIX}")):
        if not path.name.startswith("."):
            yield _read(path)


def count(landing_directory: Path) -> int:
    """How many files have landed."""
    return sum(
        1
        for path in landing_directory.glob(f"*/*/*{MANIFEST_SUFFIX}")
        if not path.name.startswith(".")
    )


def data_path(manifest: Manifest, landing_directory: Path) -> Path:
    """The Parquet file of good rows."""
    return landing_directory / manifest.source / manifest.entity / manifest.data_file


def rejects_path(manifest: Manifest, landing_directory: Path) -> Path | None:
    """The Parquet file of rejects and warnings, if there are any."""
    if manifest.rejects_file is None:
        return None
    return landing_directory / manifest.source / manifest.entity / manifest.rejects_file


def verify(manifest: Manifest, landing_directory: Path) -> None:
    """Compare the landed bytes with the manifest.

    Raises:
        StorageError: A file is missing or has changed.
    """
    wanted = [(data_path(manifest, landing_directory), manifest.data_sha256)]
    rejects = rejects_path(manifest, landing_directory)
    if rejects is not None:
        wanted.append((rejects, manifest.rejects_sha256 or ""))
    for path, digest in wanted:
        advice = f"remove {manifest.file_id}{MANIFEST_SUFFIX} and fetch the source again"
        if not path.exists():
            raise DamagedFile(f"{path}: named by its manifest but missing; {advice}")
        with storage_errors(path):
            if _digest(path)[0] != digest:
                raise DamagedFile(f"{path}: not the bytes its manifest says; {advice}")


@contextmanager
def fetching(landing_directory: Path, source: str) -> Iterator[None]:
    """Hold sweeping off a source while it is being fetched; fetches do not exclude each other."""
    landing_directory.mkdir(parents=True, exist_ok=True)
    with _lock_file(landing_directory, source) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


def sweep(landing_directory: Path) -> list[Path]:
    """Remove what dead fetches left: temporary files, and data that no manifest names.

    Returns:
        The files removed. A source that is being fetched is left for the next time.
    """
    removed: list[Path] = []
    if not landing_directory.is_dir():
        return removed
    with storage_errors(landing_directory):
        for source in sorted(path for path in landing_directory.iterdir() if path.is_dir()):
            with _lock_file(landing_directory, source.name) as descriptor:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                for folder in sorted(path for path in source.iterdir() if path.is_dir()):
                    removed += _sweep_folder(folder)
    return removed


def _sweep_folder(folder: Path) -> list[Path]:
    named: set[str] = set()
    for path in folder.glob(f"*{MANIFEST_SUFFIX}"):
        if not path.name.startswith("."):
            manifest = _read(path)
            named |= {path.name, manifest.data_file}
            if manifest.rejects_file is not None:
                named.add(manifest.rejects_file)
    removed = [
        path
        for path in sorted(folder.iterdir())
        if path.name not in named and path.suffix in {TEMPORARY_SUFFIX, ".parquet"}
    ]
    for path in removed:
        path.unlink(missing_ok=True)
    if removed:
        sync_directory(folder)
    return removed


@contextmanager
def _lock_file(landing_directory: Path, source: str) -> Iterator[int]:
    with storage_errors(landing_directory):
        descriptor = os.open(landing_directory / f".{source}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _settle(temporary: Path, path: Path) -> None:
    """Make a written file durable under its name: file, then rename, then folder."""
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return digest, os.fstat(stream.fileno()).st_size


def _iso(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value is not None else None


_TIMES = ("window_start_at", "window_end_at", "min_event_at", "max_event_at", "received_at")


def _dump(manifest: Manifest) -> str:
    value = asdict(manifest)
    for name in _TIMES:
        value[name] = _iso(value[name])
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _read(path: Path) -> Manifest:
    with storage_errors(path):
        text = path.read_text(encoding="utf-8")
    try:
        value: dict[str, Any] = json.loads(text)
        version = value["manifest_version"]
        if version != MANIFEST_VERSION:
            raise StorageError(
                f"{path}: manifest version {version}, this Setae reads {MANIFEST_VERSION}; "
                "use the Setae that wrote it"
            )
        for name in _TIMES:
            if value[name] is not None:
                value[name] = datetime.fromisoformat(value[name])
        known = {one.name for one in fields(Manifest)}
        value["origin"] = Origin(**value["origin"])
        value["releases"] = tuple(value.get("releases", ()))
        manifest = Manifest(**{name: item for name, item in value.items() if name in known})
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(
            f"{path}: not a manifest as we write them ({type(error).__name__}); remove it and "
            "fetch the source again"
        ) from error
    if manifest.received_count != manifest.good_count + manifest.rejected_count:
        raise DamagedFile(
            f"{path}: received is not good plus rejected; remove it and fetch the source again"
        )
    return manifest
