"""Two homes side by side: the same thing under two names, and what differs where something does."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from serving.comparison import Comparison, TableComparison, compare, read_keys, renamed
from setae import cli
from setae.errors import DataError

FIRST = """
create schema marts;
create table marts.fct_orders (order_key varchar, ordered_date date, customer_key varchar,
    person_key varchar, status varchar, item_count bigint, net_amount decimal(18,4));
insert into marts.fct_orders values
    ('drops:demo:1', '2026-05-01', 'drops:demo:k1_a', 'customer:k1_a', 'paid', 1, 10.5),
    ('drops:demo:2', '2026-05-01', 'drops:demo:k1_b', 'customer:k1_b', 'paid', 2, 20),
    ('drops:demo:3', '2026-05-02', null, null, 'drops', 3, null);
create table marts.dim_dates as select date '2026-05-01' as date_day;
"""

SECOND = """
create schema marts;
create table marts.fct_orders (order_key varchar, ordered_date date, customer_key varchar,
    person_key varchar, status varchar, item_count bigint, net_amount decimal(18,4));
insert into marts.fct_orders values
    ('shopify:demo:3', '2026-05-02', null, null, 'drops', 3, null),
    ('shopify:demo:1', '2026-05-01', 'shopify:demo:k1_z', 'customer:k1_z', 'paid', 1, 10.5),
    ('shopify:demo:2', '2026-05-01', 'shopify:demo:k1_b', 'customer:k1_b', 'paid', 2, 20);
