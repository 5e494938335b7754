"""One writer, and none after it was taken over."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from setae.errors import LeaseHeld
from setae.lease import current_holder, lease
from setae.settings import Settings
from setae.warehouse import Home

HOLD = """
import sys
from pathlib import Path
from setae.lease import lease
from setae.settings import load_settings
with lease(load_settings(Path(sys.argv[1])), stage="transform"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def child_that_holds(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def grow_silent(settings: Settings) -> None:
    """Rewrite the lease as if its holder had last given a sign of life long ago."""
    path = Home(settings.home).lease
    value = json.loads(path.read_text())
    value["renewed_at"] = time.time() - value["ttl_seconds"] - 1
    path.write_text(json.dumps(value))


def test_a_second_taker_is_told_who_holds_it_and_what_to_do(settings: Settings) -> None:
    with child_that_holds(settings) as child, pytest.raises(LeaseHeld) as caught:
        with lease(settings, stage="load"):
            pass
    message = str(caught.value)
    assert f"`transform` of process {child.pid} on {socket.gethostname()}, since 20" in message
    assert "wait and run again" in message
    assert "\n" not in message
    assert caught.value.exit_code == 75


def test_the_lease_of_a_dead_process_is_taken_at_once(settings: Settings) -> None:
    with child_that_holds(settings):
        pass
    with lease(settings, stage="load") as held:
        assert held.token == 2
        held.check()


def test_a_silent_holder_is_ended_even_when_stopped(settings: Settings) -> None:
    with child_that_holds(settings) as child:
        child.send_signal(signal.SIGSTOP)
        grow_silent(settings)
        with lease(settings, stage="load") as held:
            assert held.token == 2
        assert not psutil.pid_exists(child.pid)


def test_a_live_holder_that_gives_signs_of_life_is_left_alone(settings: Settings) -> None:
    with child_that_holds(settings) as child:
        with pytest.raises(LeaseHeld), lease(settings, stage="load"):
            pass
        assert child.poll() is None


def test_a_reused_pid_is_not_the_holder(settings: Settings) -> None:
    path = Home(settings.home).lease
    with lease(settings, stage="load"):
        value = json.loads(path.read_text())
    value["process_started_at"] -= 1000
    path.write_text(json.dumps(value))
    with lease(settings, stage="load") as held:
        held.check()
    assert psutil.pid_exists(value["pid"])


def test_a_holder_that_was_taken_over_may_not_write(settings: Settings) -> None:
    path = Home(settings.home).lease
    with lease(settings, stage="load") as held:
        value = json.loads(path.read_text())
        path.write_text(json.dumps({**value, "token": value["token"] + 1, "stage": "publish"}))
        with pytest.raises(LeaseHeld, match="taken over while `load` was silent"):
            held.check()
    # What it left behind is the new holder's, untouched.
    assert json.loads(path.read_text())["stage"] == "publish"


def test_the_token_rises_over_releases(settings: Settings) -> None:
    tokens = []
    for _ in range(3):
        with lease(settings, stage="load") as held:
            tokens.append(held.token)
    assert tokens == [1, 2, 3]
    assert current_holder(settings) is None


def test_a_silent_holder_on_another_host_loses_the_lease(settings: Settings) -> None:
    path = Home(settings.home).lease
    with lease(settings, stage="load"):
        value = json.loads(path.read_text())
    far = {**value, "host": "elsewhere", "pid": 1, "renewed_at": time.time()}
    path.write_text(json.dumps(far))
    with pytest.raises(LeaseHeld, match="on elsewhere"), lease(settings, stage="load"):
        pass
    path.write_text(json.dumps({**far, "renewed_at": time.time() - 2 * far["ttl_seconds"]}))
    with lease(settings, stage="load") as held:
        assert held.token == value["token"] + 1


def test_nobody_holds_a_lease_that_was_never_taken(settings: Settings) -> None:
    assert current_holder(settings) is None
