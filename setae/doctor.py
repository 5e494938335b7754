"""`setae doctor`: is this machine and this home fit for a run, and if not, what to do."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ingestion import contract
from setae.errors import SetaeError
from setae.lease import current_holder
from setae.settings import Settings, available_memory_bytes
from setae.transformation import project_directory
from setae.warehouse import Home

PACKAGES = ("apache-airflow", "dbt-core", "dbt-duckdb", "duckdb", "great-expectations")
_GIB = 2**30
_MINIMUM_FREE_BYTES = 2 * _GIB
_MINIMUM_MEMORY_BYTES = 2 * _GIB


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `advice` is empty where all is well."""

    subject: str
    is_good: bool
    observed: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at the interpreter, the packages, the disk, the memory, the key and the lease."""
    home = Home(settings.home)
    return [
        _python(),
        *(_package(name) for name in PACKAGES),
        _disk(home.path),
        _memory(settings),
        _key(settings),
        _sources(settings),
        _lease(settings),
        _project(),
    ]


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("python", good, version, "" if good else "use Python 3.11, 3.12 or 3.13")


def _package(name: str) -> Finding:
    try:
        return Finding(name, is_good=True, observed=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, is_good=False, observed="not installed", advice="run `uv sync`")


def _disk(path: Path) -> Finding:
    place = next(part for part in (path, *path.parents) if part.exists())
    free = shutil.disk_usage(place).free
    good = free >= _MINIMUM_FREE_BYTES
    return Finding(
        "free disk", good, f"{free / _GIB:.1f} GiB at {place}", "" if good else "free 2 GiB or more"
    )


def _memory(settings: Settings) -> Finding:
    available = available_memory_bytes()
    good = available >= _MINIMUM_MEMORY_BYTES
    return Finding(
        "memory",
        good,
        f"{available / _GIB:.1f} GiB, DuckDB takes up to {settings.memory_limit}",
        "" if good else "give the container 2 GiB or more",
    )


def _key(settings: Settings) -> Finding:
    try:
        settings.pii_master()
    except SetaeError as error:
        return Finding("pseudonym key", is_good=False, observed="unusable", advice=str(error))
    observed = f"{settings.pii_key_id}, readable by its owner only"
    return Finding("pseudonym key", is_good=True, observed=observed)


def _sources(settings: Settings) -> Finding:
    names = ", ".join(sorted(settings.sources))
    advice = "" if names else f"run `setae init`, or add [sources.<name>] to {settings.home}"
    for source in settings.sources.values():
        try:
            contract.inputs(source.kind)
        except SetaeError as error:
            return Finding("sources", is_good=False, observed=names, advice=str(error))
    return Finding("sources", bool(names), names or "none", advice)


def _lease(settings: Settings) -> Finding:
    holder = current_holder(settings)
    observed = holder.describe() if holder else "free"
    return Finding("writer's lease", is_good=True, observed=observed)


def _project() -> Finding:
    try:
        return Finding("dbt project", is_good=True, observed=str(project_directory()))
    except SetaeError as error:
        return Finding("dbt project", is_good=False, observed="missing", advice=str(error))
