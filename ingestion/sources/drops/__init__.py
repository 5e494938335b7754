"""Drops: files somebody puts into a folder, one folder an entity.

    <folder>/<entity>/*.ndjson | *.ndjson.gz | *.csv | *.parquet   →  landing/<source>/<entity>/
    <folder>/roster/*.csv | *.xlsx   →  creators, creator_accounts, promo_codes, tracked_links,
                                        creator_costs

A file is landed once, whole, whatever window is being fetched; the window only dates it. Delivering
the same file again does nothing, a corrected file is a new one. A file that cannot be used as a
whole (truncated, damaged, empty, of no known form) lands as a manifest without rows whose one
reject, rule Q15 and line 0, says why; the other files of the fetch go on. Names that begin with
`.`, `_` or `~`, or end in `.tmp` or `.part`, are files still being written: they are left alone, so
write under such a name and rename. Run it alone: `setae fetch drops`; docs/sources/drops.md.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import partial
from pathlib import Path

import duckdb

from ingestion import contract, intake, landing, validate
from ingestion.api import Clock, SystemClock
from ingestion.conversion import Terms
from ingestion.intake import Intake, Place, RawRecord
from ingestion.landing import Delivery, Manifest, Origin
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.drops import delimited, ndjson, parquet, roster
from ingestion.sources.drops.unusable import Unusable
from ingestion.validate import Violation
from setae.errors import ConfigError, DataError, StorageError
from setae.failpoints import failpoint
from setae.progress import Progress
from setae.settings import Settings, SourceSettings
from setae.warehouse import Home, storage_errors

LOG = logging.getLogger(__name__)

KIND = "drops"
ROSTER = "roster"

FORMATS = (".ndjson.gz", ".ndjson", ".csv", ".parquet")
ROSTER_FORMATS = (".csv", ".xlsx")

_UNFINISHED_HEADS = (".", "_", "~")
_UNFINISHED_TAILS = (".tmp", ".part")


@dataclass(frozen=True)
class DroppedFile:
    """A file as found."""

    entity: str
    path: Path
    origin: Origin

    @property
    def stamp(self) -> tuple[int, int]:
        """Size and time of change: what is still being written changes them."""
        state = self.path.stat()
        return state.st_size, state.st_mtime_ns


@dataclass(frozen=True)
class Fetch:
    """What all files of one fetch share."""

    settings: Settings
    source: str
    config: SourceSettings
    start: datetime | None
    end: datetime | None
    received_at: datetime
    """The 'now' of rows whose feed does not tell its own."""
    pseudonyms: Pseudonyms
    connection: duckdb.DuckDBPyConnection

    def terms(self, *, revision: int = 0) -> Terms:
        """What holds for every row."""
        return terms(self.config, received_at=self.received_at, revision=revision)

    def delivery(self, entity: str, origin: Origin) -> Delivery:
        """One file's way into one entity."""
        return Delivery(
            source=self.source,
            source_account=self.config.account,
            entity=entity,
            contract_version=contract.load(KIND, entity).version,
            key_id=self.pseudonyms.key_id,
            origin=origin,
            window_start_at=self.start,
            window_end_at=self.end,
            received_at=self.received_at,
        )

    def land(self, delivery: Delivery, fill: Callable[[Intake], None]) -> Manifest:
        """Land one delivery, unless it has been landed."""
        return intake.land(
            landing_directory=Home(self.settings.home).landing,
            delivery=delivery,
            contract=contract.load(KIND, delivery.entity),
            terms=self.terms(),
            pseudonyms=self.pseudonyms,
            connection=self.connection,
            fill=fill,
        )


def terms(
    config: SourceSettings,
    *,
    received_at: datetime | None,
    revision: int = 0,
    account: str | None = None,
    kind: str = KIND,
) -> Terms:
    """What a source's settings say about each of its rows."""
    begin = config.history_start_date
    return Terms(
        source_kind=kind,
        account=config.account if account is None else account,
        currency=config.currency,
        received_at=received_at,
        history_start_at=datetime.combine(begin, time(), UTC) if begin else None,
        revision=revision,
    )


@dataclass(frozen=True)
class Drops:
    """The source object.

    Attributes:
        clock: Tells when a file was received, where neither the window nor a pinned 'now' does.
    """

    clock: Clock = field(default_factory=SystemClock)

    def entities(self) -> tuple[str, ...]:
        """Entities it may land."""
        return contract.entities(KIND)

    def fetch(
        self,
        settings: Settings,
        *,
        name: str,
        start: datetime | None,
        end: datetime | None,
        progress: Progress,
    ) -> list[Manifest]:
        """Land every file of the folder that has not been landed.

        Raises:
            ConfigError: No folder is configured or there, or there is no pseudonym key.
            DataError: A folder of no known entity, or a file that changed while it was read; all
                other files have been landed.
            StorageError: A file may not be read, or landing cannot be written.
        """
        config = settings.source(name)
        folder = drop_folder(settings, name)
        pseudonyms = Pseudonyms(settings.pii_master(), settings.pii_key_id)
        landing_directory = Home(settings.home).landing
        manifests: list[Manifest] = []
        troubles: list[DataError | StorageError] = []
        with (
            landing.fetching(landing_directory, name),
            intake.connect(settings, pseudonyms) as connection,
        ):
            received_at = end or settings.as_of or self.clock.now().replace(microsecond=0)
            work = Fetch(settings, name, config, start, end, received_at, pseudonyms, connection)
            entries = list(_entries(folder, troubles))
            for number, (entity, path) in enumerate(entries):
                progress.advance(number, len(entries), f"{entity}/{validate.mask(path.name)}")
                try:
                    manifests += _land_entry(work, folder, entity, path)
                except (DataError, StorageError) as trouble:
                    if isinstance(trouble, StorageError) and not _is_of(trouble, path):
                        raise
                    troubles.append(trouble)
                failpoint("fetch:between_files")
            progress.advance(len(entries), len(entries))
        if troubles:
            raise troubles[0]
        return manifests


