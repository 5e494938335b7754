"""Killed at random moments and run again, a home ends in the hash of a run nobody disturbed.

`make test-kills` (twenty minutes of two cores; `KILLS=20` by default), on the world of `make demo`.
Half of the kills count work: the process ends at a fail point drawn from those the undisturbed run
passed, every stage as likely as any other, so that a failure can be repeated (`SETAE_TEST_SEED`).
The other half are SIGKILLs of the whole process group at a moment of the clock, wherever the run is
then, inside dbt or DuckDB too. Some homes are killed a second time on their way to the end.

Files are dropped, orders are pulled from the world's shop, which the test serves. Some kills take
the worker's disk with them: all that a fetch from the shop had in its working folder.

A kill does not always begin with nothing: homes are prepared once in several states and copied, as
they are after the drops are fetched, after a load, after a build, or with half of the shop's days
and half of the files of those days long published.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ingestion.synthetic.scenario import preset
from ingestion.synthetic.shopify import server
from ingestion.synthetic.world import generate
from setae.warehouse import Home
from tests.conftest import make_home
from tests.integration.conftest import content_hashes

pytestmark = [pytest.mark.kills, pytest.mark.timeout(7200)]

KILLS = int(os.environ.get("SETAE_TEST_KILLS", "20"))
SEED = int(os.environ.get("SETAE_TEST_SEED", "1"))
SCENARIO = os.environ.get("SETAE_TEST_SCENARIO", "demo")
AT_ONCE = 2

STEPS = (
    ("fetch", "drops"),
    ("fetch", "shopify"),
    ("load",),
    ("check", "raw"),
    ("transform",),
    ("check", "marts"),
    ("publish",),
)
STATES = {"dropped": 1, "loaded": 3, "built": 5}
"""Names of states, and how many of the steps are behind them."""

CONFIG = """
as_of = {as_of}
business_timezone = "Europe/Berlin"
reporting_currency = "USD"
threads = 1
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
account = "demo"
currency = "EUR"
folder = "{folder}"

