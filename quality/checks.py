"""What a gate is made of: checks, suites of them over one query, and what came of each.

A check is plain data. Great Expectations decides whether it holds; the SQL beside it says what was
observed and which rows fail, so that whoever is woken can paste it into a shell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warn"]
Outcome = Literal["passed", "failed", "no_history"]

ROWS = "NoRows"
"""The expectation that a query finds no row; `{batch}` in it stands for the suite's query."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One claim about a batch.

    Attributes:
        name: What holds, as a sentence in snake case; unique in its suite.
        table: The table it is about, as a person would write it.
        severity: `error` stops the run, `warn` is reported.
        expected: What should be, for a person.
        todo: What to do where it is not.
        expectation: Class name in `great_expectations.expectations`, or `ROWS`.
        arguments: For the expectation.
        observed_sql: One value: what is.
        failing_sql: The rows that make it fail.
        file_column: Column of `failing_sql` that names the landed file; only those files fail.
            None: every file of the batch does.
        missing_history: Why there is nothing to compare with; the check is then not judged.
        observed_if_passed: What `observed_sql` says whenever the check holds, if that is known.
    """

    name: str
    table: str
    severity: Severity
    expected: str
    todo: str
    arguments: Mapping[str, object]
    observed_sql: str
    failing_sql: str
    expectation: str = ROWS
    file_column: str | None = None
    missing_history: str | None = None
    observed_if_passed: str | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Checks over one query.

    Attributes:
        name: Unique in its gate.
        query: What the expectations see.
        checks: At least one.
        file_ids: Landed files it is about; empty where it is about a whole feed or mart.
        file_filter: How `query` and the checks' SQL pick those files while the gate runs.
    """

    name: str
    query: str
    checks: Sequence[Check]
    file_ids: tuple[str, ...] = ()
    file_filter: str | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one check.

    Attributes:
        check: The claim.
        suite: Name of its suite.
        outcome: `passed`, `failed`, or `no_history` where there is nothing to compare with.
        observed: What was found, for a person.
        failed_row_count: Rows of `failing_sql`.
        failing_sql: Of the check, with the files spelled out, to paste into a shell.
        file_ids: Files it was judged on.
        failed_file_ids: Of them, those that fail by it.
    """

    check: Check
    suite: str
    outcome: Outcome
    observed: str
    failed_row_count: int = 0
    failing_sql: str = ""
    file_ids: tuple[str, ...] = ()
    failed_file_ids: tuple[str, ...] = field(default=())

    @property
    def stops(self) -> bool:
        """Whether this alone stops the run."""
        return self.outcome == "failed" and self.check.severity == "error"

    @property
    def line(self) -> str:
        """One line for a person: check, table, which rows, what to do."""
        rows = f"{self.failed_row_count:,} row{'' if self.failed_row_count == 1 else 's'}"
        files = f" in {_some(self.failed_file_ids)}" if self.failed_file_ids else ""
        observed = f"{rows}{files}" if self.observed == rows else f"{self.observed} ({rows}{files})"
        return (
            f"{self.check.table}: {self.check.name}: {observed}, expected "
            f"{self.check.expected}; {self.check.todo}"
        )


def share_check(
    *,
    name: str,
    table: str,
    severity: Severity,
    bad_rows: str,
    limit: float,
    expected: str,
    todo: str,
    minimum_count: int = 1,
    file_column: str | None = "_file_id",
    of: str = "{batch}",
) -> Check:
    """A check that at most a share of a batch's rows are bad.

    Args:
        name: Of the check.
        table: Of the check.
        severity: Of the check.
        bad_rows: SQL of the bad rows; `{batch}` stands for the suite's query.
        limit: More than this share fails, if there are at least `minimum_count` such rows.
        expected: What should be, for a person.
        todo: What to do.
        minimum_count: Fewer bad rows never fail: shares of small batches say little.
        file_column: See `Check`.
        of: What the share is of, `{batch}` or a table expression.
    """
    return Check(
        name=name,
        table=table,
        severity=severity,
        expected=expected,
        todo=todo,
        arguments={
            "unexpected_rows_query": f"select count(*) as bad_count from ({bad_rows}) as bad "
            f"having count(*) >= {minimum_count} "
            f"and count(*) > {limit!r} * (select count(*) from {of} as every_row)"
        },
        observed_sql=f"select (select count(*) from ({bad_rows}) as bad) || ' of ' || "
        f"(select count(*) from {of} as every_row)",
        failing_sql=bad_rows,
        file_column=file_column,
    )


def rows_check(
    *,
    name: str,
    table: str,
    severity: Severity,
    bad_rows: str,
    expected: str,
    todo: str,
    file_column: str | None = None,
) -> Check:
    """A check that a query finds no row.

    Args:
        name: Of the check.
        table: Of the check.
        severity: Of the check.
        bad_rows: SQL of the bad rows; `{batch}` stands for the suite's query.
        expected: What should be, for a person.
        todo: What to do.
        file_column: See `Check`.
    """
    return Check(
        name=name,
        table=table,
        severity=severity,
        expected=expected,
        todo=todo,
        arguments={"unexpected_rows_query": bad_rows},
        observed_sql="select count(*) || case when count(*) = 1 then ' row' else ' rows' end "
        f"from ({bad_rows}) as bad",
        failing_sql=bad_rows,
        file_column=file_column,
        observed_if_passed="0 rows",
    )


def between_check(
    *,
    name: str,
    table: str,
    severity: Severity,
    expectation: str,
    column: str,
    aggregate: str,
    low: float | None,
    high: float | None,
    todo: str,
    unit: str = "",
    failing_where: str = "true",
    arguments: Mapping[str, object] | None = None,
    missing_history: str | None = None,
) -> Check:
    """A check that an aggregate of one column lies in a band.

    Args:
        name: Of the check.
        table: Of the check.
        severity: Of the check.
        expectation: Class name of a GX aggregate expectation with `min_value` and `max_value`.
        column: Of the batch.
        aggregate: The same number in SQL.
        low: Least allowed, None for none.
        high: Greatest allowed, None for none.
        todo: What to do.
        unit: Stands after the numbers.
        failing_where: Which rows to look at first.
        arguments: More arguments of the expectation.
        missing_history: See `Check`.
    """
    return Check(
        name=name,
        table=table,
        severity=severity,
        expected=band(low, high) + unit,
        todo=todo,
        expectation=expectation,
        arguments={
            "column": column,
            "min_value": low,
            "max_value": high,
            **(arguments or {}),
        },
        observed_sql=f"select format('{{:.6g}}', cast({aggregate} as double)) || '{unit}' "
        "from {batch} as batch",
        failing_sql=f"select * from {{batch}} as batch where {failing_where}",
        missing_history=missing_history,
    )


def band(low: float | None, high: float | None) -> str:
    """A band for a person to read."""
    if low is None:
        return f"at most {high:g}"
    if high is None:
        return f"at least {low:g}"
    return f"{low:g} to {high:g}"


def _some(names: Sequence[str]) -> str:
    first = ", ".join(names[:2])
    return first if len(names) <= 2 else f"{first} and {len(names) - 2} more files"
