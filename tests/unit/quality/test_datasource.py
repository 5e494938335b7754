"""The data source: value expectations work on DuckDB, and nothing stays open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from quality.checks import ROWS, Check, Suite
from setae.errors import LeaseHeld
from setae.settings import Settings
from setae.warehouse import Home, connect


def make_check(name: str, expectation: str, **arguments: object) -> Check:
    return Check(
        name=name,
        table="main.numbers",
        severity="error",
        expected="",
        todo="",
        expectation=expectation,
        arguments=arguments,
        observed_sql="",
        failing_sql="",
    )


@pytest.fixture
def numbers(settings: Settings) -> Settings:
    """A warehouse with the numbers 1 to 100, one of them missing, and their sign as text."""
    with connect(settings) as connection:
        connection.execute(
            "create table numbers as select nullif(range, 50) as n, 'even:' || (range % 2 = 0) "
            "as kind, '{x}' as braces from range(1, 101)"
        )
    return settings


def test_value_expectations_are_judged_in_sql(numbers: Settings) -> None:
    from quality.datasource import open_warehouse

    checks = [
        make_check("none_missing", "ExpectColumnValuesToNotBeNull", column="n"),
        make_check("few_missing", "ExpectColumnValuesToNotBeNull", column="n", mostly=0.99),
        make_check("in_range", "ExpectColumnValuesToBeBetween", column="n", max_value=100),
        make_check("too_narrow", "ExpectColumnValuesToBeBetween", column="n", max_value=99),
        make_check("mean", "ExpectColumnMeanToBeBetween", column="n", min_value=50, max_value=51),
        make_check("median", "ExpectColumnMedianToBeBetween", column="n", min_value=51.5),
        make_check(
            "share", "ExpectColumnProportionOfNonNullValuesToBeBetween", column="n", min_value=0.99
        ),
        make_check("kinds", "ExpectColumnDistinctValuesToEqualSet", column="kind", value_set=["x"]),
    ]
    suite = Suite(name="numbers", query="select * from numbers", checks=checks)
    with open_warehouse(numbers) as warehouse:
        verdicts = warehouse.judge(suite, checks)
    # 99 numbers are present, their sum is 5050 - 50 = 5000, the mean 50.505, the median 51.
    assert verdicts == {
        "none_missing": "",
        "few_missing": None,
        "in_range": None,
        "too_narrow": "",
        "mean": None,
        "median": "",
        "share": None,
        "kinds": "",
    }


def test_rows_are_found_whatever_the_sql_holds(numbers: Settings) -> None:
    from quality.datasource import open_warehouse

    def rows(name: str, sql: str) -> Check:
        return make_check(name, ROWS, unexpected_rows_query=sql)

    checks = [
        rows("plain", "select * from {batch} where n > 99"),
        rows("alias", "select * from {batch} as b where b.n > 100"),
        rows("join", "select a.n from {batch} as a inner join {batch} as b on a.n = b.n + 99"),
        rows("colon", "select * from {batch} where kind = ' :x' or kind = 'even:true'"),
        rows("braces", "select * from {batch} where braces <> '{x}'"),
    ]
    suite = Suite(name="rows", query="select * from numbers", checks=checks)
    with open_warehouse(numbers) as warehouse:
        verdicts = warehouse.judge(suite, checks)
    assert verdicts == {"plain": "", "alias": None, "join": "", "colon": "", "braces": None}


def test_an_expectation_that_cannot_be_evaluated_says_why(numbers: Settings) -> None:
    from quality.datasource import open_warehouse

    checks = [make_check("absent", "ExpectColumnMeanToBeBetween", column="no_such_column")]
    suite = Suite(name="absent", query="select * from numbers", checks=checks)
    with open_warehouse(numbers) as warehouse:
        verdict = warehouse.judge(suite, checks)["absent"]
    assert verdict is not None
    assert "no_such_column" in verdict


def test_nothing_stays_open(numbers: Settings) -> None:
    from quality.datasource import open_warehouse

    with open_warehouse(numbers) as warehouse:
        assert warehouse.query("select count(n) from numbers") == [(99,)]
    with connect(numbers) as connection:  # read-write, in the same process
        connection.execute("drop table numbers")


def test_the_warehouse_is_only_read_and_others_are_attached(
    numbers: Settings, tmp_path: Path
) -> None:
    from quality.datasource import open_warehouse

    other = tmp_path / "other's.duckdb"
    with duckdb.connect(str(other)) as connection:
        connection.execute("create table t as select 7 as seven")
    with open_warehouse(numbers, attach={"other": other}) as warehouse:
        assert warehouse.query("select seven from other.t") == [(7,)]
        with pytest.raises(Exception, match="read-only"):
            warehouse.query("drop table numbers")


def test_a_file_somebody_holds_is_reported_in_one_line(numbers: Settings, tmp_path: Path) -> None:
    from quality.datasource import open_warehouse

    path = Home(numbers.home).warehouse
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(LeaseHeld, match="open in another process"), open_warehouse(numbers):
            pass
    finally:
        holder.communicate("\n")
