"""`setae demo`: data through the real DAGs, under a real scheduler, to a published file.

Makes the home, starts its Airflow, triggers the sources' partitions and follows the chain that the
assets set off: ingest → transform_warehouse → publish_marts. Then Airflow ends, and the results are
read from the published file, as any reader would.

    simulated          a world whose truth is known: its platform delivers files, its shop answers
                       as Shopify does, on loopback, for as long as the demo runs
    complete_journey   a year of real purchases of one retailer
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ingestion import sources
from setae import summary
from setae.errors import ConfigError, SetaeError
from setae.initialise import initialise
from setae.scheduler import LocalAirflow, free_port, last_line, running
from setae.settings import Settings, find_home, load_settings
from setae.warehouse import Home, read_json

TIMEOUT_SECONDS = 30 * 60.0
_POLL_SECONDS = 0.5
_QUIET_SECONDS = 15.0
"""How often a running step is mentioned where there is no terminal."""


@dataclass(frozen=True)
class DataSet:
    """What a demo runs on; everything that depends on the moment is pinned.

    Attributes:
        partitions: Ingest DAG → partition, in the order in which they are triggered.
        sections: The sources in `setae.toml`.
        scenario: Preset of the simulated world to generate, if the data is one.
    """

    partitions: Mapping[str, str]
    business_timezone: str
    as_of: str
    sections: str
    reporting_currency: str | None = None
    scenario: str | None = None


SHOP_PORT = 8700
"""Where `setae simulate serve` serves a shop, and the demo too if it is free."""

DATA_SETS = {
    "simulated": DataSet(
        # Files first: what the shop answers then wakes one build of both.
        partitions={"ingest_drops": "2026-08-28", "ingest_shopify": "2026-08-28"},
        business_timezone="Europe/Berlin",
        as_of="2026-08-28T22:00:00Z",
        reporting_currency="USD",
        scenario="demo",
        sections=f"""
[sources.drops]
kind = "drops"
folder = "world/drops"
account = "demo"
currency = "EUR"

