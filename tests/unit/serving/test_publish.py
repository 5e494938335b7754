"""Publishing: what readers get, what stays, what goes back."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
from pathlib import Path

import duckdb
import pytest

from serving import publications as shelf
from serving.ledger import ledger_path
from serving.publish import BUILD_SCHEMA, current, rollback, verify
from setae import transformation
from setae.errors import DataError, GateFailed, StorageError
from setae.lease import Lease
from tests.unit.serving.conftest import MartsWorld

FIRST = "20260401T123000Z-0001"
SECOND = "20260401T123000Z-0002"


def test_a_publication_is_complete(marts: MartsWorld) -> None:
    result = marts.publish(7)
    assert (result.run_id, result.changed) == (FIRST, True)
    assert marts.names() == {
        f"marts-{FIRST}.duckdb",
        f"marts-{FIRST}",
        f"marts-{FIRST}.json",
        "current.duckdb",
        "current",
        "ledger.duckdb",
    }
    assert str((marts.serving / "current.duckdb").readlink()) == f"marts-{FIRST}.duckdb"
    assert str((marts.serving / "current").readlink()) == f"marts-{FIRST}"
    assert marts.read() == 7
    parquet = marts.serving / "current"
    assert sorted(path.name for path in parquet.iterdir()) == [
        "dim_creators.parquet",
        "fct_orders.parquet",
        "publication.parquet",
    ]
    row = duckdb.execute(f"select count(*), max(version) from '{parquet}/fct_orders.parquet'")
    assert row.fetchone() == (100, 7)


def test_published_files_are_read_only_and_described(marts: MartsWorld) -> None:
    marts.publish(1)
    manifest = json.loads((marts.serving / f"marts-{FIRST}.json").read_text())
    assert manifest["row_counts"] == {"dim_creators": 1, "fct_orders": 100}
    assert len(manifest["files"]) == 4
    for file in manifest["files"]:
        path = marts.serving / file["path"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]


def test_the_publication_table_says_what_is_in_the_file(marts: MartsWorld) -> None:
    result = marts.publish(1)
    path = (marts.serving / "current.duckdb").resolve()
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select run_id, as_of::varchar, data_through_date::varchar, contract_version, "
            "content_hash, table_count, row_count, row_counts, gate_passed_count "
            "from marts.publication"
        ).fetchall()
        undocumented = connection.execute(
            "select column_name from duckdb_columns() "
            "where table_name = 'publication' and comment is null"
        ).fetchall()
        schemas = connection.execute(
            "select distinct schema_name from duckdb_tables() "
            "where database_name = current_database()"
        ).fetchall()
    assert rows == [
        (FIRST, "2026-04-01 12:30:00", "2026-03-31", "1.0", result.content_hash, 2, 101,
         {"dim_creators": 1, "fct_orders": 100}, 1)
    ]  # fmt: skip
    assert undocumented == []
    assert schemas == [("marts",)]


def test_the_build_record_is_where_transform_leaves_it() -> None:
    assert BUILD_SCHEMA == transformation.BUILD_SCHEMA


def test_the_same_content_is_not_published_again(marts: MartsWorld) -> None:
    marts.publish(1)
    before = marts.names()
    again = marts.publish(1)
    assert (again.run_id, again.changed) == (FIRST, False)
    assert "nothing changed" in again.reason
    assert marts.names() == before


def test_run_ids_rise_whatever_happened_before(marts: MartsWorld, held: Lease) -> None:
    marts.build(1)
    run_ids = []
    from serving.publish import publish

    for version in (1, 2, 3, 4, 5):
        marts.build(version)
        run_ids.append(publish(marts.settings, lease=held).run_id)
    assert [run_id.rsplit("-", 1)[1] for run_id in run_ids] == [
        "0001",
        "0002",
        "0003",
        "0004",
        "0005",
    ]
    rollback(marts.settings, lease=held)
    marts.build(6)
    assert publish(marts.settings, lease=held).run_id.endswith("-0006")


def test_the_newest_are_kept_and_old_readers_lose_nothing(marts: MartsWorld) -> None:
    for version in range(1, 6):
        result = marts.publish(version)
    kept = [publication.sequence for publication in shelf.publications(marts.serving)]
    assert kept == [3, 4, 5]
    assert len(result.removed) == 1
    assert f"marts-{FIRST}" not in marts.names()


@pytest.mark.parametrize(
    ("outcome", "severity", "allowed"),
    [
        ("passed", "error", True),
        ("failed", "warn", True),
        ("no_history", "error", True),
        ("failed", "error", False),
    ],
)
def test_only_what_the_gate_let_through_is_published(
    marts: MartsWorld, outcome: str, severity: str, allowed: bool
) -> None:
    marts.build(1, outcome=outcome, severity=severity)
    if allowed:
        assert marts.publish().changed
        return
    with pytest.raises(GateFailed, match="a_check failed on this build"):
        marts.publish()
    assert "current.duckdb" not in marts.names()


def test_a_build_no_gate_has_seen_is_not_published(marts: MartsWorld) -> None:
    marts.publish(1)
    marts.build(2)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{marts.home.marts}' as m")
        connection.execute("update m.build_state.build set build_digest = 'another'")
    with pytest.raises(GateFailed, match="no gate has judged this build"):
        marts.publish()
    assert marts.read() == 1


def test_the_newest_judgement_counts(marts: MartsWorld) -> None:
    marts.build(1, outcome="failed")
    marts.judge("build-1", outcome="passed")
    assert marts.publish().changed


def test_an_unfinished_build_is_not_published(marts: MartsWorld) -> None:
    with pytest.raises(DataError, match="no marts yet"):
        marts.publish()
    marts.build(1)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{marts.home.marts}' as m")
        connection.execute("drop schema m.build_state cascade")
    with pytest.raises(DataError, match="did not finish"):
        marts.publish()


def test_what_a_killed_build_left_is_neither_hashed_nor_published(marts: MartsWorld) -> None:
    marts.publish(1)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{marts.home.marts}' as m")
        connection.execute("create table m.marts.fct_orders__dbt_tmp as select 1 as one")
    assert not marts.publish().changed
    marts.publish(2)
    with duckdb.connect(str((marts.serving / "current.duckdb").resolve())) as connection:
        names = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert ("fct_orders__dbt_tmp",) not in names


def test_rollback_goes_back_and_stays_back(marts: MartsWorld, held: Lease) -> None:
    from serving.publish import publish

    for version in (1, 2):
        marts.build(version)
        publish(marts.settings, lease=held)
    back = rollback(marts.settings, lease=held)
    assert (back.run_id, back.changed, marts.read()) == (FIRST, True, 1)
    assert str((marts.serving / "current").readlink()) == f"marts-{FIRST}"
    # the same content does not come back by itself ...
    again = publish(marts.settings, lease=held)
    assert (again.run_id, again.changed, marts.read()) == (FIRST, False, 1)
    assert SECOND in again.reason
    # ... other content does
    marts.build(3)
    assert publish(marts.settings, lease=held).changed
    assert marts.read() == 3


def test_one_can_go_forward_again(marts: MartsWorld, held: Lease) -> None:
    from serving.publish import publish

    for version in (1, 2):
        marts.build(version)
        publish(marts.settings, lease=held)
    rollback(marts.settings, lease=held)
    forward = rollback(marts.settings, lease=held, to=SECOND)
    assert (forward.run_id, marts.read()) == (SECOND, 2)
    assert not publish(marts.settings, lease=held).changed
    assert f"marts-{SECOND}.withdrawn" not in marts.names()
    with pytest.raises(DataError, match="there are: "):
        rollback(marts.settings, lease=held, to="nonsense")


def test_rollback_passes_over_a_damaged_one(marts: MartsWorld, held: Lease) -> None:
    from serving.publish import publish

    for version in (1, 2, 3):
        marts.build(version)
        publish(marts.settings, lease=held)
    damage(marts.serving / f"marts-{SECOND}.duckdb")
    back = rollback(marts.settings, lease=held)
    assert (back.run_id, back.damaged, marts.read()) == (FIRST, (SECOND,), 1)
    assert (marts.home.damaged / f"marts-{SECOND}.duckdb").exists()


def test_rollback_needs_something_to_go_back_to(marts: MartsWorld, held: Lease) -> None:
    with pytest.raises(DataError, match="nothing is published yet"):
        rollback(marts.settings, lease=held)
    from serving.publish import publish

    marts.build(1)
    publish(marts.settings, lease=held)
    with pytest.raises(DataError, match="nothing to go back to"):
        rollback(marts.settings, lease=held)
    assert marts.read() == 1


def damage(path: Path) -> None:
    """Flip one bit in the middle of a published file."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_verify_goes_back_from_a_damaged_file_and_publish_mends(
    marts: MartsWorld, held: Lease
) -> None:
    from serving.publish import publish

    for version in (1, 2):
        marts.build(version)
        publish(marts.settings, lease=held)
    assert verify(marts.settings, lease=held).damaged == ()
    damage(marts.serving / f"marts-{SECOND}.duckdb")
    found = verify(marts.settings, lease=held)
    assert found.damaged == (f"marts-{SECOND}.duckdb",)
    assert (found.rolled_back_to, marts.read()) == (FIRST, 1)
    mended = publish(marts.settings, lease=held)
    assert (mended.run_id.rsplit("-", 1)[1], mended.changed, marts.read()) == ("0003", True, 2)