create table marts.dim_dates as select date '2026-05-01' as date_day;
"""

KEYS = """first,second
drops:demo:1,shopify:demo:1
drops:demo:2,shopify:demo:2
drops:demo:3,shopify:demo:3
drops:demo,shopify:demo
k1_a,k1_z
"""


def make(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return make(tmp_path / "first.duckdb", FIRST)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.csv"
    path.write_text(KEYS)
    return path


def different(result: Comparison) -> TableComparison:
    (table,) = [table for table in result.tables if not table.equal]
    return table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("o1", "x1"),  # the whole value
        ("o10", "o10"),  # not a part of a word
        ("line:o1", "line:x1"),
        ("o1:5", "x1:5"),
        ("a:o1:b:o1", "a:x1:b:x1"),
        ("s:d:o1", "t:d:9"),  # the longest name that fits, not `o1` in it
        ("customer:s:d:o1", "customer:t:d:9"),
        ("s:d", "s:d"),
        ("", ""),
        ("::", "::"),
        ("x1", "x1"),  # a second name is not a first one
    ],
)
def test_names_are_replaced_whole_and_between_colons(text: str, expected: str) -> None:
    assert renamed(text, {"o1": "x1", "s:d:o1": "t:d:9"}) == expected


def test_the_same_world_under_other_names_is_equal(tmp_path: Path, first: Path, keys: Path) -> None:
    second = make(tmp_path / "second.duckdb", SECOND)
    assert not compare(first, second).equal
    result = compare(first, second, keys=keys)
    assert result.equal
    # three order keys, two customer keys, one person; `drops` as a status is no key and stays
    assert result.mapped == 6


def test_the_keys_hide_no_other_difference(tmp_path: Path, first: Path, keys: Path) -> None:
    second = make(
        tmp_path / "second.duckdb",
        SECOND,
        "update marts.fct_orders set net_amount = 10.6 where order_key = 'shopify:demo:1'",
        "update marts.fct_orders set item_count = 9, net_amount = 1 where net_amount is null",
    )
    table = different(compare(first, second, keys=keys, examples=3))
    assert (table.name, table.only_a, table.only_b) == ("fct_orders", 2, 2)
    assert table.details is not None
    assert table.details.columns == (("item_count", 1), ("net_amount", 2))
    assert (table.details.unpaired_a, table.details.unpaired_b) == (0, 0)
    one, other = table.details.examples
    assert one.key == {"order_key": "shopify:demo:1"}
    assert {name: tuple(map(str, pair)) for name, pair in one.values.items()} == {
        "net_amount": ("10.5000", "10.6000")
    }
    assert set(other.values) == {"item_count", "net_amount"}


def test_a_row_that_one_side_lacks_is_shown_as_it_is(tmp_path: Path, first: Path) -> None:
    second = make(tmp_path / "second.duckdb", FIRST, "delete from marts.fct_orders where true")
    table = different(compare(first, second, examples=2))
    assert table.details is not None
    assert (table.details.unpaired_a, table.details.unpaired_b) == (3, 0)
    assert [example.only_in for example in table.details.examples] == ["first", "first"]
    assert table.details.examples[0].key["order_key"] == "drops:demo:1"


def test_rows_are_paired_by_the_columns_that_tell_them_apart(tmp_path: Path) -> None:
    # The first column is a running number that differs everywhere; day and segment are the grain.
    create = "create schema marts; create table marts.fct_x as select * from (values {}) as v({})"
    names = "number, day, segment, people"
    first = make(
        tmp_path / "a.duckdb",
        create.format("(1, 1, 'a', 5), (2, 1, 'b', 6), (3, 2, 'a', 7)", names),
    )
    second = make(
        tmp_path / "b.duckdb",
        create.format("(4, 1, 'a', 5), (5, 1, 'b', 6), (6, 2, 'a', 8)", names),
    )
    table = different(compare(first, second, examples=1))
    assert table.details is not None
    assert table.details.columns == (("number", 3), ("people", 1))
    assert table.details.examples[0].key == {"day": 1, "segment": "a"}
    assert compare(first, second, ignore=("number", "fct_x.people")).equal


def test_rows_that_occur_twice_are_counted_twice(tmp_path: Path, first: Path) -> None:
    second = make(
        tmp_path / "second.duckdb",
        FIRST,
        "insert into marts.fct_orders from marts.fct_orders where order_key = 'drops:demo:1'",
    )
    table = different(compare(first, second))
    assert (table.only_a, table.only_b) == (0, 1)


def test_a_table_all_of_whose_columns_are_left_out_still_counts_rows(
    tmp_path: Path, first: Path
) -> None:
    second = make(tmp_path / "second.duckdb", FIRST, "delete from marts.dim_dates")
    table = different(compare(first, second, ignore=("date_day",)))
    assert (table.name, table.only_a, table.only_b) == ("dim_dates", 1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nx,y\n", "header line `first,second`"),
        ("first,second\nx,\n", r":2: a name is empty"),
        ("first,second\nx,y\nx,z\n", r":3: 'x' stands for two names"),
        ("first,second\nx,y\nz,y\n", r":3: two names become 'y'"),
    ],
)
def test_keys_that_are_no_one_to_one_relation_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "keys.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_keys(path)


def test_a_missing_file_of_keys_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        read_keys(tmp_path / "gone.csv")


def test_the_command_shows_columns_and_rows_and_takes_a_list_of_columns(
    tmp_path: Path, first: Path, keys: Path
) -> None:
    second = make(
        tmp_path / "second.duckdb",
        SECOND,
        "update marts.fct_orders set net_amount = 10.6 where order_key = 'shopify:demo:1'",
    )
    command = ["compare", str(first), str(second), "--keys", str(keys)]
    shown = CliRunner().invoke(cli.app, [*command, "--show"])
    assert shown.exit_code == 1
    assert "6 texts of the first file read in the second's names" in shown.output
    assert "fct_orders: net_amount differs in 1 rows" in shown.output
    assert re.search(r"order_key shopify:demo:1\n +net_amount: 10\.5000 → 10\.6000", shown.output)
    ignored = tmp_path / "ignored.txt"
    ignored.write_text("# money\nfct_orders.net_amount  # differs by a cent\n\n")
    assert CliRunner().invoke(cli.app, [*command, "--ignore", str(ignored)]).exit_code == 0
    assert CliRunner().invoke(cli.app, [*command, "--ignore", "net_amount"]).exit_code == 0
