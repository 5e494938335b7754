"""Sources that are pulled, on dlt: what it extracts is landed, and its memory lies in landing.

    resources  ─extract─▶  working folder  ─load─▶  intake ─▶  landing/<source>/<entity>/…
    cursors    ◀─restore─────────────────────────────────────  landing/<source>/.state/<account>

dlt reads pages, keeps each resource's cursor and writes Parquet into a working folder of its own.
`Landing` is a destination for it that puts every such file through the same intake as a drop: the
contract, the quarantine, the manifests and the counting are those of every source. When all files
of a package are durable, the package's state (the cursors) is written beside them, in one rename.

The working folder is made for one fetch and thrown away with it, so whatever dies, there is one
memory: the state beside the data, never ahead of it. What a killed fetch had extracted is extracted
again; what it had landed is landed again at most under another name, and the loader counts those
records as duplicates. docs/adr/0012-extraction-keeps-nothing.md goes through every crash point.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.configuration import configspec
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination import Destination, DestinationCapabilitiesContext
from dlt.common.destination.client import (
    DestinationClientConfiguration,
    JobClientBase,
    LoadJob,
    RunnableLoadJob,
    StateInfo,
    StorageSchemaInfo,
    WithStateSync,
)
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.schema import Schema
from dlt.common.storages.load_package import load_package_state
from dlt.extract import DltResource, DltSource
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from ingestion import contract, intake, landing, typed_table
from ingestion.contract import EntityContract
from ingestion.conversion import Terms
from ingestion.intake import Intake
from ingestion.landing import Delivery, Manifest, Origin
from ingestion.pseudonyms import Pseudonyms
from setae.errors import SetaeError, SourceError
from setae.failpoints import failpoint
from setae.settings import Settings, SourceSettings
from setae.warehouse import Home, read_json, storage_errors, write_atomically

LOG = logging.getLogger(__name__)

# Read when dlt looks for its configuration the first time: it would import Airflow, ask its
# database for variables, and report home.
os.environ["PROVIDERS__ENABLE_AIRFLOW_SECRETS"] = "false"
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

Record = dict[str, Any]

BEGIN_OF_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any source."""

BATCH_ROWS = 50_000
"""Rows of a dlt file that go through the contract together."""

_CONFIG = {
    "runtime": {"dlthub_telemetry": False, "log_level": "WARNING"},
    "load": {"workers": 1, "delete_completed_jobs": True, "raise_on_max_retries": 1},
    "normalize": {"workers": 1},
    "extract": {"workers": 1},
}
"""All the configuration dlt sees: no file, no variable and no Airflow connection of others."""


@dataclass
class Lander:
    """Makes landed files of dlt's, within one fetch.

    Attributes:
        kind: Of the source: a folder of contracts.
        source: Its name.
        terms: What holds for every row.
        start: Begin of the window, where it has one.
        end: Its end, which dates the files.
        manifests: Of the files landed so far.
    """

    landing_directory: Path
    kind: str
    source: str
    terms: Terms
    pseudonyms: Pseudonyms
    connection: duckdb.DuckDBPyConnection
    start: datetime | None
    end: datetime
    manifests: list[Manifest] = field(default_factory=list)

    def land(self, entity: str, path: Path) -> Manifest:
        """Put one file of an entity through the intake.

        Raises:
            StorageError: Landing cannot be written.
        """
        promised = contract.load(self.kind, entity)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        delivery = Delivery(
            source=self.source,
            source_account=self.terms.account,
            entity=entity,
            contract_version=promised.version,
            key_id=self.pseudonyms.key_id,
            origin=Origin(f"{entity}.parquet", digest, path.stat().st_size, "parquet"),
            window_start_at=self.start,
            window_end_at=self.end,
            received_at=self.end,
            is_dated=True,
        )

        def fill(one: Intake) -> None:
            line = 1
            with pq.ParquetFile(path) as file:
                for rows in file.iter_batches(BATCH_ROWS):
                    table = pa.Table.from_batches([rows])
                    one.take(typed_table.batch(promised, table, first_line=line))
                    line += rows.num_rows

        manifest = intake.land(
            landing_directory=self.landing_directory,
            delivery=delivery,
            contract=promised,
            terms=self.terms,
            pseudonyms=self.pseudonyms,
            connection=self.connection,
            fill=fill,
        )
        self.manifests.append(manifest)
        return manifest

    @property
    def state_path(self) -> Path:
        """Where the cursors of this account are kept."""
        return state_path(self.landing_directory, self.source, self.terms.account)


def state_path(landing_directory: Path, source: str, account: str) -> Path:
    """Where the cursors of one account are kept; without it a source is read from its beginning."""
    return landing_directory / source / landing.STATE_FOLDER / f"{account}.json"


