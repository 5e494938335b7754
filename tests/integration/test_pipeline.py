"""The whole flow on the small world: same input, same bits, whatever happens on the way.

`SETAE_TEST_PERMUTATIONS=50` runs the long form of the order property (`make test-orders`).
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from setae import stages, transformation
from setae.settings import Settings
from setae.warehouse import Home, connect
from tests.integration.conftest import content_hashes, published, run_cli, small_home
from tests.worlds import small
from tests.worlds.small import Delivery

PERMUTATIONS = int(os.environ.get("SETAE_TEST_PERMUTATIONS", "1"))

KILLS = (
    ("fetch drops", ("fetch:after_data", "fetch:after_file:5")),
    ("load", ("load:after_rows:3", "load:after_commit:7")),
    ("check raw", ("check:before_status", "check:after_status")),
    ("transform", ("transform:after_node:40", "transform:after_marts_digest")),
    ("check marts", ("check:after_results", "check:after_marts")),
    ("publish", ("publish:after_copy", "publish:after_rename")),
)
"""Two kills inside each stage: its command, and where."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home that saw the small world in one run."""
    settings = small_home(tmp_path_factory.mktemp("undisturbed"))
    stages.run(settings)
    return settings


@pytest.fixture(scope="module")
def expected(undisturbed: Settings) -> dict[str, str]:
    """Content hashes of a clean single run."""
    return content_hashes(undisturbed.home)


def test_the_marts_hold_what_was_delivered(undisturbed: Settings) -> None:
    orders = [row for d in small.deliveries() if d.name.startswith("orders-") for row in d.rows]
    numbers = {row["order_id"] for row in orders}
    refunds = next(d for d in small.deliveries() if d.entity == "refunds").rows
    gross = sum(
        float(row["gross_amount"]) - 2.5
        for row in {row["order_id"]: row for row in orders}.values()
    )
    with published(undisturbed.home) as connection:
        row = connection.execute(
            "select count(*), sum(net_sales_amount) from marts.fct_orders"
        ).fetchone()
    assert row is not None
    assert row[0] == len(numbers)
    assert float(row[1]) == pytest.approx(gross - 5.0 * len(refunds), abs=1e-9)


def test_a_second_run_changes_nothing_and_says_so(
    undisturbed: Settings, expected: dict[str, str]
) -> None:
    before = (Home(undisturbed.home).serving / "current.duckdb").resolve()
    outcome = run_cli(undisturbed.home, "run")
    assert outcome.returncode == 0, outcome.stderr
    assert "unchanged" in outcome.stdout
    assert (Home(undisturbed.home).serving / "current.duckdb").resolve() == before
    assert content_hashes(undisturbed.home) == expected


def test_a_rebuild_from_landing_by_one_thread_in_another_zone_gives_the_same_bits(
    undisturbed: Settings, expected: dict[str, str]
) -> None:
    """A build from nothing beside the first: of other rows, threads and process zone."""
    before = (Home(undisturbed.home).serving / "current.duckdb").resolve()
    other = {"SETAE_THREADS": "1", "TZ": "Pacific/Apia"}
    for command in ("rebuild", "publish"):
        outcome = run_cli(undisturbed.home, command, env=other)
        assert outcome.returncode == 0, outcome.stderr
    assert (Home(undisturbed.home).serving / "current.duckdb").resolve() == before
    assert content_hashes(undisturbed.home) == expected


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(PERMUTATIONS))
def test_any_order_of_delivery_ends_in_the_same_marts(
    tmp_path: Path, expected: dict[str, str], seed: int
) -> None:
    """Each order ends with one cause of recomputation alone, so that fifty try each of them."""
    luck = random.Random(1000 + seed)
    cause = list(small.CAUSES.values())[seed % len(small.CAUSES)]
    files = small.deliveries()
    last = [delivery for delivery in files if delivery.name in cause]
    assert len(last) == len(cause)
    files += [
        Delivery(d.entity, f"twice-{d.name}", d.rows, d.raw_lines)
        for d in luck.sample(files, k=len(files) // 4)
        if d not in last
    ]
    files = [delivery for delivery in files if delivery not in last]
    luck.shuffle(files)
    settings = small_home(tmp_path / "home", [])
    parts = luck.choice((1, 1, 2))
    for number, part in enumerate([*(files[first::parts] for first in range(parts)), last]):
        for delivery in part:
            delivery.write(settings.home / "drops")
        stages.fetch(settings, source="drops")
        stages.load(settings)
        stages.check(settings, stage="raw")
        work = stages.transform(settings)
        assert work.plan.is_full_refresh == (number == 0)
    stages.check(settings, stage="marts")
    stages.publish(settings)
    assert content_hashes(settings.home) == expected


@pytest.mark.kills
@pytest.mark.timeout(1800)
def test_two_kills_inside_each_stage_end_in_the_same_bits(
    tmp_path: Path, expected: dict[str, str]
) -> None:
    settings = small_home(tmp_path / "home")
    for command, places in KILLS:
        for place in places:
            killed = run_cli(settings.home, *command.split(), failpoint=place)
            assert killed.returncode == 137, f"{place}: {killed.stderr or killed.stdout}"
        done = run_cli(settings.home, *command.split())
        assert done.returncode == 0, f"{command}: {done.stderr}"
    assert content_hashes(settings.home) == expected


def test_a_failed_gate_publishes_nothing_until_somebody_decides(
    undisturbed: Settings, expected: dict[str, str], tmp_path: Path
) -> None:
    settings = small_home(tmp_path / "home")
    shutil.copytree(undisturbed.home, settings.home, dirs_exist_ok=True, symlinks=True)
    broken = tuple(
        {"order_id": f"b{number}", "ordered_at": "2026-04-02", "currency": "EUR", "gross_amount": 1}
        for number in range(30)
    )
    Delivery("orders", "broken.ndjson", broken).write(settings.home / "drops")
    stopped = run_cli(settings.home, "run")
    assert stopped.returncode == 65, stopped.stdout + stopped.stderr
    assert len(stopped.stderr.strip().splitlines()) == 1
    assert content_hashes(settings.home) == expected

    with connect(settings) as connection:
        (file_id,) = connection.execute(
            "select file_id from ops.loaded_files where gate_status = 'failed'"
        ).fetchone() or ("",)
    nobody = run_cli(settings.home, "check", "raw", "--accept", file_id)
    assert (nobody.returncode, "--reason" in nobody.stderr) == (78, True)
    accepted = run_cli(
        settings.home, "check", "raw", "--accept", file_id, "--reason", "a test export"
    )
    assert accepted.returncode == 0, accepted.stderr
    # All its rows are in quarantine, so what is published does not change.
    assert run_cli(settings.home, "run").returncode == 0
    assert content_hashes(settings.home) == expected


def test_the_formulas_of_the_models_hold_by_hand_worked_numbers(undisturbed: Settings) -> None:
    """dbt's unit tests; they need the columns of built models, so they run beside the others."""
    home = Home(undisturbed.home)
    project = str(transformation.project_directory())
    variables = {
        "as_of": "2026-04-26 00:00:00",
        "data_through_date": "2026-04-25",
        "business_timezone": "UTC",
    }
    with transformation._environment(undisturbed):
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")),
                *("--no-use-colors", "--log-path", str(home.dbt / "unit-logs")),
                *("test", "--select", "test_type:unit", "--project-dir", project),
                *("--profiles-dir", project, "--target-path", str(home.dbt / "unit-target")),
                *("--vars", json.dumps(variables)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, done.stdout[-4000:]
    passed = re.search(r"PASS=(\d+) ", last)
    assert passed, last
    assert int(passed[1]) >= 40
