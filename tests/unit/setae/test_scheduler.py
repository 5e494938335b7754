"""The local Airflow's files and words, without starting it."""

from __future__ import annotations

import http.server
import io
import json
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from setae import demo, scheduler, summary
from setae.errors import ConfigError
from setae.guard import Guard, end_sessions
from setae.scheduler import LocalAirflow, airflow_environment, free_port
from setae.warehouse import Home


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_only_their_owner_can_read_them(settings):
    first = airflow_environment(settings, port=8080)
    second = airflow_environment(settings, port=9090)
    names = (
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
    )
    assert [first[name] for name in names] == [second[name] for name in names]
    assert len({first[name] for name in names}) == 3
    path = Home(settings.home).airflow
    assert mode(path) == 0o700
    assert mode(path / "secrets.json") == 0o600


def test_two_homes_have_different_secrets(settings, tmp_path):
    from tests.conftest import make_home

    other = airflow_environment(make_home(tmp_path / "other"), port=8080)
    own = airflow_environment(settings, port=8080)
    assert other["AIRFLOW__API_AUTH__JWT_SECRET"] != own["AIRFLOW__API_AUTH__JWT_SECRET"]


def test_the_password_is_new_only_the_first_time(settings):
    first, second = LocalAirflow(settings), LocalAirflow(settings)
    assert first.credentials.is_new
    assert not second.credentials.is_new
    assert first.credentials.password == second.credentials.password
    assert len(first.credentials.password) >= 20
    assert mode(first.credentials.path) == 0o600


def test_a_password_file_without_the_user_says_what_to_do(settings):
    path = LocalAirflow(settings).credentials.path
    path.write_text("{}")
    with pytest.raises(ConfigError, match="remove it, and a new password is made"):
        LocalAirflow(settings)


def test_the_greeting_shows_the_password_once(settings):
    def greeting() -> str:
        out = io.StringIO()
        scheduler._greet(LocalAirflow(settings, port=8080), Console(file=out, width=200))
        return out.getvalue()

    password = LocalAirflow(settings).credentials.password
    (Home(settings.home).airflow / "passwords.json").unlink()
    first = greeting()
    password = LocalAirflow(settings).credentials.password
    assert password in first
    assert "http://127.0.0.1:8080" in first
    assert password not in greeting()


def test_a_port_in_use_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scheduler, "PORTS", range(port, port + 1))
            assert free_port() != port


def test_everything_is_told_to_stay_on_this_machine(settings):
    environment = airflow_environment(settings, port=8123)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8123"
    assert environment["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert environment["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"
    assert environment["SETAE_HOME"] == str(settings.home)


def test_a_guard_ends_a_process_that_ignores_the_polite_way():
    ignoring = "import signal, time; signal.signal(15, 1); print('up', flush=True); time.sleep(600)"
    child = subprocess.Popen(
        [sys.executable, "-c", ignoring], stdout=subprocess.PIPE, start_new_session=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    end_sessions([child.pid], grace_seconds=0.3)
    assert child.wait(10) == -9


def test_a_guard_ends_whole_sessions_when_its_owner_closes_it():
    family = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('up', flush=True)\n"
        "time.sleep(600)\n"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", family], stdout=subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    leader.stdout.readline()
    members = [psutil.Process(leader.pid), *psutil.Process(leader.pid).children()]
    assert len(members) == 2
    guard = Guard()
    guard.watch(leader.pid)
    guard.close()
    leader.wait(10)
    _, alive = psutil.wait_procs(members, timeout=10)
    assert not alive


def test_the_last_error_of_a_task_is_one_line(settings):
    airflow = LocalAirflow(settings)
    task = {
        "dag_id": "publish_marts",
        "dag_run_id": "r1",
        "task_id": "check_marts",
        "map_index": -1,
        "try_number": 2,
    }
    path = airflow.task_log(task)
    assert path.parts[-4:] == (
        "dag_id=publish_marts",
        "run_id=r1",
        "task_id=check_marts",
        "attempt=2.log",
    )
    path.parent.mkdir(parents=True)
    lines = [
        {"level": "info", "logger": "setae.orchestration", "event": "check marts"},
        {
            "level": "error",
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "GateFailed", "exc_value": "sums\ndiffer", "frames": []}],
        },
        {"level": "info", "event": "done"},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "half a li")
    assert demo._error(airflow, task) == "GateFailed: sums differ"
    assert demo._now(path) == "check marts"


