"""The promises that need a real scheduler: assets, backfills, the pool, retries, ends.

Slow (minutes); `make test-scheduler` runs it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from setae import scheduler, stages
from setae.lease import lease
from setae.scheduler import LocalAirflow, running
from setae.settings import load_settings
from setae.warehouse import Home
from tests.integration.conftest import content_hashes, small_home
from tests.worlds import small

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
DAGS = ["ingest_drops", "transform_warehouse", "publish_marts"]
WRITERS = {"transform_warehouse", "publish_marts", "maintain_warehouse"}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory):
    """A running Airflow over half of the small world; one second after queueing a run is late."""
    place = tmp_path_factory.mktemp("scheduler")
    deliveries = small.deliveries()
    settings = small_home(place / "home", deliveries[: len(deliveries) // 2])
    dags = place / "dags"
    dags.mkdir()
    for path in scheduler.dags_directory().glob("*.py"):
        text = re.sub(
            r"deadline\(timedelta\(hours=\d\)", "deadline(timedelta(seconds=1)", path.read_text()
        )
        (dags / path.name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "dags_directory", lambda: dags)
        with running(settings) as local:
            local.unpause([*DAGS, "maintain_warehouse"])
            yield local


def wait_for(condition, *, seconds: float, what: str):
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.5)


def runs(local: LocalAirflow, dag_id: str) -> list[dict]:
    return local.api.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]


def settled(local: LocalAirflow) -> bool:
    """Nothing runs or waits, and every asset event has set off its run."""
    if {run["state"] for dag_id in DAGS for run in runs(local, dag_id)} & {"queued", "running"}:
        return False
    events = local.api.get("/assets/events", limit=100)["asset_events"]
    causes = [event for event in events if event["name"] in ("raw_drops", "builds")]
    return all(event["created_dagruns"] for event in causes)


def backfilled(local: LocalAirflow) -> list[dict]:
    """Runs of `ingest_drops` that a backfill made and that succeeded."""
    found = runs(local, "ingest_drops")
    return [run for run in found if (run["run_type"], run["state"]) == ("backfill", "success")]


def tasks(local: LocalAirflow, dag_id: str) -> list[dict]:
    found = local.api.get(f"/dags/{dag_id}/dagRuns/~/taskInstances", limit=100)
    return found["task_instances"]


def backfill(local: LocalAirflow, first: str, last: str, *more: str) -> None:
    command = ("backfill", "create", "--dag-id", "ingest_drops")
    dates = ("--from-date", first, "--to-date", last)
    assert scheduler.airflow_command(local.settings, [*command, *dates, *more]) == 0


def test_a_backfill_heals_a_range_and_the_chain_follows_by_itself(airflow):
    backfill(airflow, "2026-04-25", "2026-04-27")
    wait_for(lambda: len(backfilled(airflow)) == 3, seconds=180, what="three partitions")
    keys = sorted(run["partition_key"] for run in backfilled(airflow))
    assert keys == ["2026-04-25", "2026-04-26", "2026-04-27"]
    wait_for(lambda: settled(airflow), seconds=400, what="transform and publish")
    for dag_id in ("transform_warehouse", "publish_marts"):
        found = runs(airflow, dag_id)
        assert {run["state"] for run in found} == {"success"}
        assert {run["partition_key"] for run in found} == {"ledger"}
        assert {run["run_type"] for run in found} == {"asset_triggered"}
        assert len(found) <= len(runs(airflow, "ingest_drops"))


def test_a_late_delivery_is_healed_by_backfilling_its_range(airflow, tmp_path):
    deliveries = small.deliveries()
    for delivery in deliveries[len(deliveries) // 2 :]:
        delivery.write(airflow.settings.home / "drops")
    backfill(airflow, "2026-04-25", "2026-04-25", "--reprocess-behavior", "completed")
    wait_for(lambda: len(backfilled(airflow)) == 4, seconds=180, what="the partition again")
    wait_for(lambda: settled(airflow), seconds=400, what="transform and publish")
    by_hand = small_home(tmp_path / "hand")
    stages.run(by_hand)
    assert content_hashes(airflow.settings.home) == content_hashes(by_hand.home)


def test_each_built_model_is_an_asset_event(airflow):
    events = airflow.api.get("/assets/events", limit=100, source_dag_id="transform_warehouse")
    uris = {event["uri"] for event in events["asset_events"]}
    assert "duckdb://warehouse/ops/builds" in uris
    assert {
        f"duckdb://warehouse/marts/{name}" for name in content_hashes(airflow.settings.home)
    } <= uris


def test_writing_tasks_never_overlap_and_the_pool_has_one_slot(airflow):
    pool = airflow.api.get("/pools/duckdb_writer")
    assert pool["slots"] == 1
    spans = sorted(
        (task["start_date"], task["end_date"])
        for dag_id in WRITERS
        for task in tasks(airflow, dag_id)
        if task["start_date"] and task["end_date"]
    )
    assert len(spans) >= 10
    for (_, end), (start, _) in itertools.pairwise(spans):
        assert end <= start


def test_a_task_that_meets_another_writer_waits_and_tries_again(airflow):
    before = {run["dag_run_id"] for run in runs(airflow, "publish_marts")}
    with lease(airflow.settings, stage="a person's own run"):
        airflow.api.post(
            "/dags/publish_marts/dagRuns",
            {"logical_date": None, "partition_key": "ledger", "conf": {}},
        )

        def waiting():
            return [
                task
                for task in tasks(airflow, "publish_marts")
                if task["dag_run_id"] not in before and task["state"] == "up_for_retry"
            ]

        (task,) = wait_for(waiting, seconds=60, what="check_marts up for retry")
        log = airflow.task_log({**task, "try_number": 1}).read_text()
        assert "LeaseHeld" in log
        assert "may pass later" in log
    wait_for(lambda: settled(airflow), seconds=120, what="the second try")
    (run,) = [r for r in runs(airflow, "publish_marts") if r["dag_run_id"] not in before]
    assert run["state"] == "success"


def test_a_run_past_its_deadline_leaves_an_alert(airflow):
    path = Home(airflow.settings.home).airflow / "alerts.ndjson"
    wait_for(path.exists, seconds=30, what="an alert")
    alerts = [json.loads(line) for line in path.read_text().splitlines()]
    assert "transform_warehouse" in {alert["dag_id"] for alert in alerts}
    assert {alert["alert"] for alert in alerts} == {"deadline_missed"}


def test_upkeep_runs_and_finds_the_publication_sound(airflow):
    airflow.api.post("/dags/maintain_warehouse/dagRuns", {"logical_date": None, "conf": {}})
    (run,) = wait_for(
        lambda: [
            r for r in runs(airflow, "maintain_warehouse") if r["state"] in ("success", "failed")
        ],
        seconds=90,
        what="maintain_warehouse",
    )
    assert run["state"] == "success"


def test_gate_results_are_in_the_task_logs(airflow):
    for dag_id, task_id in (("transform_warehouse", "check_raw"), ("publish_marts", "check_marts")):
        logs = [
            airflow.task_log(task).read_text()
            for task in tasks(airflow, dag_id)
            if (task["task_id"], task["state"]) == (task_id, "success")
        ]
        assert any(re.search(r"gate (raw|marts): passed: ", log) for log in logs)


def test_everything_listens_on_loopback_only_and_secrets_are_private(airflow):
    listening = set()
    for process in airflow._processes.values():
        for each in [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]:
            listening |= {
                connection.laddr.ip
                for connection in each.net_connections(kind="inet")
                if connection.status == psutil.CONN_LISTEN
            }
    assert listening == {"127.0.0.1"}
    for name in ("secrets.json", "passwords.json", "airflow.db"):
        assert stat.S_IMODE((airflow.path / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(airflow.path.stat().st_mode) == 0o700
    password = airflow.credentials.password
    for path in airflow.logs.rglob("*.log"):
        assert password not in path.read_text(errors="replace")


def test_a_second_airflow_for_the_same_home_is_refused(airflow):
    from setae.errors import LeaseHeld

    with pytest.raises(LeaseHeld, match="runs already for this home"), running(airflow.settings):
        pass


def owned(home: Path) -> list[psutil.Process]:
    """Processes that have this home in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SETAE_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_owner_ends_nothing_is_left_running(tmp_path, kind):
    settings = small_home(tmp_path / "home", [])
    # What a shell runs in the background ignores Ctrl-C, and so would all that it starts.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from setae.cli import main; main()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, "up", "--home", str(settings.home)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        start_new_session=True,
    )
    assert owner.stdout is not None
    shown = ""
    for line in owner.stdout:
        shown += line
        if "Ctrl-C ends it" in line:
            break
    password = json.loads((settings.home / "airflow" / "passwords.json").read_text())["admin"]
    assert password in shown
    assert len(owned(settings.home)) >= 4
    owner.send_signal(kind)
    owner.wait(60)
    wait_for(lambda: not owned(settings.home), seconds=30, what="all processes gone")
    if kind is not signal.SIGKILL:
        assert owner.returncode == 0


