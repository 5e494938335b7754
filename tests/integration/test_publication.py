"""Publication seen from outside: a reader in its own process, kills, a full disk, a broken gate."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

import serving
from quality import gate
from serving import publications as shelf
from serving.content import content_hash
from setae.errors import GateFailed
from setae.settings import load_settings
from tests.conftest import make_home
from tests.unit.quality.conftest import RawWorld
from tests.unit.quality.test_marts import built, on_marts  # noqa: F401
from tests.unit.serving.conftest import CONFIG, MartsWorld

ROOT = Path(__file__).resolve().parents[2]

READER = """
import json, sys, time
from pathlib import Path
import duckdb

serving, stop = Path(sys.argv[1]), Path(sys.argv[2])
seen, errors, opened = set(), [], 0
first = duckdb.connect(str((serving / "current.duckdb").resolve()), read_only=True)
print("open", flush=True)

def look(connection):
    versions = connection.execute(
        "select version from marts.fct_orders union select version from marts.dim_creators"
    ).fetchall()
    runs = connection.execute("select run_id from marts.publication").fetchall()
    if len(versions) != 1 or len(runs) != 1:
        errors.append(f"mixed: {versions} {runs}")
    return versions[0][0]

started = look(first)
while not stop.exists():
    try:
        with duckdb.connect(str((serving / "current.duckdb").resolve()), read_only=True) as now:
            seen.add(look(now))
        folder = (serving / "current").resolve()
        rows = duckdb.execute(
            f"select version from '{folder}/fct_orders.parquet' union "
            f"select version from '{folder}/dim_creators.parquet'"
        ).fetchall()
        if len(rows) != 1:
            errors.append(f"mixed Parquet: {rows}")
        if look(first) != started:
            errors.append("an open reader lost its publication")
        opened += 1
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
print(json.dumps({"seen": sorted(seen), "errors": errors, "opened": opened}))
"""

PUBLISHER = """
import sys
from pathlib import Path
from serving.publish import publish
from setae.errors import SetaeError
from setae.lease import lease
from setae.settings import load_settings

settings = load_settings(Path(sys.argv[1]))
try:
    with lease(settings, stage="publish") as held:
        print(publish(settings, lease=held).run_id)
except SetaeError as error:
    print(error, file=sys.stderr)
    raise SystemExit(error.exit_code)
"""


@pytest.fixture
def marts(tmp_path: Path) -> MartsWorld:
    return MartsWorld(make_home(tmp_path / "home", CONFIG))


def publish_apart(
    marts: MartsWorld, *, failpoint: str | None = None, file_limit: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Publish in a process of its own, which may be killed or run out of disk."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if failpoint:
        environment["SETAE_FAILPOINT"] = failpoint
    return subprocess.run(
        [sys.executable, "-c", PUBLISHER, str(marts.settings.home)],
        env=environment,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_reader_sees_ten_publications_whole(marts: MartsWorld, tmp_path: Path) -> None:
    marts.publish(1)
    stop = tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(marts.serving), str(stop)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "open\n"
    for version in range(2, 12):
        marts.publish(version)
    time.sleep(0.5)  # one more look at the last one
    stop.touch()
    outcome = json.loads(reader.communicate(timeout=60)[0])
    assert outcome["errors"] == []
    assert outcome["opened"] > 10
    assert len(outcome["seen"]) > 2
    assert max(outcome["seen"]) == 11


@pytest.fixture(scope="module")
def three_published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three publications, as many as are kept, and a fourth ready."""
    marts = MartsWorld(make_home(tmp_path_factory.mktemp("three") / "home", CONFIG))
    for version in (1, 2, 3):
        marts.publish(version)
    marts.build(4)
    return marts.settings.home


def failpoints() -> list[str]:
    """Every fail point of publishing, as the code has them."""
    folder = Path(serving.__file__).parent
    found = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r'failpoint\("(publish:[a-z_]+)"\)', path.read_text())
    }
    return sorted(found - {"publish:after_withdraw"})  # only rollback passes that one


@pytest.mark.parametrize("place", failpoints())
def test_a_kill_anywhere_leaves_the_old_or_the_new_and_a_rerun_ends_alike(
    three_published: Path, tmp_path: Path, place: str
) -> None:
    shutil.copytree(three_published, tmp_path / "home", symlinks=True)
    marts = MartsWorld(load_settings(tmp_path / "home"))
    before = (marts.serving / "current.duckdb").resolve().name
    with duckdb.connect(str(marts.home.marts), read_only=True) as connection:
        expected = content_hash(connection).content_hash
    killed = publish_apart(marts, failpoint=place)
    assert killed.returncode == 137, f"{killed.stdout}{killed.stderr}"
    moved = (marts.serving / "current.duckdb").resolve().name != before
    assert marts.read() == (4 if moved else 3)
    again = publish_apart(marts)
    assert again.returncode == 0, again.stderr
    assert marts.read() == 4
    now = shelf.current(marts.serving)
    assert now is not None
    assert now.content_hash == expected
    assert shelf.damaged_files(marts.serving, now) == ()
    assert str((marts.serving / "current").readlink()) == now.name
    kept = {publication.name for publication in shelf.publications(marts.serving)}
    stray = {
        name
        for name in marts.names() - {"current", "current.duckdb", "ledger.duckdb"}
        if name.split(".")[0] not in kept
    }
    assert stray == set()


def test_a_kill_inside_rollback_is_finished_by_the_next(marts: MartsWorld) -> None:
    for version in (1, 2):
        marts.publish(version)
    script = PUBLISHER.replace("import publish", "import rollback as publish")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, str(marts.settings.home)]
    for place in ("publish:after_withdraw", "publish:before_pointer"):
        environment["SETAE_FAILPOINT"] = place
        killed = subprocess.run(command, env=environment, check=False, timeout=120)
        assert killed.returncode == 137
        assert marts.read() == 2
    del environment["SETAE_FAILPOINT"]
    assert subprocess.run(command, env=environment, check=False, timeout=120).returncode == 0
    assert marts.read() == 1


@pytest.mark.parametrize("kilobytes", [8, 64, 512])
def test_a_full_disk_is_one_line_and_changes_nothing(marts: MartsWorld, kilobytes: int) -> None:
    marts.publish(1)
    before = marts.names()
    marts.build(2)
    full = publish_apart(marts, file_limit=kilobytes * 1024)
    assert full.returncode == 74, f"{full.stdout}{full.stderr}"
    assert len(full.stderr.strip().splitlines()) == 1
    assert marts.names() == before
    assert marts.read() == 1
    assert publish_apart(marts).returncode == 0
    assert marts.read() == 2


def test_a_broken_gate_publishes_nothing(built: RawWorld) -> None:  # noqa: F811
    marts = MartsWorld(built.settings)
    assert gate.check_marts(built.settings).passed
    assert marts.publish().changed
    published = (marts.serving / "current.duckdb").resolve()
    on_marts(
        built,
        "update m.build_state.build set build_digest = 'build-2'; "
        "delete from m.marts.fct_orders where order_key = 'd:1'",
    )
    report = gate.check_marts(built.settings)
    assert not report.passed
    with pytest.raises(GateFailed, match="failed on this build"):
        marts.publish()
    assert (marts.serving / "current.duckdb").resolve() == published
    assert len(shelf.publications(marts.serving)) == 1