@contextmanager
def pipeline(settings: Settings, lander: Lander) -> Iterator[Pipeline]:
    """A dlt pipeline that lands, with the cursors of before.

    Its `run` is to be called through `run` here.
    """
    name = f"{lander.source}_{lander.terms.account}".replace(".", "_")
    folder = Home(settings.home).extracts
    with _working_folder(folder, name) as working, _configured():
        made = dlt.pipeline(
            pipeline_name=name,
            pipelines_dir=str(working),
            destination=Landing(lander=lander),
            dataset_name=lander.source,
        )
        try:
            made.sync_destination()  # before the first run, so that its cursor is known to it
            yield made
        finally:
            made.deactivate()


def run(through: Pipeline, source: DltSource) -> None:
    """Extract, land, and remember the cursors.

    Raises:
        SetaeError: What the source or landing said.
        SourceError: dlt failed by itself.
    """
    try:
        through.run(source, loader_file_format="parquet")
    except PipelineStepFailed as error:
        for one in _chain(error):
            if isinstance(one, _Stopped):
                raise one.stop from None
            if isinstance(one, SetaeError) or not isinstance(one, Exception):
                raise one from None
        # The whole text would quote the records at hand.
        root = _chain(error)[-1]
        raise SourceError(
            f"{through.pipeline_name}: extraction failed with {type(root).__name__} in "
            f"{_place(root)}; nothing was forgotten: run the fetch again, and report a bug if it "
            "stays"
        ) from None


def cursor(through: Pipeline, resource: str, path: str = "updated_at") -> datetime | None:
    """How far a resource has been read: its newest value that is landed."""
    sources = through.state.get("sources", {})
    for section in sources.values():
        found = section.get("resources", {}).get(resource, {}).get("incremental", {}).get(path, {})
        if found.get("last_value") is not None:
            value: datetime = found["last_value"]
            return value.astimezone(UTC)
    return None


def follow(
    through: Pipeline,
    entity: EntityContract,
    read: Callable[[datetime | None, datetime], Iterable[Sequence[Record]]],
    *,
    start: datetime | None,
    end: datetime,
    config: SourceSettings,
) -> None:
    """Read one entity from its cursor to the end of a window, land it, and remember the cursor.

    The cursor is the greatest `updated_at` that is landed; `lag_seconds` before it are read again.
    A window that ends before the cursor is a backfill: exactly it is read, and the cursor stays.

    Args:
        through: From `pipeline`.
        entity: Its contract.
        read: Gives the pages of a range [start, end): records with the contract's field names, each
            with `updated_at`. People in them are pseudonyms already: dlt writes what it is given.
        start: Begin of the window, of use to a backfill only.
        end: End of the window, not in it.
        config: Of the source.
    """
    known = cursor(through, f"{entity.entity}_read")
    first = config.history_start_date
    begin = datetime.combine(first, time(), UTC) if first else None
    bounds: dict[str, Any] = {"lag": config.lag_seconds}
    if known is not None and end <= known:
        begin = start or begin
        bounds = {"initial_value": begin or BEGIN_OF_TIME, "end_value": end}
    elif known is not None:
        begin = known - timedelta(seconds=config.lag_seconds)
    followed = dlt.sources.incremental[datetime](
        "updated_at", primary_key=(), allow_external_schedulers=False, **bounds
    )

    # dlt finds the cursor by its being a default, and names its column itself.
    def pages(_updated_at: Any = followed) -> Iterator[list[Record]]:
        for records in read(begin, end):
            yield [{"updated_at": _moment(one["updated_at"]), "record": one} for one in records]

    def rows(page: list[Record]) -> Iterator[pa.Table]:
        if page:
            yield typed_table.of_records(entity, [one["record"] for one in page])

    @dlt.source(name=entity.source_kind, max_table_nesting=0)
    def made() -> list[DltResource]:
        # Unselected: it carries the cursor and is written nowhere.
        parent = dlt.resource(pages, name=f"{entity.entity}_read", selected=False)()
        child = dlt.transformer(
            rows, data_from=parent, name=entity.entity, write_disposition="append"
        )
        return [parent, child]

    run(through, made())


def _moment(value: Any) -> datetime:
    instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return instant.astimezone(UTC)


# -- the destination ----------------------------------------------------------------------------


@configspec
class LandingConfiguration(DestinationClientConfiguration):
    """What dlt hands to the destination's client."""

    destination_type: Final[str] = dataclasses.field(  # type: ignore[misc]
        default="landing", init=False, repr=False, compare=False
    )
    lander: Any = dataclasses.field(default=None, repr=False)


