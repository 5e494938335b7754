"""Landing → raw: never a row lost, never one twice, and the ledger says which."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import duckdb
import pytest

from setae import stages, transformation
from setae.errors import LeaseHeld, StorageError
from setae.settings import Settings
from setae.warehouse import Home, connect
from tests.integration.conftest import run_cli, small_home
from tests.worlds import small
from tests.worlds.small import Delivery


def fetch_and_load(settings: Settings) -> stages.LoadResult:
    stages.fetch(settings, source="drops")
    return stages.load(settings)


def raw_state(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """Every raw table's keys, versions and parking, without lineage that names files."""
    state = {}
    with connect(settings) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where schema_name like 'raw%' order by all"
        ).fetchall()
        for schema, table in tables:
            state[f"{schema}.{table}"] = connection.execute(
                "select _record_key, _record_hash, _is_parked "
                f'from "{schema}"."{table}" order by all'
            ).fetchall()
    return state


def ledger_counts(settings: Settings) -> list[tuple[object, ...]]:
    with connect(settings) as connection:
        return connection.execute(
            "select file_id, received_count, loaded_count, duplicate_count, quarantined_count, "
            "erased_count from ops.loaded_files order by file_id"
        ).fetchall()


def assert_identity(settings: Settings) -> None:
    for file_id, received, loaded, duplicate, quarantined, erased in ledger_counts(settings):
        assert received == loaded + duplicate + quarantined + erased, file_id


def test_each_record_is_loaded_once_and_the_counts_add_up(world: Settings) -> None:
    result = fetch_and_load(world)
    # Worked from the deliveries: events[0] lies in two files; a line without JSON and a time
    # without an offset are rejected; nothing else repeats.
    received = sum(len(d.rows) + len(d.raw_lines) for d in small.deliveries())
    assert result.received == received
    assert result.duplicate == 1
    assert result.quarantined == 2
    assert result.loaded == received - 3
    assert_identity(world)


def test_loading_again_is_a_no_op(world: Settings) -> None:
    fetch_and_load(world)
    before = raw_state(world)
    again = fetch_and_load(world)
    assert again.files == ()
    assert raw_state(world) == before


def test_the_same_file_under_another_name_holds_only_duplicates(world: Settings) -> None:
    fetch_and_load(world)
    before = raw_state(world)
    orders = next(d for d in small.deliveries() if d.name == "orders-1.ndjson")
    orders.write(world.home / "drops", prefix="again-")
    result = fetch_and_load(world)
    assert (result.received, result.loaded, result.duplicate) == (
        len(orders.rows),
        0,
        len(orders.rows),
    )
    assert raw_state(world) == before
    assert_identity(world)