def test_publish_replaces_a_damaged_current_one(marts: MartsWorld) -> None:
    marts.publish(1)
    damage(marts.serving / f"marts-{FIRST}" / "fct_orders.parquet")
    again = marts.publish(1)
    assert (again.run_id, again.changed) == (SECOND, True)


def test_verify_without_anything_to_go_back_to_says_what_to_do(
    marts: MartsWorld, held: Lease
) -> None:
    from serving.publish import publish

    marts.build(1)
    publish(marts.settings, lease=held)
    (marts.serving / f"marts-{FIRST}.duckdb").unlink()
    with pytest.raises(StorageError, match="no intact publication before it"):
        verify(marts.settings, lease=held)


def test_too_little_space_is_seen_before_anything_is_written(
    marts: MartsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts.publish(1)
    before = marts.names()
    marts.build(2)
    usage = shutil.disk_usage(marts.serving)._replace(free=10 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="10 MiB free") as caught:
        marts.publish()
    assert "\n" not in str(caught.value)
    assert marts.names() == before
    assert marts.read() == 1


@pytest.mark.parametrize("error", [OSError(28, "No space left"), OSError(13, "denied")])
def test_a_failing_disk_leaves_readers_what_they_had(
    marts: MartsWorld, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    marts.publish(1)
    before = marts.names()
    marts.build(2)

    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(shelf, "make_durable", fail)
    with pytest.raises(StorageError) as caught:
        marts.publish()
    assert "\n" not in str(caught.value)
    assert marts.names() == before
    assert marts.read() == 1


def test_half_a_publication_is_swept(marts: MartsWorld) -> None:
    marts.publish(1)
    before = marts.names()
    (marts.serving / "marts-20260401T000000Z-0009.duckdb").touch()
    (marts.serving / "marts-20260401T000000Z-0009").mkdir()
    (marts.serving / ".tmp-1-marts.duckdb").touch()
    (marts.serving / "notes.txt").touch()
    marts.publish()
    assert marts.names() == {*before, "notes.txt"}


def test_the_ledger_copy_remembers_every_publication(marts: MartsWorld) -> None:
    for version in range(1, 6):
        marts.publish(version)
    with duckdb.connect(str(ledger_path(marts.settings)), read_only=True) as connection:
        rows = connection.execute(
            "select run_id[-4:], is_current, is_on_disk from ops.publications order by run_id"
        ).fetchall()
        judged = connection.execute("select count(*) from ops.gate_results").fetchone()
    assert rows == [
        ("0001", False, False),
        ("0002", False, False),
        ("0003", False, True),
        ("0004", False, True),
        ("0005", True, True),
    ]
    assert judged == (5,)


def test_a_damaged_ledger_copy_is_made_again(marts: MartsWorld) -> None:
    marts.publish(1)
    path = ledger_path(marts.settings)
    path.chmod(0o644)
    path.write_bytes(b"nonsense")
    marts.publish(2)
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute("select count(*) from ops.publications").fetchone()
    assert row == (2,)


def test_status_can_ask_without_opening_a_database(marts: MartsWorld) -> None:
    assert current(marts.settings) is None
    marts.publish(1)
    shown = current(marts.settings)
    assert shown is not None
    assert shown["run_id"] == FIRST
    assert shown["row_counts"] == {"dim_creators": 1, "fct_orders": 100}
    json.dumps(shown)