def test_without_a_terminal_the_board_says_what_changed():
    out = io.StringIO()
    step = demo.Step("load", "load")
    board = demo.Board(Console(file=out, width=120), [step, demo.Step("later", "later")])
    board.tell()
    step.begin()
    board.tell()
    board.tell()
    step.end(seconds=2.5)
    board.tell()
    board.tell()
    said = out.getvalue().splitlines()
    assert [line.split("s  ", 1)[1] for line in said] == [
        "load: running (0.0 s)",
        "load: done (2.5 s)",
    ]


@pytest.mark.parametrize(
    ("mart", "feeds", "reason"),
    [
        ("dim_posts", {"transactions"}, "no source delivers posts"),
        ("dim_posts", {"posts"}, "no row qualifies; see the description of the table"),
        ("fct_new", set(), "no row qualifies; see the description of the table"),
    ],
)
def test_an_empty_mart_says_why(mart, feeds, reason):
    assert summary._why_empty(mart, feeds) == reason


def test_every_mart_has_its_feeds_named():
    from setae.transformation import project_directory

    marts = {path.stem for path in (project_directory() / "models" / "marts").rglob("*.sql")}
    assert marts - set(summary.NEEDS) <= {"dim_channels", "dim_dates"}
    assert set(summary.NEEDS) <= marts


def test_ending_takes_no_longer_than_it_must():
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = subprocess.Popen(sleeping, start_new_session=True)
    began = time.monotonic()
    end_sessions([child.pid])
    assert time.monotonic() - began < 5
    child.wait()


def test_a_home_that_is_not_there_is_made_with_the_pins_of_its_data_set(tmp_path):
    journey = demo.ensure_home(tmp_path / "complete_journey")
    assert journey.business_timezone == "America/New_York"
    assert journey.as_of is not None
    assert journey.as_of.isoformat() == "2018-01-01T05:00:00+00:00"
    assert [source.kind for source in journey.sources.values()] == ["complete_journey"]
    simulated = demo.ensure_home(tmp_path / "simulated")
    assert sorted(simulated.sources) == ["drops", "shopify"]
    assert simulated.reporting_currency == "USD"
    other = demo.ensure_home(tmp_path / "mine")
    assert [source.kind for source in other.sources.values()] == ["drops"]
    (tmp_path / "mine" / "setae.toml").write_text('business_timezone = "Europe/Rome"\n')
    assert demo.ensure_home(tmp_path / "mine").business_timezone == "Europe/Rome"


def test_two_airflows_that_start_in_one_moment_get_two_ports():
    with scheduler.own_port() as first, scheduler.own_port() as second:
        assert first != second
        assert {first, second} <= set(scheduler.PORTS)
    with scheduler.own_port() as again:
        assert again == first


@contextmanager
def answering(broken: int) -> Iterator[tuple[int, list[str]]]:
    """A server on loopback that hangs up on the first `broken` requests; its port, what it saw."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer()

        def answer(self) -> None:
            seen.append(f"{self.command} {self.path}")
            if len(seen) > broken:
                data = b'{"access_token": "t", "state": "success"}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def test_a_question_is_asked_again_where_airflow_hangs_up_but_nothing_is_started_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "_POLL_SECONDS", 0)
    who = scheduler.Credentials("admin", "p", tmp_path / "passwords.json", is_new=False)
    with answering(broken=2) as (port, seen):
        assert scheduler.Api(port, who).get("/dags")["state"] == "success"
        assert seen == ["POST /auth/token"] * 3 + ["GET /api/v2/dags"]
    with answering(broken=1) as (port, seen):
        with pytest.raises(scheduler.AirflowFailed, match="did not answer POST /api/v2/x"):
            scheduler.Api(port, who).post("/x", {})
        assert len(seen) == 1
    with answering(broken=9) as (port, seen):
        with pytest.raises(scheduler.AirflowFailed, match="not answer GET /api/v2/dags: Remote"):
            scheduler.Api(port, who).get("/dags")
        assert len(seen) == scheduler.REPEATABLE_TRIES
