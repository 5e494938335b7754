"""Where a data home keeps its files, and the one way to open its DuckDB files.

DuckDB refuses a second connection to a file in one process when its settings differ, and every
other process while one writes. So the Python stages, dbt and Great Expectations all take the path
and the settings map from here, and each closes before the next opens.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from setae.errors import LeaseHeld, StorageError
from setae.settings import CONFIG_FILE, KEY_FILE, Settings

STORAGE_VERSION = "v1.4.0"
"""Files of this version open in DuckDB 1.4, 1.5 and 2.0; BI drivers embed the older ones."""

MARTS_ALIAS = "marts_db"
"""Catalog name of the attached marts file; it must differ from the schema `marts`."""


@dataclass(frozen=True)
class Home:
    """The files of one data home. Nothing a run owns lies outside it."""

    path: Path

    @property
    def config(self) -> Path:
        """`setae.toml`."""
        return self.path / CONFIG_FILE

    @property
    def key(self) -> Path:
        """The pseudonym key, mode 0600."""
        return self.path / KEY_FILE

    @property
    def landing(self) -> Path:
        """Landed files, one folder a source and entity; only fetch writes here."""
        return self.path / "landing"

    @property
    def warehouse(self) -> Path:
        """`raw_*`, `staging`, `intermediate`, `ops`; one writer, under the lease."""
        return self.path / "warehouse.duckdb"

    @property
    def marts(self) -> Path:
        """The working file of the marts; readers use `serving` instead."""
        return self.path / "marts.duckdb"

    @property
    def serving(self) -> Path:
        """Published files; the only place readers open."""
        return self.path / "serving"

    @property
    def status(self) -> Path:
        """What each stage did last, written atomically, readable during a run."""
        return self.path / "status.json"

    @property
    def lease(self) -> Path:
        """Who may write the warehouse."""
        return self.path / "warehouse.lease"

    @property
    def reports(self) -> Path:
        """Gate reports, one HTML file a stage."""
        return self.path / "reports"

    @property
    def dbt(self) -> Path:
        """Dbt's target and logs."""
        return self.path / "dbt"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME` of the local scheduler."""
        return self.path / "airflow"

    @property
    def extracts(self) -> Path:
        """Working folders of fetches that pull from an API, each removed with its fetch."""
        return self.path / "extracts"

    @property
    def temporary(self) -> Path:
        """DuckDB's spill files."""
        return self.path / "tmp"

    @property
    def damaged(self) -> Path:
        """Working files that could not be opened, set aside before a rebuild."""
        return self.path / "damaged"


class DamagedFile(StorageError):
    """A file of ours is not what we wrote."""


class DamagedWarehouse(DamagedFile):
    """A working DuckDB file or its write-ahead log is damaged; landing can make it again."""


class DamagedMarts(DamagedFile):
    """The marts that nobody has published yet are damaged; the warehouse can make them again."""


def quote(identifier: str) -> str:
    """An SQL identifier in double quotes, whatever it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal, for the few statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def duckdb_config(settings: Settings) -> dict[str, str]:
    """The one settings map for every connection of a home, dbt's and Great Expectations' too."""
    return {
        "threads": str(settings.threads),
        "memory_limit": settings.memory_limit,
        "temp_directory": str(Home(settings.home).temporary),
        "max_temp_directory_size": settings.max_temp_directory_size,
    }


def is_out_of_space(text: str) -> bool:
    """Whether DuckDB says that the disk, or what it may use of it, is full."""
    return "No space left" in text or "max_temp_directory_size" in text


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn what the disk and DuckDB say about files into one line that says what to do.

    Args:
        place: The file or folder the work is about.

    Raises:
        LeaseHeld: Another process has the file open.
        DamagedWarehouse: DuckDB found the file or its log damaged.
        StorageError: Disk full, permission denied, and other input/output errors.
    """
    try:
        yield
    except duckdb.Error as error:
        text = " ".join(str(error).split())
        if "Could not set lock" in text:
            raise LeaseHeld(
                f"{place}: open in another process ({text}); wait for it, or read "
                f"{place.parent / 'serving' / 'current.duckdb'} instead"
            ) from error
        if is_out_of_space(text):
            raise StorageError(f"{place}: no space left; free some and run again") from error
        if any(
            sign in text
            for sign in (
                "Corrupt",
                "replaying WAL",
                "not a valid DuckDB",
                "Could not read enough bytes",
                "checksum",
            )
        ):
            raise DamagedWarehouse(
                f"{place}: damaged ({text[:160]}); run `setae load`, then `setae run`: it is set "
                "aside and made again from landing"
            ) from error
        if isinstance(error, duckdb.IOException):
            raise StorageError(f"{place}: {text[:300]}") from error
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(f"{place}: no space left; free some and run again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            where = error.filename or place
            raise StorageError(
                f"{where}: permission denied; let this user write {place.parent}"
            ) from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise StorageError(f"{place}: too many open files; raise `ulimit -n`") from error
        raise


@contextmanager
def connect(
    settings: Settings, *, read_only: bool = False, attach_marts: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse; close it on the way out.

    Args:
        settings: Of the home.
        read_only: Open without writing; the file must exist.
        attach_marts: Also attach the marts file as catalog `marts_db`.

    Yields:
        A connection with `TimeZone` UTC, whatever the process's own zone is.

    Raises:
        LeaseHeld: Another process has the file open.
        StorageError: The file cannot be opened or written; `DamagedWarehouse` if it is damaged.
    """
    home = Home(settings.home)
    with storage_errors(home.warehouse):
        home.temporary.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = dict(duckdb_config(settings))
        if not home.warehouse.exists():
            config["storage_compatibility_version"] = STORAGE_VERSION
        connection = duckdb.connect(str(home.warehouse), read_only=read_only, config=config)
        try:
            connection.execute("set TimeZone = 'UTC'")
            if attach_marts:
                mode = "read_only" if read_only else f"storage_version '{STORAGE_VERSION}'"
                connection.execute(f"attach {literal(str(home.marts))} as {MARTS_ALIAS} ({mode})")
            yield connection
        finally:
            connection.close()


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a small text file so that a reader sees the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_errors(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames inside a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of our own.

    Raises:
        DamagedFile: The file holds something else.
    """
    with storage_errors(path):
        try:
            value = json.loads(path.read_text())
        except ValueError as error:
            raise DamagedFile(f"{path}: not the JSON we wrote ({error}); remove it") from error
    if not isinstance(value, dict):
        raise DamagedFile(f"{path}: not the JSON object we wrote; remove it")
    return value
