"""House rules of the DAGs: each sentence of style §7 is a test here."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from ingestion import contract
from setae.errors import (
    BuildFailed,
    ConfigError,
    DataError,
    GateFailed,
    LeaseHeld,
    SourceBusy,
    SourceError,
    StorageError,
)

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
FILES = sorted(path for path in DAGS.glob("*.py") if path.name != "assets.py")
VERBS = ("ingest", "check", "transform", "publish", "maintain", "backfill")
LIGHT_IMPORTS = {"datetime", "typing", "pendulum", "airflow.sdk", "assets"} | {
    "setae.orchestration",
    "setae.settings",
}
WRITERS = {"transform_warehouse", "publish_marts", "maintain_warehouse"}

per_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    sys.path.insert(0, str(DAGS))  # as Airflow does with a bundle
    bag = DagBag(dag_folder=str(DAGS), bundle_path=DAGS)
    assert not bag.import_errors
    return bag


@pytest.fixture(scope="module")
def assets(bag):
    return importlib.import_module("assets")


def dag_call(path: Path) -> ast.Call:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "DAG"
    ]
    assert len(calls) == 1, "one DAG per file"
    return calls[0]


def keywords(path: Path) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in dag_call(path).keywords}


def serialised(dag):
    """The DAG as the scheduler has it."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))


def test_every_file_imports_and_there_are_no_others(bag):
    ingest = {f"ingest_{kind}" for kind in contract.source_kinds()}
    assert set(bag.dags) == ingest | WRITERS


@per_file
def test_the_file_is_the_dag_id_is_verb_and_object(path, bag):
    assert ast.literal_eval(keywords(path)["dag_id"]) == path.stem
    assert re.fullmatch(rf"({'|'.join(VERBS)})_[a-z][a-z0-9_]*", path.stem)
    assert [dag_id for dag_id, dag in bag.dags.items() if Path(dag.fileloc) == path] == [path.stem]


@per_file
def test_no_file_is_called_like_a_dbt_plugin(path):
    assert not path.name.startswith("dbt_")


@per_file
def test_task_ids_are_verb_and_object_in_snake_case(path, bag):
    for task_id in bag.dags[path.stem].task_ids:
        assert re.fullmatch(rf"({'|'.join(VERBS)})_[a-z][a-z0-9_]*", task_id)


def test_assets_of_the_warehouse_are_tables(assets):
    declared = [value for value in vars(assets).values() if type(value).__name__ == "Asset"]
    declared.append(assets.model_asset("fct_orders"))
    assert len(declared) == 3
    for asset in declared:
        assert re.fullmatch(r"duckdb://warehouse/[a-z_]+/[a-z_]+", asset.uri)
    assert len({asset.uri for asset in declared}) == len(declared)


def test_each_source_is_an_asset_that_its_own_dag_alone_writes(assets, bag):
    assert {kind: asset.uri for kind, asset in assets.RAW.items()} == {
        kind: f"duckdb://warehouse/raw_{kind}" for kind in contract.source_kinds()
    }
    for dag_id, dag in bag.dags.items():
        written = {asset.name for task in dag.tasks for asset in task.outlets}
        raw = {name for name in written if name.startswith("raw_")}
        assert raw == {f"raw_{dag_id.removeprefix('ingest_')}"} & {f"raw_{k}" for k in assets.RAW}


@per_file
def test_assets_are_declared_nowhere_but_in_assets(path):
    names = {
        getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not names & {"Asset", "AssetAlias", "Dataset"}


@per_file
def test_sources_and_upkeep_go_by_time_and_everything_downstream_by_asset(path, bag):
    schedule = type(bag.dags[path.stem].timetable).__name__
    verb = path.stem.split("_")[0]
    expected = {
        "ingest": "CronPartitionTimetable",
        "maintain": "CronTriggerTimetable",
        "transform": "PartitionedAssetTimetable",
        "publish": "PartitionedAssetTimetable",
    }
    assert schedule == expected[verb]


@per_file
def test_a_dag_is_shorter_than_sixty_lines(path):
    assert len(path.read_text().splitlines()) < 60


@per_file
def test_no_loop_is_more_than_one_level_deep(path):
    loops = (ast.For, ast.While, ast.AsyncFor)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, loops):
            inner = [child for child in ast.walk(node) if isinstance(child, loops)]
            assert inner == [node]


