"""The recommended connection for readers: it sees the published file and nothing else.

`connect()` opens the publication that `current.duckdb` points at, read-only, with every way out of
the file closed (other files, extensions, settings) and the configuration locked, so that SQL typed
by a stranger can neither write, nor read `/etc/passwd`, nor attach the warehouse. The link is
resolved first: DuckDB keeps one instance per path and process, so a second connection through the
link would still read the old file while the first is open.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from setae.errors import DataError
from setae.warehouse import storage_errors

CURRENT = "current.duckdb"

HARDENED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Settings of the connection; `TimeZone` and the lock on the configuration follow by `SET`."""


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a publication for reading.

    Args:
        path: A data home, its `serving` folder, `current.duckdb` or a published file.

    Returns:
        A hardened read-only connection; close it when done. It keeps its publication, whatever is
        published afterwards.

    Raises:
        DataError: Nothing is published there.
        StorageError: The file cannot be opened.
    """
    candidates = (path, path / CURRENT, path / "serving" / CURRENT)
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        raise DataError(f"{path}: nothing published there yet; run `setae publish`")
    target = found.resolve()
    with storage_errors(target):
        connection = duckdb.connect(str(target), read_only=True, config=HARDENED)
        try:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set lock_configuration = true")
        except BaseException:
            connection.close()
            raise
    return connection