@pytest.fixture(scope="module")
def delivered_in_order(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home that loaded the whole small world at once."""
    settings = small_home(tmp_path_factory.mktemp("in-order") / "home")
    fetch_and_load(settings)
    return settings


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_delivery_ends_in_the_same_raw_rows(
    tmp_path: Path, delivered_in_order: Settings, seed: int
) -> None:
    luck = random.Random(seed)
    files = small.deliveries()
    files += [
        Delivery(d.entity, f"twice-{d.name}", d.rows, d.raw_lines)
        for d in luck.sample(files, k=len(files) // 3)
    ]
    luck.shuffle(files)
    shuffled = small_home(tmp_path / "shuffled", [])
    while files:
        for delivery in [files.pop() for _ in range(min(len(files), luck.randint(1, 6)))]:
            delivery.write(shuffled.home / "drops")
        fetch_and_load(shuffled)
        assert_identity(shuffled)
    assert raw_state(shuffled) == raw_state(delivered_in_order)


def test_a_line_waits_for_its_order_and_the_order_releases_it(tmp_path: Path) -> None:
    files = small.deliveries()
    lines = [d for d in files if d.entity == "order_lines"]
    settings = small_home(tmp_path / "home", lines)
    first = fetch_and_load(settings)
    assert (first.loaded, first.quarantined) == (0, 58)
    with connect(settings) as connection:
        row = connection.execute(
            "select count(*), count(distinct line) filter (where rule = 'Q12') "
            "from ops.quarantine_records where status = 'open'"
        ).fetchone()
    assert row == (58, 29)

    for delivery in files:
        if delivery.entity == "orders":
            delivery.write(settings.home / "drops")
    second = fetch_and_load(settings)
    assert second.unparked == 58
    assert_identity(settings)
    with connect(settings) as connection:
        assert connection.execute(
            "select count(*) from raw_drops.order_lines where _is_parked"
        ).fetchone() == (0,)
        assert connection.execute(
            "select distinct status from ops.quarantine_records where rule = 'Q12'"
        ).fetchall() == [("released",)]


@pytest.mark.parametrize(
    "place", ["after_rows", "after_rejects", "before_commit", "after_commit:2"]
)
def test_a_kill_inside_load_loses_and_doubles_nothing(
    place: str, world: Settings, delivered_in_order: Settings
) -> None:
    stages.fetch(world, source="drops")
    killed = run_cli(world.home, "load", failpoint=f"load:{place}")
    assert killed.returncode == 137, killed.stderr
    stages.load(world)
    assert raw_state(world) == raw_state(delivered_in_order)
    assert ledger_counts(world) == ledger_counts(delivered_in_order)


def test_the_zone_of_the_process_does_not_show(
    world: Settings, delivered_in_order: Settings
) -> None:
    for command in ("fetch drops", "load"):
        done = run_cli(world.home, *command.split(), env={"TZ": "Pacific/Apia"})
        assert done.returncode == 0, done.stderr
    assert raw_state(world) == raw_state(delivered_in_order)
    assert ledger_counts(world) == ledger_counts(delivered_in_order)


def test_files_that_an_older_warehouse_lacks_are_loaded_again(
    world: Settings, tmp_path: Path
) -> None:
    """As after DuckDB opened a log that was cut short, or a backup was put back."""
    stages.load(world)
    home = Home(world.home)
    shutil.copy(home.warehouse, tmp_path / "older.duckdb")
    fetch_and_load(world)
    expected = raw_state(world)
    shutil.copy(tmp_path / "older.duckdb", home.warehouse)
    stages.load(world)
    assert raw_state(world) == expected


def test_a_damaged_warehouse_is_set_aside_and_loaded_again(world: Settings) -> None:
    fetch_and_load(world)
    expected = raw_state(world)
    home = Home(world.home)
    content = bytearray(home.warehouse.read_bytes())
    for position in range(0, len(content), 4096):
        content[position] ^= 0xFF
    home.warehouse.write_bytes(bytes(content))
    result = stages.load(world)
    assert result.received > 0
    assert raw_state(world) == expected
    assert [path.name for path in home.damaged.glob("*/*")] == ["warehouse.duckdb"]
    with connect(world) as connection:
        (message,) = connection.execute("select message from ops.incidents").fetchone() or ("",)
    assert "damaged" in message


def test_damaged_marts_are_set_aside_and_all_is_built_anew(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_and_load(world)
    stages.check(world, stage="raw")
    home = Home(world.home)
    home.marts.write_bytes(b"no database" * 1000)
    plans = []

    def build(
        settings: Settings, work: transformation.Plan, **_: object
    ) -> transformation.TransformResult:
        plans.append(work)
        return transformation.TransformResult(plan=work, models=(), nodes={})

    # What a build makes is asked elsewhere; here, whether it has a clean place for it.
    monkeypatch.setattr(transformation, "build", build)
    stages.transform(world)
    assert [plan.is_full_refresh for plan in plans] == [True]
    assert not home.marts.exists()
    assert [path.name for path in home.damaged.glob("*/*")] == ["marts.duckdb"]
    with connect(world) as connection:
        incidents = connection.execute("select stage, message from ops.incidents").fetchall()
    assert len(incidents) == 1
    assert incidents[0][0] == "transform"
    assert str(home.marts) in incidents[0][1]


def test_a_landed_file_that_changed_stops_the_load(world: Settings) -> None:
    stages.fetch(world, source="drops")
    path = next((Home(world.home).landing / "drops" / "orders").glob("*.parquet"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(StorageError) as caught:
        stages.load(world)
    assert path.stem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_holder_that_was_taken_over_commits_nothing(
    world: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion import loader

    stages.fetch(world, source="drops")
    path = Home(world.home).lease
    original = loader._insert_rejects

    def take_over(*arguments: object) -> int:
        value = json.loads(path.read_text())
        path.write_text(json.dumps({**value, "token": value["token"] + 1}))
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(loader, "_insert_rejects", take_over)
    with pytest.raises(LeaseHeld, match="taken over"):
        stages.load(world)
    path.unlink()
    assert ledger_counts(world) == []


def test_the_warehouse_opens_in_clients_of_the_pinned_format(world: Settings) -> None:
    fetch_and_load(world)
    with duckdb.connect(str(Home(world.home).warehouse), read_only=True) as connection:
        (tags,) = connection.execute(
            "select tags from duckdb_databases() where database_name = 'warehouse'"
        ).fetchone() or ({},)
    assert tags["storage_version"].startswith("v1.4")
