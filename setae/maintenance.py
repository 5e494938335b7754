"""Housekeeping of a data home: what `maintain_warehouse` runs every night.

Nothing here changes a number. Publications beyond `keep_publications` are removed by `publish`
right after it made a newer one, and here where it could not.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion import landing
from serving import publications as shelf, publish as publication
from setae.errors import DataError
from setae.lease import lease
from setae.progress import Progress, Silent
from setae.settings import Settings
from setae.warehouse import MARTS_ALIAS, Home, connect


@dataclass(frozen=True)
class CompactResult:
    """Sizes of the working files in bytes."""

    before: int
    after: int
    removed_publications: tuple[str, ...]


def verify_publication(settings: Settings, *, progress: Progress | None = None) -> str | None:
    """Compare every published byte with its manifest.

    Returns:
        Run id of the sound publication; None if nothing is published yet.

    Raises:
        DataError: It was damaged, and readers get an older one now. Somebody has to look at the
            disk and publish again, so this is an error although readers are served.
        StorageError: It is damaged and there is no older one.
    """
    told = progress or Silent()
    told.step("compare the publication with its manifest")
    if publication.current(settings) is None:
        told.step("nothing is published yet")
        return None
    with lease(settings, stage="verify publication") as held:
        result = publication.verify(settings, lease=held)
    if result.rolled_back_to is not None:
        raise DataError(
            f"{result.run_id}: {len(result.damaged)} published files were damaged "
            f"({result.damaged[0]}); readers get {result.rolled_back_to} now; check the disk, "
            "then run `setae publish`"
        )
    told.step(f"{result.run_id} is sound")
    return result.run_id


def sweep_landing(settings: Settings, *, progress: Progress | None = None) -> None:
    """Remove what interrupted fetches left in landing; a landed file is never touched."""
    told = progress or Silent()
    told.step("sweep landing")
    with lease(settings, stage="sweep landing"):
        landing.sweep(Home(settings.home).landing)


def compact(settings: Settings, *, progress: Progress | None = None) -> CompactResult:
    """Remove old publications, and let DuckDB give free blocks of the working files back.

    Returns:
        Sizes before and after.
    """
    told = progress or Silent()
    home = Home(settings.home)
    with lease(settings, stage="compact") as held:
        removed = shelf.prune(home.serving, keep=settings.keep_publications)
        before = _size(home)
        if home.warehouse.exists() and home.marts.exists():
            told.step("compact the working files")
            held.check()
            with connect(settings, attach_marts=True) as connection:
                connection.execute("checkpoint")
                connection.execute(f"checkpoint {MARTS_ALIAS}")
        after = _size(home)
    told.step(f"{before:,} bytes before, {after:,} after, {len(removed)} publications removed")
    return CompactResult(before=before, after=after, removed_publications=removed)


def _size(home: Home) -> int:
    return sum(path.stat().st_size for path in (home.warehouse, home.marts) if path.exists())
