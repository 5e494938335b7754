"""The demo follows the right runs, and keeps the world it has generated."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from ingestion.synthetic import scenario, world
from setae import demo, summary
from setae.errors import ConfigError
from setae.settings import load_settings

ROOT = Path(__file__).resolve().parents[3]


LAST_TASK_ENDED = "2026-11-27T10:00:30Z"
RUN_CLOSED = "2026-11-27T10:00:30.9Z"


class FakeAirflow:
    """Answers of Airflow: each question of a run's state is answered by the next of its states."""

    def __init__(self, runs: dict[str, list[tuple[str, str | None]]], states: list[str]) -> None:
        self.api = SimpleNamespace(get=self.get, post=self.post)
        self.logs = "logs"
        self._runs = runs
        self._states = states
        self.tasks: list[dict] = []
        self.posted: list[tuple[str, dict]] = []

    def post(self, path: str, body: dict) -> dict:
        self.posted.append((path, body))
        return {"dag_run_id": "manual"}

    def get(self, path: str, **query: object) -> dict:
        if path.endswith("/taskInstances"):
            return {"task_instances": self.tasks}
        if path.endswith("/dagRuns"):
            dag_id = path.split("/")[2]
            found = self._runs[dag_id]
            return {"dag_runs": [{"dag_run_id": r, "start_date": at} for r, at in found]}
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"state": state, "end_date": RUN_CLOSED}

    def check_alive(self) -> None:
        """It lives."""


def chain(airflow: FakeAirflow, until: float = float("inf")) -> demo._Chain:
    board = demo.Board(Console(file=io.StringIO()), [])
    return demo._Chain(airflow, {}, board, until)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "_POLL_SECONDS", 0)


def test_a_run_is_waited_for_until_it_has_succeeded() -> None:
    airflow = FakeAirflow({}, ["queued", "running", "running", "success"])
    airflow.tasks = [ended("first", "2026-11-27T11:00:20+01:00"), ended("last", LAST_TASK_ENDED)]
    assert chain(airflow).wait("ingest_drops", "r") == LAST_TASK_ENDED
    assert airflow._states == ["success"]


def ended(task_id: str, at: str) -> dict:
    return {"task_id": task_id, "state": "success", "duration": 1.0, "end_date": at}


def test_a_failed_run_ends_the_demo() -> None:
    with pytest.raises(demo.RunFailed, match="ingest_drops: the run failed"):
        chain(FakeAirflow({}, ["running", "failed"])).wait("ingest_drops", "r")


def test_a_run_that_does_not_end_is_given_up() -> None:
    with pytest.raises(demo.RunFailed, match="ingest_drops: not done after"):
        chain(FakeAirflow({}, ["running"]), until=0.0).wait("ingest_drops", "r")


def test_the_build_that_counts_began_after_the_last_source_had_landed() -> None:
    # `early` was woken by the files alone; `queued` waits; `late` is a run of a later hour.
    runs = [
        ("late", "2026-11-27T10:05:00Z"),
        ("queued", None),
        ("counts", "2026-11-27T11:00:31.5+01:00"),
        ("early", "2026-11-27T10:00:10Z"),
    ]
    airflow = FakeAirflow({"transform_warehouse": runs}, [])
    found = chain(airflow).next_run("transform_warehouse", since=LAST_TASK_ENDED)
    assert found == "counts"


def test_a_build_that_began_before_the_run_that_woke_it_was_closed_is_followed() -> None:
    runs = {"transform_warehouse": [("counts", "2026-11-27T10:00:30.6Z")]}
    airflow = FakeAirflow(runs, ["success"])
    airflow.tasks = [ended("last", LAST_TASK_ENDED)]
    followed = chain(airflow, until=0.0)
    since = followed.wait("ingest_drops", "r")
    assert followed.next_run("transform_warehouse", since=since) == "counts"


def test_partitions_are_triggered_by_name() -> None:
    airflow = FakeAirflow({}, [])
    chain(airflow).trigger("ingest_drops", "2026-08-28")
    assert airflow.posted == [
        (
            "/dags/ingest_drops/dagRuns",
            {"logical_date": None, "partition_key": "2026-08-28", "conf": {}},
        )
    ]


def test_a_data_set_names_only_dags_and_tasks_that_exist() -> None:
    from setae.scheduler import dags_directory

    known = {path.stem for path in dags_directory().glob("*_*.py")}
    for data in demo.DATA_SETS.values():
        assert set(data.partitions) <= known
        for dag_id in (*data.partitions, *demo.FOLLOWERS):
            assert any(label.startswith(f"{dag_id}.") for label in demo.LABELS)
    for label in demo.LABELS:
        dag_id, task_id = label.split(".")
        assert f"def {task_id}(" in (dags_directory() / f"{dag_id}.py").read_text()


def test_the_world_is_generated_once_served_on_loopback_and_pinned(tmp_path, monkeypatch) -> None:
    small = scenario.preset("tiny")
    monkeypatch.setattr(scenario, "preset", lambda name: small)
    data = demo.DATA_SETS["simulated"]
    settings = demo._make_home(tmp_path / "home", data)
    step, board = demo.Step("world", "world"), demo.Board(Console(file=io.StringIO()), [])
    with demo._platform(settings, data, step, board) as environment:
        for name in ("SETAE_SOURCES__SHOPIFY__URL", "SETAE_SOURCES__SHOPIFY__TOKEN"):
            monkeypatch.setenv(name, environment[name])
        shopify = load_settings(settings.home).source("shopify")
        assert shopify.url is not None
        assert shopify.url.startswith("http://127.0.0.1:")
    assert (settings.home / "world" / "drops" / "posts").is_dir()
    monkeypatch.setattr(world, "generate", lambda *given, **named: pytest.fail("made again"))
    with demo._platform(settings, data, step, board):
        pass
    place = settings.home / "world" / "world.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), "scenario": {"seed": 7}}))
    with pytest.raises(ConfigError, match="holds another world"):
        demo._platform(settings, data, step, board).__enter__()


def test_the_query_of_the_readme_is_the_one_the_demo_asks() -> None:
    text = (ROOT / "README.md").read_text()
    query = text.partition("```sql\n")[2].partition("```")[0].partition("\n")[2]
    assert query == summary.TIERS


def test_the_demo_s_pins_are_the_world_s_own(tmp_path) -> None:
    data = demo.DATA_SETS["simulated"]
    chosen = scenario.preset(data.scenario or "")
    assert chosen.business_timezone == data.business_timezone
    assert chosen.reporting_currency == data.reporting_currency
    made = world.generate(scenario.preset("demo", people=300, creators=20), tmp_path / "world")
    assert made.as_of == data.as_of