# The shop of the world: `setae simulate serve <home>/world` serves it here; its token is in
# <home>/world/shop_token and belongs into SETAE_SOURCES__SHOPIFY__TOKEN.
[sources.shopify]
kind = "shopify"
url = "http://127.0.0.1:{SHOP_PORT}"
account = "demo"
""",
    ),
    "complete_journey": DataSet(
        partitions={"ingest_complete_journey": "2017"},
        business_timezone="America/New_York",
        as_of="2018-01-01T05:00:00Z",
        sections=sources.section("complete_journey"),
    ),
}

FOLLOWERS = ("transform_warehouse", "publish_marts")

LABELS = {
    "ingest_drops.ingest_account": "fetch: files that were dropped",
    "ingest_shopify.ingest_account": "fetch: what the shop's API answers",
    "ingest_complete_journey.ingest_transactions": "fetch: check, pseudonymise, land",
    "transform_warehouse.ingest_landed_files": "load: landed files into raw tables",
    "transform_warehouse.check_raw": "gate: the raw batch",
    "transform_warehouse.transform_models": "transform: dbt builds and tests the marts",
    "publish_marts.check_marts": "gate: the marts",
    "publish_marts.publish_marts": "publish: new file, swap the pointer",
}
"""What each task of the chains does, in words."""


class RunFailed(SetaeError):
    """A DAG run of the demo failed; the message names the task, its error and its log."""


@dataclass
class Step:
    """One line of the display."""

    name: str
    label: str
    state: Literal["waiting", "running", "done", "failed"] = "waiting"
    note: str = ""
    started: float | None = None
    seconds: float | None = None

    def elapsed(self) -> float | None:
        """Seconds so far, or in all."""
        if self.seconds is not None or self.started is None:
            return self.seconds
        return time.monotonic() - self.started

    def begin(self) -> None:
        """It runs now."""
        if self.state == "waiting":
            self.state, self.started = "running", time.monotonic()

    def end(self, *, failed: bool = False, seconds: float | None = None) -> None:
        """It ran."""
        self.begin()
        self.seconds = seconds if seconds is not None else self.elapsed()
        self.state, self.note = "failed" if failed else "done", ""


class Board:
    """What is happening now: a live table on a terminal, lines elsewhere."""

    def __init__(self, console: Console, steps: list[Step]) -> None:
        self._console = console
        self._steps = steps
        self._told: dict[str, tuple[str, float]] = {}
        self._began = time.monotonic()

    def __rich__(self) -> RenderableType:
        """The table."""
        table = Table.grid(padding=(0, 1))
        for step in self._steps:
            marks: dict[str, RenderableType] = {
                "waiting": Text("·", style="dim"),
                "running": Spinner("dots", style="cyan"),
                "done": Text("✓", style="green"),
                "failed": Text("✗", style="red"),
            }
            spent = step.elapsed()
            table.add_row(
                marks[step.state],
                Text(step.label, style="dim" if step.state == "waiting" else ""),
                Text(f"{spent:6.1f} s" if spent is not None else "", style="cyan"),
                Text(step.note[:70], style="dim"),
            )
        total = Text(f"  {time.monotonic() - self._began:.0f} s in all", style="dim")
        return Group(table, total)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it while the body runs."""
        if self._console.is_terminal:
            with Live(self, console=self._console, refresh_per_second=8):
                yield
        else:
            yield

    def tell(self) -> None:
        """Where there is no terminal, say what changed."""
        if self._console.is_terminal:
            return
        now = time.monotonic()
        for step in self._steps:
            before, at = self._told.get(step.name, ("waiting", now))
            quiet = step.state == "running" and now - at < _QUIET_SECONDS
            if step.state == "waiting" or (before == step.state and (quiet or step.seconds)):
                continue
            self._told[step.name] = (step.state, now)
            spent = step.elapsed() or 0.0
            note = f"  {step.note}" if step.note else ""
            self._console.print(
                f"{now - self._began:6.1f} s  {step.label}: {step.state} ({spent:.1f} s){note}",
                markup=False,
                soft_wrap=True,
            )


class _Noted:
    """Progress as the note of a step."""

    def __init__(self, step: Step, board: Board) -> None:
        self._step, self._board = step, board

    def step(self, text: str) -> None:
        """What happens now."""
        self._step.note = text
        self._board.tell()

    def advance(self, done: int, total: int, text: str = "") -> None:
        """How far it is."""
        self._step.note = f"{done:,} of {total:,} {text}".strip()
        self._board.tell()


@dataclass(frozen=True)
class DemoResult:
    """What a demo did.

    Attributes:
        changed: Whether readers get another publication than before.
    """

    settings: Settings
    content_hash: str
    changed: bool
    seconds: float


def demo(
    *,
    data: str = "simulated",
    home: Path | None = None,
    console: Console | None = None,
) -> DemoResult:
    """Run a data set through Airflow and show what came out.

    Args:
        data: Which data set, of `DATA_SETS`.
        home: The data home; by default `var/<data>`.
        console: Where to show it.

    Raises:
        RunFailed: A task failed; the message names it, its last error and its log.
        AirflowFailed: Airflow did not start.
        LeaseHeld: This home's Airflow runs already.
    """
    out = console or Console(highlight=False)
    chosen = DATA_SETS[data]
    began = time.monotonic()
    settings = _make_home(home or Path("var") / data, chosen)
    before = summary.published(settings)
    out.print(f"Setae demo on {data}, in {settings.home}", markup=False, soft_wrap=True)
    world = Step("world", "generate the world: people, creators, a shop")
    start = Step("airflow", "start Airflow: scheduler, DAG processor, API server")
    dags = (*chosen.partitions, *FOLLOWERS)
    steps = {
        name: Step(name, label) for name, label in LABELS.items() if name.partition(".")[0] in dags
    }
    stop = Step("stop", "stop Airflow")
    simulated = [world] if chosen.scenario else []
    board = Board(out, [*simulated, start, *steps.values(), stop])
    with board.shown():
        with _platform(settings, chosen, world, board) as environment:
            start.begin()
            with running(
                settings, progress=_Noted(start, board), environment=environment
            ) as airflow:
                start.end()
                board.tell()
                _run(airflow, chosen, steps, board)
                stop.begin()
        stop.end()
        board.tell()
    after = summary.published(settings)
    if after is None:
        raise RunFailed(f"{settings.home}: every task ended well, but nothing is published")
    result = DemoResult(
        settings=settings,
        content_hash=after["content_hash"],
        changed=before is None or before["content_hash"] != after["content_hash"],
        seconds=time.monotonic() - began,
    )
    summary.show(settings, out, before=before, seconds=result.seconds)
    return result


