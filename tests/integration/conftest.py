"""Homes with the small world in them, and stages run as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb
import pytest

from setae.settings import Settings
from tests.conftest import make_home
from tests.worlds import small
from tests.worlds.small import Delivery

Cli = Callable[..., subprocess.CompletedProcess[str]]

_ENTRY = "from setae.cli import main; main()"


def run_cli(
    home: Path, *arguments: str, failpoint: str | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`setae <arguments>` on a home, in a process of its own."""
    variables = {**os.environ, "SETAE_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"}
    if failpoint:
        variables["SETAE_FAILPOINT"] = failpoint
    return subprocess.run(
        [sys.executable, "-c", _ENTRY, *arguments],
        env={**variables, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=570,
    )


def small_home(path: Path, deliveries: Iterable[Delivery] | None = None) -> Settings:
    """A home whose drop folder holds the small world, or only some of its deliveries."""
    settings = make_home(path, small.CONFIG)
    for delivery in small.deliveries() if deliveries is None else deliveries:
        delivery.write(path / "drops")
    return settings


def published(home: Path) -> duckdb.DuckDBPyConnection:
    """The published file, as any reader opens it."""
    return duckdb.connect(str((home / "serving" / "current.duckdb").resolve()), read_only=True)


def content_hashes(home: Path) -> dict[str, str]:
    """Mart → content hash, from the publication's own table."""
    with published(home) as connection:
        row = connection.execute("select table_hashes from marts.publication").fetchone()
    assert row is not None
    return dict(row[0])


@pytest.fixture
def world(tmp_path: Path) -> Settings:
    """A home with the whole small world delivered and nothing run."""
    return small_home(tmp_path / "home")