def drop_folder(settings: Settings, name: str) -> Path:
    """The folder of a drops source.

    Raises:
        ConfigError: None is configured, or it is not there.
    """
    configured = settings.source(name).folder
    if configured is None:
        raise ConfigError(
            f"{Home(settings.home).config}: source {name!r} has no folder; add "
            f'`folder = "drops"` under [sources.{name}]'
        )
    folder = configured if configured.is_absolute() else settings.home / configured
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; make it, or correct [sources.{name}] folder")
    return folder


def _is_of(trouble: StorageError, path: Path) -> bool:
    """Whether the disk complains of the delivered file, not of landing."""
    return str(trouble).startswith(str(path))


def _entries(folder: Path, troubles: list[DataError | StorageError]) -> Iterator[tuple[str, Path]]:
    """Entity and path of everything that was dropped, in the order of names."""
    known = contract.inputs(KIND)
    with storage_errors(folder):
        places = sorted(folder.iterdir())
    for place in places:
        if _is_unfinished(place):
            continue
        if not place.is_dir():
            troubles.append(
                DataError(
                    f"{place}: lies outside an entity's folder; move it into one such as "
                    f"{folder / 'orders'}"
                )
            )
        elif place.name not in known:
            near = difflib.get_close_matches(place.name, known, n=1)
            advice = f"rename it to {near[0]}" if near else "see docs/sources/drops.md"
            troubles.append(DataError(f"{place}: no entity of that name; {advice}"))
        else:
            with storage_errors(place):
                files = sorted(place.iterdir())
            for path in files:
                if not _is_unfinished(path):
                    yield place.name, path


def _is_unfinished(path: Path) -> bool:
    return path.name.startswith(_UNFINISHED_HEADS) or path.name.endswith(_UNFINISHED_TAILS)


def _land_entry(work: Fetch, folder: Path, entity: str, path: Path) -> list[Manifest]:
    formats = ROSTER_FORMATS if entity == ROSTER else FORMATS
    with storage_errors(path):
        file = _look(folder, entity, path, formats)
        before = file.stamp
        try:
            if file.origin.format == "directory":
                raise Unusable("is a folder; put its files beside it")
            if file.origin.format == "unknown":
                raise Unusable(f"is of no known form; deliver {' or '.join(formats)}")
            manifests = _land_file(work, file)
        except Unusable as reason:
            _check_unchanged(file, before)
            return [_land_unusable(work, file, str(reason))]
        _check_unchanged(file, before)
    return manifests


def _look(folder: Path, entity: str, path: Path, formats: tuple[str, ...]) -> DroppedFile:
    """Name, digest and form of a file. A name that holds an address is not written down."""
    name = validate.mask(path.relative_to(folder).as_posix())
    if path.is_dir():
        return DroppedFile(entity, path, Origin(name, hashlib.sha256().hexdigest(), 0, "directory"))
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = stream.tell()
    form = next((one[1:] for one in formats if path.name.endswith(one)), "unknown")
    return DroppedFile(entity, path, Origin(name, digest, size, form))


def _check_unchanged(file: DroppedFile, before: tuple[int, int]) -> None:
    if file.stamp != before:
        raise DataError(
            f"{file.path}: changed while it was read; write it under a name that begins with '.' "
            "and rename it, then fetch again"
        )


def _land_file(work: Fetch, file: DroppedFile) -> list[Manifest]:
    if file.entity == ROSTER:
        return _land_roster(work, file)
    readers = {
        "ndjson": ndjson.fill,
        "ndjson.gz": ndjson.fill,
        "csv": delimited.fill,
        "parquet": parquet.fill,
    }
    reader = readers[file.origin.format]
    delivery = work.delivery(file.entity, file.origin)
    return [work.land(delivery, lambda one: reader(one, file.path))]


def _land_roster(work: Fetch, file: DroppedFile) -> list[Manifest]:
    """Fan a roster out; each entity gets a landed file of its own."""
    rows = list(roster.read(file.path, file.origin.format))
    fanned = roster.fan_out(
        rows,
        terms=work.terms(),
        pseudonyms=work.pseudonyms,
        timezone=work.settings.business_timezone,
    )
    manifests = []
    for entity, records in fanned.items():
        delivery = work.delivery(entity, file.origin)
        manifests.append(work.land(delivery, partial(_judge_all, records)))
    return manifests


def _judge_all(records: list[RawRecord], one: Intake) -> None:
    one.judge(iter(records))


def _land_unusable(work: Fetch, file: DroppedFile, reason: str) -> Manifest:
    """A file without rows, whose one reject says why."""
    entity = roster.FIRST if file.entity == ROSTER else file.entity
    message = f"{file.origin.name}: {reason}"
    LOG.warning("%s", message)

    def fill(one: Intake) -> None:
        one.refuse(
            Place(0, 0, file.origin.bytes),
            Violation("Q15", None, message),
            digest=one.pseudonyms.digest(file.origin.sha256.encode()),
        )

    return work.land(work.delivery(entity, file.origin), fill)


SOURCE = Drops()