def ensure_home(home: Path | None) -> Settings:
    """The settings of a home; one that is not there yet is made.

    A home named like a data set gets that data set's pins, any other a drop folder.
    """
    place = Home(find_home(home))
    if place.config.exists():
        return load_settings(place.path)
    chosen = DATA_SETS.get(place.path.name)
    if chosen is None:
        return initialise(place.path).settings
    return _make_home(place.path, chosen)


def _make_home(path: Path, data: DataSet) -> Settings:
    return initialise(
        path,
        sections=data.sections,
        business_timezone=data.business_timezone,
        reporting_currency=data.reporting_currency,
        as_of=data.as_of,
    ).settings


@contextmanager
def _platform(
    settings: Settings, data: DataSet, step: Step, board: Board
) -> Iterator[Mapping[str, str]]:
    """The world the data is of, and its shop while the body runs; gives what Airflow has to know.

    The same scenario and seed make the same files, so a world that is there is left alone.

    Raises:
        ConfigError: The simulation's packages are missing, or the home holds another world.
    """
    if data.scenario is None:
        yield {}
        return
    try:
        from ingestion.synthetic.shopify import server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; `pip install 'setae[simulation]'`"
        ) from None
    from ingestion.synthetic import scenario, world

    step.begin()
    folder = settings.home / "world"
    wanted = scenario.preset(data.scenario)
    if not (folder / "world.json").exists():
        world.generate(wanted, folder, shop="shopify", progress=_Noted(step, board))
    elif read_json(folder / "world.json")["scenario"] != json.loads(json.dumps(wanted.as_json())):
        raise ConfigError(
            f"{folder}: holds another world than this version generates; remove "
            f"{settings.home}, or give another --home"
        )
    shop, _ = server.open_world(folder, plan="plus")
    token, _ = server.find_token(folder)
    with server.run(shop, free_port((SHOP_PORT,))) as address:
        step.end()
        board.tell()
        yield {
            "SETAE_SOURCES__SHOPIFY__URL": address,
            "SETAE_SOURCES__SHOPIFY__TOKEN": token,
        }


def _run(airflow: LocalAirflow, data: DataSet, steps: dict[str, Step], board: Board) -> None:
    """Trigger the partitions, one after another, and follow the last through the chain."""
    airflow.fail_unfinished_runs()
    until = time.monotonic() + TIMEOUT_SECONDS
    chain = _Chain(airflow, steps, board, until)
    *before, last = data.partitions
    for dag_id in before:
        airflow.unpause([dag_id])
        chain.wait(dag_id, chain.trigger(dag_id, data.partitions[dag_id]))
    # A DAG that is paused does not hear of assets: the first build has all that was landed.
    airflow.unpause([last, *FOLLOWERS])
    run_id = chain.trigger(last, data.partitions[last])
    for dag_id, follower in zip((last, *FOLLOWERS), (*FOLLOWERS, None), strict=True):
        ended = chain.wait(dag_id, run_id)
        if follower is not None:
            run_id = chain.next_run(follower, since=ended)