[sources.shopify]
kind = "shopify"
account = "demo"
url = "{url}"
"""

_ENTRY = "from setae.cli import main; main()"


@dataclass(frozen=True)
class State:
    """A home to begin with, and what an undisturbed way from there to the end is like.

    Attributes:
        home: To copy.
        passages: Names of the fail points passed on the way, in order.
        seconds: How long it takes.
    """

    home: Path
    passages: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Kill:
    """One plan: where to begin, and the moments to kill at, one after another.

    Attributes:
        moments: `<stage>:any:<n>`, or a share of the undisturbed way's seconds.
        loses_disk: Whether the working folders of what was killed are gone.
    """

    number: int
    state: str
    moments: tuple[str | float, ...]
    loses_disk: bool

    def __str__(self) -> str:
        moments = " and ".join(
            one if isinstance(one, str) else f"{one:.0%} of its seconds" for one in self.moments
        )
        lost = ", the disk lost" if self.loses_disk else ""
        return f"kill {self.number} of seed {SEED}, {self.state}, at {moments}{lost}"


class World:
    """The files, the shop, the states to begin from, and what the end must look like."""

    def __init__(self, place: Path, running: ExitStack) -> None:
        self.place = place
        self.states: dict[str, State] = {}
        scenario = preset(SCENARIO)
        made = generate(scenario, place / "world", shop="shopify")
        self.all, self.half = made.folder / "drops", place / "half of the files of half the days"
        self.as_of = made.as_of
        middle = datetime.fromisoformat(made.as_of) - timedelta(days=scenario.days // 2)
        shop, _ = server.open_world(made.folder, plan="plus")
        young, _ = server.open_world(made.folder, plan="plus", now=middle)
        self.url, self.young_url = (running.enter_context(server.run(one)) for one in (shop, young))
        self.token = shop.token
        self.middle = middle.isoformat()
        known = [path for path in self.all.glob("*/*") if path.name[:10] <= self.middle[:10]]
        for path in sorted(known)[::2]:
            copy = self.half / path.relative_to(self.all)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.hardlink_to(path)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            walked, other = pool.submit(self._walk), pool.submit(self._half)
        home = walked.result()
        self.expected, self.dropped = content_hashes(home), dropped_files(home)
        self.loaded = loaded_records(home)
        assert content_hashes(other.result()) == self.expected

    def _walk(self) -> Path:
        """One undisturbed run, step by step; a copy is kept where a state begins."""
        home = self._home("home")
        self._deliver(home, self.all, self.url)
        kept = {0: self._keep("fresh", home)}
        passages, seconds = [], []
        for number, step in enumerate(STEPS, start=1):
            passed, spent = self._run(home, *step)
            passages.append(passed)
            seconds.append(spent)
            for name in (name for name, steps in STATES.items() if steps == number):
                kept[number] = self._keep(name, home)
        for number, copy in kept.items():
            rest = tuple(name for passed in passages[number:] for name in passed)
            self.states[copy.name] = State(copy, rest, sum(seconds[number:]))
        return home

    def _half(self) -> Path:
        """Half of what was known then published long ago, the rest new: another way to the end."""
        home = self._home("half published")
        self._deliver(home, self.half, self.young_url, as_of=self.middle)
        self._run(home, "run")
        self._deliver(home, self.all, self.url)
        kept = self._keep("half of it", home)
        self.states[kept.name] = State(kept, *self._run(home, "run"))
        return home

    def _home(self, name: str) -> Path:
        return make_home(self.place / name).home

    def _deliver(self, home: Path, files: Path, url: str, *, as_of: str | None = None) -> None:
        """Point the sources outside, so that a copy of a home is small."""
        text = CONFIG.format(as_of=as_of or self.as_of, folder=files, url=url)
        (home / "setae.toml").write_text(text)

    def _keep(self, name: str, home: Path) -> Path:
        return Path(shutil.copytree(home, self.place / name, symlinks=True))

    def _run(self, home: Path, *command: str) -> tuple[tuple[str, ...], float]:
        """Run a command to its end: fail points passed, seconds."""
        log = self.place / f"passages of {home.name}"
        log.write_text("")
        began = time.monotonic()
        done = self.start(home, *command, SETAE_FAILPOINT_LOG=str(log))
        output, _ = done.communicate(timeout=1200)
        assert done.returncode == 0, output
        return tuple(log.read_text().splitlines()), time.monotonic() - began

    def start(self, home: Path, *command: str, **variables: str) -> subprocess.Popen[str]:
        """`setae <command>` on a home, in a process group of its own."""
        known = {"SETAE_HOME": str(home), "SETAE_SOURCES__SHOPIFY__TOKEN": self.token}
        return subprocess.Popen(
            [sys.executable, "-c", _ENTRY, *command],
            env={**os.environ, **known, "NO_COLOR": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def dropped_files(home: Path) -> list[tuple[object, ...]]:
    """Counts of each dropped file; in each file, what was received is accounted for."""
    with duckdb.connect(str(Home(home).warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select file_id, source, received_count, loaded_count, duplicate_count, "
            "quarantined_count, erased_count, gate_status from ops.loaded_files order by file_id"
        ).fetchall()
    for file_id, _, received, loaded, duplicate, quarantined, erased, _ in rows:
        assert received == loaded + duplicate + quarantined + erased, file_id
    return [row for row in rows if row[1] == "drops"]


def loaded_records(home: Path) -> list[tuple[object, ...]]:
    """Records of each entity of the shop's: a killed fetch may land some again, in another file."""
    with duckdb.connect(str(Home(home).warehouse), read_only=True) as connection:
        return connection.execute(
            "select entity, sum(loaded_count) from ops.loaded_files where source = 'shopify' "
            "group by entity order by entity"
        ).fetchall()