def demo_twice(home: Path, data: str) -> list[str]:
    """What `setae demo` shows, the first time and again; nothing is left running."""
    script = "from setae.cli import main; main()"
    shown = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script, "demo", "--data", data, "--home", str(home)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shown.append(done.stdout)
        assert not owned(home)
    assert "Nothing changed" not in shown[0]
    assert "Nothing changed" in shown[1]
    return shown


def test_the_demo_publishes_real_purchases_and_a_second_run_changes_nothing(tmp_path):
    shown = demo_twice(tmp_path / "home", "complete_journey")
    assert re.search(r"orders +│ 155,848", shown[0])
    assert "4,596,039.58 USD" in shown[0]
    assert re.search(r"dim_posts +│ +0 │ no source delivers posts", shown[0])


def test_the_demo_publishes_a_simulated_platform_as_the_command_line_does(tmp_path, monkeypatch):
    from ingestion.synthetic.shopify import server
    from setae import demo

    home = tmp_path / "home"
    shown = demo_twice(home, "simulated")
    # The table of README.md, printed by the demo.
    table = (ROOT / "README.md").read_text().partition("| tier | creators |")[2]
    for row in table.partition("\n\n")[0].splitlines()[2:]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert re.search(r" +│ +".join(map(re.escape, cells)), shown[0]), cells
    by_hand = demo._make_home(tmp_path / "hand", demo.DATA_SETS["simulated"])
    (by_hand.home / "pii.key").write_bytes((home / "pii.key").read_bytes())
    (by_hand.home / "world").symlink_to(home / "world")
    shop, _ = server.open_world(home / "world", plan="plus")
    with server.run(shop) as address:
        monkeypatch.setenv("SETAE_SOURCES__SHOPIFY__URL", address)
        monkeypatch.setenv("SETAE_SOURCES__SHOPIFY__TOKEN", shop.token)
        stages.run(load_settings(by_hand.home))
    assert content_hashes(by_hand.home) == content_hashes(home)