@dataclass
class _Chain:
    """DAG runs, waited for one after another."""

    airflow: LocalAirflow
    steps: dict[str, Step]
    board: Board
    until: float

    def trigger(self, dag_id: str, partition_key: str) -> str:
        """Start a run; returns its id."""
        body: dict[str, Any] = {"logical_date": None, "partition_key": partition_key, "conf": {}}
        return str(self.airflow.api.post(f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def wait(self, dag_id: str, run_id: str) -> str:
        """Until a run has succeeded; returns when its last task ended.

        The run's own end is later, and may be too late: in one turn the scheduler first starts the
        run that an asset of this one woke, and then closes this one. (Airflow's list of asset
        events would name that run, but fails while it is queued.)
        """
        place = f"/dags/{dag_id}/dagRuns/{run_id}"
        while not _follow(self.airflow, dag_id, run_id, self.steps):
            self._pause(dag_id)
        self.board.tell()
        tasks = self.airflow.api.get(f"{place}/taskInstances")["task_instances"]
        return str(max((task["end_date"] for task in tasks if task["end_date"]), key=_moment))

    def next_run(self, dag_id: str, *, since: str) -> str:
        """The first run of a DAG that began after this moment: it has seen all before it."""
        while True:
            found = self.airflow.api.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
            begun = [
                (_moment(run["start_date"]), str(run["dag_run_id"]))
                for run in found
                if run["start_date"] and _moment(run["start_date"]) >= _moment(since)
            ]
            if begun:
                return min(begun)[1]
            self._pause(dag_id)

    def _pause(self, dag_id: str) -> None:
        self.airflow.check_alive()
        if time.monotonic() > self.until:
            raise RunFailed(
                f"{dag_id}: not done after {TIMEOUT_SECONDS:.0f} s; see {self.airflow.logs}"
            )
        self.board.tell()
        time.sleep(_POLL_SECONDS)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _follow(airflow: LocalAirflow, dag_id: str, run_id: str, steps: dict[str, Step]) -> bool:
    """Bring the display up to date; true once the run has succeeded."""
    place = f"/dags/{dag_id}/dagRuns/{run_id}"
    state = airflow.api.get(place)["state"]
    tasks = airflow.api.get(f"{place}/taskInstances")["task_instances"]
    for task in tasks:
        step = steps.get(f"{dag_id}.{task['task_id']}")
        if step is None:
            continue
        if task["state"] == "success":
            step.end(seconds=task["duration"])
        elif task["state"] == "running":
            step.begin()
            step.note = _now(airflow.task_log(task)) or step.note
        elif task["state"] == "up_for_retry":
            step.note = f"tried {task['try_number']}, will try again: {_error(airflow, task)}"
        elif task["state"] == "failed":
            step.end(failed=True, seconds=task["duration"])
    if state == "failed":
        failed = next((task for task in tasks if task["state"] == "failed"), None)
        if failed is None:
            raise RunFailed(f"{dag_id}: the run failed; see {airflow.logs}")
        raise RunFailed(
            f"{dag_id}.{failed['task_id']} failed: {_error(airflow, failed)}; "
            f"see {airflow.task_log(failed)}"
        )
    return bool(state == "success")


def _lines(path: Path) -> list[dict[str, Any]]:
    """The last lines of a task's log, which is NDJSON."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 50_000))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _now(path: Path) -> str | None:
    """What the task said last about its progress."""
    for line in reversed(_lines(path)):
        if line.get("logger") == "setae.orchestration":
            return str(line.get("event"))
    return None


def _error(airflow: LocalAirflow, task: dict[str, Any]) -> str:
    """The last error of a task, in one line."""
    path = airflow.task_log(task)
    for line in reversed(_lines(path)):
        for detail in line.get("error_detail") or []:
            return " ".join(f"{detail.get('exc_type')}: {detail.get('exc_value')}".split())[:500]
        if line.get("level") in ("error", "critical"):
            return " ".join(str(line.get("event")).split())[:500]
    return last_line(path)