def plans(world: World) -> Iterator[Kill]:
    """The kills of this seed: by work and by the clock in turn, every third home killed twice."""
    luck = random.Random(SEED)
    names = sorted(world.states)
    for number in range(KILLS):
        by_work = number % 2 == 0
        state = names[number // 2 % len(names)]
        moments = [_moment(luck, world.states[state], by_work=by_work)]
        if number % 3 == 2:
            moments.append(_moment(luck, world.states[state], by_work=by_work))
        yield Kill(number, state, tuple(moments), loses_disk=luck.random() < 0.5)


def _moment(luck: random.Random, way: State, *, by_work: bool) -> str | float:
    if not by_work:
        return luck.random()
    stages_left = [name.partition(":")[0] for name in way.passages]
    stage = luck.choice(sorted(set(stages_left)))
    return f"{stage}:any:{luck.randint(1, stages_left.count(stage))}"


def carry_out(world: World, kill: Kill) -> str:
    """Kill a copy as planned, run it to the end, compare; says where it was killed."""
    state = world.states[kill.state]
    home = world.place / f"kill-{kill.number}"
    shutil.copytree(state.home, home, symlinks=True)
    try:
        places = [_kill(world, home, moment, state) for moment in kill.moments]
        if kill.loses_disk:
            shutil.rmtree(Home(home).extracts, ignore_errors=True)
        finish = world.start(home, "run")
        output, _ = finish.communicate(timeout=1200)
        assert finish.returncode == 0, f"{kill}: the run after it failed: {output}"
        hashes = content_hashes(home)
        differing = sorted(
            name for name in world.expected if hashes.get(name) != world.expected[name]
        )
        assert not differing, f"{kill}: {differing} differ"
        dropped = dropped_files(home)
        if kill.state != "half of it":  # there another file may hold the first of two
            assert dropped == world.dropped, f"{kill}: the ledger differs"
            assert loaded_records(home) == world.loaded, f"{kill}: the shop's records differ"
        return f"{kill}: {', then '.join(places)}"
    finally:
        shutil.rmtree(home)


def _kill(world: World, home: Path, moment: str | float, state: State) -> str:
    """Kill one run; returns where it was, in words.

    A run can be over before its moment: the machine is quicker than when the way was measured, or
    the kill before left less to do. Then the same home is killed earlier.
    """
    log, before = home / "passages", home.with_name(f"{home.name} before")
    shutil.copytree(home, before, symlinks=True)
    share = 1.0
    while True:
        log.unlink(missing_ok=True)
        if isinstance(moment, str):
            stage, _, count = moment.split(":")
            target = f"{stage}:any:{max(1, round(int(count) * share))}"
            run = world.start(home, "run", SETAE_FAILPOINT=target, SETAE_FAILPOINT_LOG=str(log))
            output, _ = run.communicate(timeout=1200)
        else:
            run = world.start(home, "run", SETAE_FAILPOINT_LOG=str(log))
            try:
                output, _ = run.communicate(timeout=moment * share * state.seconds)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                output, _ = run.communicate(timeout=60)
        if run.returncode in (137, -signal.SIGKILL):
            break
        assert run.returncode == 0, output
        if share < 0.05:  # nothing of that stage was left to do
            break
        share *= 0.5
        shutil.rmtree(home)
        shutil.copytree(before, home, symlinks=True)
    shutil.rmtree(before)
    if run.returncode == 0:
        return "over before"
    passed = log.read_text().splitlines() if log.exists() else []
    if not passed:
        return "killed at its beginning"
    return f"killed {len(passed)} fail points in, after {passed[-1]}"


def processor_seconds() -> float:
    """CPU of all runs so far, which does not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def say(line: str) -> None:
    """`make test-kills` shows what pytest captures otherwise."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def test_a_home_killed_at_random_moments_ends_like_one_that_was_not(tmp_path: Path) -> None:
    with ExitStack() as running:
        world = World(tmp_path, running)
        for name, state in world.states.items():
            say(f"undisturbed, {name}: {len(state.passages)} fail points, {state.seconds:.0f} s")
        say(f"{processor_seconds():.0f} s of CPU to make the states")
        began, told = time.monotonic(), []
        pool = running.enter_context(ThreadPoolExecutor(AT_ONCE))
        for line in pool.map(lambda kill: carry_out(world, kill), plans(world)):
            say(f"{time.monotonic() - began:5.0f} s, {processor_seconds():5.0f} s of CPU  {line}")
            told.append(line)
    assert len(told) == KILLS
