"""The content hash: what it must not see, and what it must."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from serving.comparison import compare
from serving.content import content_hash
from setae.errors import DataError

BASE = """
create schema marts;
create table marts.fct_a (key varchar, amount decimal(18,4), rate double, day date,
    seen_at timestamp, flag boolean, _load_id varchar);
insert into marts.fct_a values
    ('a', 1.5, 0.1, '2026-01-01', '2026-01-01 10:00:00', true, 'x'),
    ('b', null, null, null, null, null, 'x'),
    ('b', null, null, null, null, null, 'x'),
    ('', 0, 0.0, '1970-01-01', '1970-01-01', false, 'x');
create table marts.dim_b as select 1 as one;
"""


def make(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in (BASE, *statements):
            connection.execute(statement)
    return path


def hash_of(path: Path, **arguments: object) -> str:
    with duckdb.connect(str(path), read_only=True) as connection:
        return content_hash(connection, **arguments).content_hash  # type: ignore[arg-type]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make(tmp_path / "base.duckdb")


@pytest.mark.parametrize(
    "statement",
    [
        "create or replace table marts.fct_a as from marts.fct_a order by amount desc",
        "update marts.fct_a set _load_id = 'y'",
        "create table marts.publication as select 'run' as run_id",
        "create table marts.fct_a__dbt_tmp as select 1 as one",
        "create schema beside; create table beside.t as select 1 as one",
        "update marts.fct_a set rate = -0.0 where key = ''",
        (
            "create or replace table marts.fct_a as "
            "select _load_id, flag, seen_at, day, rate, amount, key from marts.fct_a"
        ),
        "set threads = 1",
    ],
)
def test_what_readers_cannot_tell_apart_hashes_alike(
    tmp_path: Path, base: Path, statement: str
) -> None:
    other = make(tmp_path / "other.duckdb", statement)
    assert hash_of(other) == hash_of(base)
    assert compare(base, other).equal


@pytest.mark.parametrize(
    ("statement", "only_a", "only_b"),
    [
        ("update marts.fct_a set amount = 1.5001 where key = 'a'", 1, 1),
        ("update marts.fct_a set rate = 0.1 + 1e-16 where key = 'a'", 1, 1),
        ("update marts.fct_a set amount = 0 where amount is null", 2, 2),
        ("update marts.fct_a set key = null where key = ''", 1, 1),
        ("insert into marts.fct_a from marts.fct_a where key = 'a'", 0, 1),
        ("delete from marts.fct_a where key = 'b'", 2, 0),
        ("update marts.fct_a set seen_at = seen_at + interval 1 microsecond where key = 'a'", 1, 1),
    ],
)
def test_every_difference_shows_and_is_counted(
    tmp_path: Path, base: Path, statement: str, only_a: int, only_b: int
) -> None:
    other = make(tmp_path / "other.duckdb", statement)
    assert hash_of(other) != hash_of(base)
    comparison = compare(base, other)
    assert not comparison.equal
    unequal = [table for table in comparison.tables if not table.equal]
    assert [(t.name, t.only_a, t.only_b) for t in unequal] == [("fct_a", only_a, only_b)]


def test_values_do_not_run_into_each_other(tmp_path: Path) -> None:
    def pair(name: str, first: str | None, second: str | None) -> str:
        path = tmp_path / f"{name}.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema marts; create table marts.t (a varchar, b varchar)")
            connection.execute("insert into marts.t values (?, ?)", [first, second])
        return hash_of(path)

    values = [
        ("ab", "c"),
        ("a", "bc"),
        ("", "abc"),
        (None, "abc"),
        ("abc", None),
        ("ä", "bc"),
        ("a\x1f2\x1fbc", ""),
        ("a\x1f", "bc"),
        ("a", "\x1fbc"),
    ]
    assert len({pair(str(n), *value) for n, value in enumerate(values)}) == len(values)


def test_the_hash_is_the_same_in_every_version(base: Path) -> None:
    # Golden: a change here is a change of what "the same result" means, and breaks old manifests.
    assert hash_of(base) == "8aab01549a082f9d88d38e23f570f609"


def test_a_table_or_column_that_one_side_lacks_is_named(tmp_path: Path, base: Path) -> None:
    other = make(
        tmp_path / "other.duckdb",
        "drop table marts.dim_b; alter table marts.fct_a add column extra int; "
        "alter table marts.fct_a alter column flag type varchar",
    )
    dim, fact = compare(base, other).tables
    assert (dim.name, dim.rows_a, dim.rows_b, dim.only_a) == ("dim_b", 1, None, None)
    assert fact.columns_only_a == ("flag BOOLEAN",)
    assert fact.columns_only_b == ("extra INTEGER", "flag VARCHAR")
    assert fact.only_a is None
    assert not fact.equal


@pytest.mark.parametrize("name", ["extra", "fct_a.extra"])
def test_columns_can_be_left_out(tmp_path: Path, base: Path, name: str) -> None:
    other = make(tmp_path / "other.duckdb", "alter table marts.fct_a add column extra int")
    assert not compare(base, other).equal
    assert compare(base, other, ignore={name}).equal


def test_a_file_equals_itself_through_a_link(tmp_path: Path, base: Path) -> None:
    link = tmp_path / "current.duckdb"
    link.symlink_to(base.name)
    assert compare(base, link).equal


def test_a_missing_file_is_said_in_one_line(tmp_path: Path, base: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        compare(base, tmp_path / "nothing.duckdb")


def test_a_file_called_marts_is_read_too(tmp_path: Path, base: Path) -> None:
    # `marts.duckdb` opens as catalog `marts`, where `marts.fct_a` alone is ambiguous
    path = tmp_path / "marts.duckdb"
    path.write_bytes(base.read_bytes())
    assert hash_of(path) == hash_of(base)