@per_file
def test_a_file_does_no_work_at_import(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            assert node.module in LIGHT_IMPORTS
        elif isinstance(node, ast.Import):
            assert {name.name for name in node.names} <= LIGHT_IMPORTS
        elif isinstance(node, ast.Assign):
            ast.literal_eval(node.value)
        else:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert is_docstring or isinstance(node, ast.With)


def test_importing_the_dags_loads_nothing_heavy():
    code = (
        "import sys; sys.path.insert(0, 'dags')\n"
        + "".join(f"import {path.stem}\n" for path in FILES)
        + "heavy = {'duckdb', 'dbt', 'great_expectations', 'pandas', 'pyarrow', 'ingestion'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@per_file
def test_the_module_docstring_is_the_page_for_the_person_on_call(path, bag):
    page = bag.dags[path.stem].doc_md
    assert page == ast.get_docstring(ast.parse(path.read_text()), clean=False)
    found = re.findall(
        r"^\*\*(What\.|When\.|If it fails\.|Safe to rerun\?)\*\* \S", page, re.MULTILINE
    )
    assert found == ["What.", "When.", "If it fails.", "Safe to rerun?"]


@per_file
def test_every_page_it_names_exists(path):
    for page in re.findall(r"docs/runbooks/[a-z_]+\.md", path.read_text()):
        assert (ROOT / page).exists(), page


@per_file
def test_somebody_owns_it_and_every_task_is_retried_with_growing_pauses(path, bag):
    for task in bag.dags[path.stem].tasks:
        assert task.owner not in ("", "airflow")
        assert task.retries >= 1
        assert task.retry_exponential_backoff == 2.0
        assert task.retry_delay == timedelta(seconds=20)
        assert task.max_retry_delay == timedelta(minutes=10)
        assert type(task.retry_policy).__name__ == "SetaeRetryPolicy"
        assert task.execution_timeout


@per_file
def test_catchup_and_max_active_runs_are_written_out(path):
    assert ast.literal_eval(keywords(path)["catchup"]) is False
    assert ast.literal_eval(keywords(path)["max_active_runs"]) >= 1


@per_file
def test_tags_say_layer_source_and_tier(path, bag):
    tags = sorted(bag.dags[path.stem].tags)
    assert [tag.split(":")[0] for tag in tags] == ["layer", "source", "tier"]
    assert re.fullmatch(r"layer:(raw|marts|ops)", tags[0])
    assert re.fullmatch(r"tier:[123]", tags[2])
    if path.stem.startswith("ingest_"):
        assert tags[1] == f"source:{path.stem.removeprefix('ingest_')}"


def test_every_task_that_opens_the_warehouse_is_in_the_one_pool(bag):
    for dag_id, dag in bag.dags.items():
        for task in dag.tasks:
            assert task.pool == ("duckdb_writer" if dag_id in WRITERS else "default_pool")
            assert task.pool_slots == 1


def test_the_pool_has_one_slot_wherever_it_is_made():
    from setae import orchestration, scheduler

    assert orchestration.WRITER_POOL == scheduler.WRITER_POOL == "duckdb_writer"
    assert orchestration.WRITER_SLOTS == scheduler.WRITER_SLOTS == 1
    assert "pools set duckdb_writer 1 " in (ROOT / "docker" / "init.sh").read_text()


def test_downstream_runs_have_the_one_partition_of_the_ledger(bag, assets):
    for source in assets.RAW.values():
        timetable = serialised(bag.dags["transform_warehouse"]).timetable
        mapper = timetable.get_partition_mapper(name=source.name, uri=source.uri)
        assert mapper.to_downstream("2017") == mapper.to_downstream("2026-11-21") == "ledger"


@pytest.mark.parametrize(
    ("dag_id", "task_id", "arguments", "source", "start", "end"),
    [
        (
            "ingest_complete_journey",
            "ingest_transactions",
            {"partition_key": "2017"},
            "complete_journey",
            datetime(2017, 1, 1, 5, tzinfo=UTC),  # midnight in New York
            datetime(2018, 1, 1, 5, tzinfo=UTC),
        ),
        (
            "ingest_drops",
            "ingest_account",
            {"partition_key": "2024-02-28", "source": "shop"},
            "shop",
            datetime(2024, 2, 28, tzinfo=UTC),
            datetime(2024, 2, 29, tzinfo=UTC),
        ),
        ("ingest_drops", "ingest_account", {"source": "shop"}, "shop", None, None),
        (
            "ingest_shopify",
            "ingest_account",
            {"partition_key": "2024-02-28", "source": "shopify"},
            "shopify",
            datetime(2024, 2, 28, tzinfo=UTC),
            datetime(2024, 2, 29, tzinfo=UTC),
        ),
    ],
)
def test_an_ingest_run_reads_only_its_partition(
    bag, monkeypatch, settings, dag_id, task_id, arguments, source, start, end
):
    from setae import stages

    calls = []
    monkeypatch.setenv("SETAE_HOME", str(settings.home))
    monkeypatch.setattr(stages, "fetch", lambda settings, **given: calls.append(given))
    bag.dags[dag_id].get_task(task_id).python_callable(**arguments)
    assert [(call["source"], call["start"], call["end"]) for call in calls] == [
        (source, start, end)
    ]


def test_drops_are_fetched_once_for_each_configured_account(bag, monkeypatch, tmp_path):
    from tests.conftest import make_home

    config = "".join(
        f'[sources.{kind}]\nkind = "{kind}"\n' for kind in ("drops", "complete_journey")
    )
    monkeypatch.setenv("SETAE_HOME", str(make_home(tmp_path, config).home))
    dag = bag.dags["ingest_drops"]
    assert dag.get_task("check_accounts").python_callable() == ["drops"]
    assert dag.get_task("ingest_account").is_mapped


def test_a_busy_source_puts_the_task_off_to_the_moment_it_named(bag, monkeypatch, settings):
    from airflow.sdk.exceptions import AirflowRescheduleException

    from setae import stages

    moment = datetime(2026, 11, 22, 4, 15, tzinfo=UTC)

    def busy(settings, **given):
        raise SourceBusy("shopify: too many requests", retry_at=moment)

    monkeypatch.setenv("SETAE_HOME", str(settings.home))
    monkeypatch.setattr(stages, "fetch", busy)
    with pytest.raises(AirflowRescheduleException) as caught:
        bag.dags["ingest_shopify"].get_task("ingest_account").python_callable(source="shopify")
    assert caught.value.reschedule_date == moment


def test_where_nothing_puts_it_off_a_busy_source_is_retried_when_it_said(bag):
    from setae.orchestration import SetaeRetryPolicy

    busy = SourceBusy("later", retry_at=datetime.now(UTC) + timedelta(hours=2))
    decision = SetaeRetryPolicy().evaluate(busy, try_number=1, max_tries=3)
    assert decision.action.value == "retry"
    assert timedelta(minutes=119) < decision.retry_delay <= timedelta(hours=2)


@pytest.mark.parametrize(
    ("dag_id", "first", "last", "keys"),
    [
        ("ingest_complete_journey", "2017-01-01", "2017-01-01", ["2017"]),
        (
            "ingest_drops",
            "2024-02-27",
            "2024-03-01",
            ["2024-02-27", "2024-02-28", "2024-02-29", "2024-03-01"],
        ),
    ],
)
def test_a_backfill_covers_its_range_to_the_last_day(bag, dag_id, first, last, keys):
    infos = serialised(bag.dags[dag_id]).iter_dagrun_infos_between(
        datetime.fromisoformat(first).replace(tzinfo=UTC),
        datetime.fromisoformat(last).replace(tzinfo=UTC),
    )
    assert [info.partition_key for info in infos] == keys


def test_unpausing_a_daily_dag_does_not_run_the_day_before(bag, monkeypatch):
    from airflow.timetables import trigger

    timetable = serialised(bag.dags["ingest_drops"]).timetable
    monkeypatch.setattr(trigger, "utcnow", lambda: datetime(2026, 11, 28, 0, 17, tzinfo=UTC))
    assert timetable._calc_first_run().isoformat() == "2026-11-29T00:00:00+00:00"


def test_the_windows_of_neighbouring_partitions_meet_also_over_a_clock_change():
    from setae.orchestration import partition_window

    zone = "America/New_York"
    saturday, sunday, monday = (
        partition_window(key, zone=zone) for key in ("2017-03-11", "2017-03-12", "2017-03-13")
    )
    assert saturday[1] == sunday[0] == datetime(2017, 3, 12, 5, tzinfo=UTC)
    assert sunday[1] == monday[0] == datetime(2017, 3, 13, 4, tzinfo=UTC)  # 23 hours later
    assert partition_window("2017-12") == (
        datetime(2017, 12, 1, tzinfo=UTC),
        datetime(2018, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (SourceError("rate limit", retryable=True), "retry"),
        (SourceError("token revoked"), "fail"),
        (LeaseHeld("somebody writes"), "retry"),
        (StorageError("disk full"), "retry"),
        (ConfigError("no key"), "fail"),
        (DataError("unreadable"), "fail"),
        (GateFailed("credit sums differ"), "fail"),
        (BuildFailed("model fails"), "fail"),
        (RuntimeError("a fault of ours"), "default"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_retries_tell_what_may_pass_from_what_needs_a_person(error, action):
    from setae.orchestration import SetaeRetryPolicy

    decision = SetaeRetryPolicy().evaluate(error, try_number=1, max_tries=3)
    assert decision.action.value == action
    assert action == "default" or str(error) in decision.reason


@per_file
def test_a_deadline_calls_an_installed_function_and_names_a_page(path, bag):
    from airflow.sdk.definitions.callback import SyncCallback

    (alert,) = bag.dags[path.stem].deadline
    assert isinstance(alert.callback, SyncCallback)
    assert alert.callback.path == "setae.orchestration.deadline_missed"
    assert alert.interval > timedelta(minutes=30)
    assert (ROOT / "docs" / "runbooks" / f"{alert.callback.kwargs['runbook']}.md").exists()


def test_a_missed_deadline_leaves_one_line_in_the_home(monkeypatch, settings):
    import json

    from setae.orchestration import deadline_missed

    monkeypatch.setenv("SETAE_HOME", str(settings.home))
    run = {"dag_id": "publish_marts", "dag_run_id": "r1", "queued_at": "2026-11-22T00:00:00Z"}
    deadline_missed(runbook="publish_late", context={"dag_run": run})
    (line,) = (settings.home / "airflow" / "alerts.ndjson").read_text().splitlines()
    alert = json.loads(line)
    assert alert["dag_id"] == "publish_marts"
    assert alert["run_id"] == "r1"
    assert alert["runbook"] == "docs/runbooks/publish_late.md"


def test_the_build_reports_one_asset_event_for_each_model(bag, assets, monkeypatch, settings):
    from setae import stages

    monkeypatch.setenv("SETAE_HOME", str(settings.home))
    monkeypatch.setattr(
        stages,
        "transform",
        lambda settings, **given: SimpleNamespace(models=("dim_creators", "fct_orders")),
    )
    added, partitions = [], []
    events = {
        assets.MODELS: SimpleNamespace(add=added.append),
        assets.BUILDS: SimpleNamespace(add_partitions=partitions.append),
    }
    task = bag.dags["transform_warehouse"].get_task("transform_models")
    task.python_callable(params={"full_refresh": False}, outlet_events=events)
    assert [asset.uri for asset in added] == [
        "duckdb://warehouse/marts/dim_creators",
        "duckdb://warehouse/marts/fct_orders",
    ]
    assert partitions == ["ledger"]


def test_parameters_are_typed(bag):
    for dag in bag.dags.values():
        for name in dag.params:
            assert dag.params.get_param(name).schema.get("type"), (dag.dag_id, name)
    assert bag.dags["transform_warehouse"].params["full_refresh"] is False
