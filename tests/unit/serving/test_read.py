"""The recommended connection: reads the publication, and cannot be talked into anything else."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from serving.read import connect
from setae.errors import DataError
from tests.unit.serving.conftest import MartsWorld


@pytest.fixture
def published(marts: MartsWorld) -> MartsWorld:
    marts.publish(1)
    return marts


def test_it_finds_the_publication_from_wherever_one_points(published: MartsWorld) -> None:
    home = published.settings.home
    run_id = None
    for path in (home, home / "serving", home / "serving" / "current.duckdb"):
        with connect(path) as connection:
            row = connection.execute("select run_id from marts.publication").fetchone()
        assert row is not None
        assert run_id in (None, row[0])
        run_id = row[0]


ESCAPES = (
    "insert into marts.fct_orders from marts.fct_orders",
    "create table marts.x as select 1",
    "drop table marts.fct_orders",
    "copy marts.fct_orders to '{outside}/stolen.csv'",
    "export database '{outside}'",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from read_blob('{outside}/secret')",
    "select * from '{outside}/other.duckdb'",
    "attach '{outside}/other.duckdb' as other",
    "attach ':memory:' as other; copy marts.fct_orders to '{outside}/x.parquet'",
    "install httpfs",
    "load httpfs",
    "load '{outside}/evil.duckdb_extension'",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset lock_configuration",
    "set access_mode = 'read_write'",
    "set allow_community_extensions = true",
    "set temp_directory = '{outside}'",
    "select * from glob('/etc/*')",
    "create secret s (type s3, key_id 'a', secret 'b')",
)


@pytest.mark.parametrize("sql", ESCAPES)
def test_there_is_no_way_out(published: MartsWorld, tmp_path: Path, sql: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    with duckdb.connect(str(outside / "other.duckdb")) as other:
        other.execute("create table t as select 1 as one")
    before = {path.name for path in outside.iterdir()}
    with connect(published.settings.home) as connection, pytest.raises(duckdb.Error):
        connection.execute(sql.format(outside=outside)).fetchall()
    assert {path.name for path in outside.iterdir()} == before


def test_an_open_reader_keeps_its_publication(published: MartsWorld) -> None:
    old = connect(published.settings.home)
    for version in range(2, 7):  # five more, three are kept
        published.publish(version)
    new = connect(published.settings.home)
    query = "select distinct version from marts.fct_orders"
    assert old.execute(query).fetchall() == [(1,)]
    assert new.execute(query).fetchall() == [(6,)]
    old.close()
    new.close()


def test_a_pool_that_stays_open_does_not_block_publishing(published: MartsWorld) -> None:
    path = (published.serving / "current.duckdb").resolve()
    engine = sa.create_engine(f"duckdb:///{path}", connect_args={"read_only": True})
    with engine.connect() as pooled:
        query = sa.text("select distinct version from marts.fct_orders")
        assert pooled.execute(query).fetchall() == [(1,)]
        assert published.publish(2).changed
        assert pooled.execute(query).fetchall() == [(1,)]
    engine.dispose()
    assert published.read() == 2


def test_times_are_utc_whatever_the_process_says(
    published: MartsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    with connect(published.settings.home) as connection:
        row = connection.execute("select current_setting('TimeZone')").fetchone()
    assert row == ("UTC",)


def test_nothing_published_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `setae publish`"):
        connect(tmp_path)