class Landing(Destination[LandingConfiguration, "LandingClient"]):
    """The dlt destination: Parquet files in, landed files out."""

    spec = LandingConfiguration

    def __init__(self, *, lander: Lander, **options: Any) -> None:
        super().__init__(lander=lander, **options)

    def _raw_capabilities(self) -> DestinationCapabilitiesContext:
        capabilities = DestinationCapabilitiesContext.generic_capabilities("parquet")
        capabilities.supported_loader_file_formats = ["parquet"]
        capabilities.supports_ddl_transactions = False
        capabilities.supports_transactions = False
        capabilities.max_table_nesting = 0
        capabilities.loader_parallelism_strategy = "sequential"
        return capabilities

    @property
    def client_class(self) -> type[LandingClient]:
        """The client dlt talks to."""
        return LandingClient


class _Stopped(Exception):
    """An interrupt (Ctrl-C, a task's time-out) on its way through dlt."""

    def __init__(self, stop: BaseException) -> None:
        super().__init__(type(stop).__name__)
        self.stop = stop


class _LandJob(RunnableLoadJob):
    """Lands one file."""

    def __init__(self, path: str, lander: Lander) -> None:
        super().__init__(path)
        self._lander = lander

    def run(self) -> None:
        """Called by dlt."""
        try:
            failpoint("extract:before_file")
            self._lander.land(self.load_table_name, Path(self._file_path))
            failpoint("extract:after_file")
        except Exception:
            raise
        except BaseException as stop:  # noqa: BLE001 - also a time-out of Airflow's, which is none
            # dlt would take the job for one that still runs, and wait for it for ever.
            raise _Stopped(stop) from None


class _Nothing(RunnableLoadJob):
    """For dlt's own tables: the state is kept as a whole instead, the rest is not needed."""

    def run(self) -> None:
        """Called by dlt."""


class LandingClient(JobClientBase, WithStateSync):
    """Lands a package's files, then writes down its state; finds that state the next time."""

    def __init__(
        self,
        schema: Schema,
        config: LandingConfiguration,
        capabilities: DestinationCapabilitiesContext,
    ) -> None:
        super().__init__(schema, config, capabilities)
        self._lander: Lander = config.lander

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Nothing to do: folders are made with the first file."""

    def is_storage_initialized(self) -> bool:
        """Always: see above."""
        return True

    def drop_storage(self) -> None:
        """Never: landed files are not dropped."""

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """The job of one file."""
        if str(table["name"]).startswith(self.schema._dlt_tables_prefix):
            return _Nothing(file_path)
        return _LandJob(file_path, self._lander)

    def complete_load(self, load_id: str) -> None:
        """All files of a package have landed: keep its state."""
        failpoint("extract:before_state")
        state = load_package_state()["state"].get("pipeline_state")
        if state is not None:
            text = json.dumps(dict(state), default=str, sort_keys=True, indent=2)
            write_atomically(self._lander.state_path, text + "\n")
        failpoint("extract:after_state")

    def get_stored_state(self, pipeline_name: str) -> StateInfo | None:
        """The state of the package that landed last."""
        path = self._lander.state_path
        if not path.exists():
            return None
        return StateInfo(**read_json(path))

    def get_stored_schema(self, schema_name: str | None = None) -> StorageSchemaInfo | None:
        """An empty one: columns come from the contract, anew each time."""
        blank = Schema(schema_name or self.schema.name)
        return StorageSchemaInfo(
            blank.version_hash,
            blank.name,
            blank.version,
            blank.ENGINE_VERSION,
            datetime.now(UTC),
            json.dumps(blank.to_dict()),
        )

    def get_stored_schema_by_hash(self, version_hash: str) -> StorageSchemaInfo:
        """The same: no schema is kept."""
        stored = self.get_stored_schema()
        assert stored is not None
        return stored

    def __enter__(self) -> LandingClient:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        pass


# -- dlt's surroundings -------------------------------------------------------------------------


@contextmanager
def _configured() -> Iterator[None]:
    """Let dlt see our configuration and no other."""
    context = Container()[PluggableRunContext]
    before = context.providers
    provider = CustomLoaderDocProvider("setae", lambda: dict(_CONFIG), supports_secrets=False)
    context.providers = ConfigProvidersContainer([provider])
    try:
        yield
    finally:
        context.providers = before


@contextmanager
def _working_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder for one fetch, and the end of those that dead fetches left.

    The kernel drops a dead process's lock, so a folder whose lock is free belongs to nobody.
    """
    with storage_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for left in sorted(parent.glob(f"{name}-*")):
            _remove_if_dead(left)
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_if_dead(folder: Path) -> None:
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR)
    except FileNotFoundError:
        return  # it is just being made, or just being removed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(descriptor)


def _chain(error: BaseException) -> Sequence[BaseException]:
    """An error and what it was made of, as far as dlt tells."""
    found: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in found:
        found.append(following)
        inner = getattr(following, "exception", None) or getattr(
            following, "client_exception", None
        )
        following = following.__cause__ or (
            inner if isinstance(inner, BaseException) else following.__context__
        )
    return found


def _place(error: BaseException) -> str:
    """File and line an error comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
