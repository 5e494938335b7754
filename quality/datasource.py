"""Great Expectations on DuckDB: a data source that keeps one connection and pushes down to SQL.

The stock SQL data source reads rows after its connection has closed, so on DuckDB every value
expectation fails; this one keeps a single connection from the first query to `close()`. It opens
the warehouse read-only, by the same path and settings map as everybody else, and `open_warehouse`
leaves nothing open behind: an undisposed engine would block the next writer.

This is the only module that imports Great Expectations; that costs ten seconds, so it is imported
by the gate at the moment it judges, never with the package.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the library is imported

import great_expectations as gx
import sqlalchemy as sa
from great_expectations import expectations as gxe
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.sqlalchemy_execution_engine import (
    SqlAlchemyExecutionEngine,
)
from great_expectations.expectations.core.unexpected_rows_expectation import (
    UnexpectedRowsExpectation,
)

from quality.checks import ROWS, Check, Suite
from setae.settings import Settings
from setae.warehouse import Home, duckdb_config, literal, quote, storage_errors

for _chatty in ("great_expectations", "great_expectations.data_context.types.base"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)

_RESULT_FORMAT = {"result_format": "BOOLEAN_ONLY"}
"""No cell value leaves the database: Great Expectations would write it into pages unescaped."""


class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
    """Runs metrics on one connection, opened at the first query and closed by `close()`."""

    @contextmanager
    def get_connection(self) -> Iterator[sa.Connection]:
        """The connection; it stays open when the block ends."""
        if self._connection is None:
            self._connection = self.engine.connect()
        yield self._connection

    def close(self) -> None:
        """Close the connection and whatever the pool holds."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.engine.dispose()


_EngineType = type[SqlAlchemyExecutionEngine]  # `type` is a field of the class below


class DuckDBDatasource(SQLDatasource):
    """A DuckDB file as a Great Expectations data source."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

    @property
    def execution_engine_type(self) -> _EngineType:
        """The engine that keeps its connection."""
        return DuckDBExecutionEngine

    def test_connection(self, test_assets: bool = True) -> None:
        """Nothing: `open_warehouse` connects right away, and says in its own words what failed."""

    def get_engine(self) -> sa.Engine:
        """The execution engine's own, so that no second pool opens the file."""
        engine: sa.Engine = self.get_execution_engine().engine
        return engine


class NoRows(UnexpectedRowsExpectation):
    """Expects a query to find no row; the stock one runs it a second time to fetch the rows."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine[Any] | None = None,
    ) -> dict[str, Any]:
        return {"success": metrics["unexpected_rows_query.row_count"] == 0}


class Warehouse:
    """The warehouse as the gate sees it. Get one from `open_warehouse`."""

    def __init__(self, datasource: DuckDBDatasource, engine: DuckDBExecutionEngine) -> None:
        self._datasource = datasource
        self._engine = engine

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        with self._engine.get_connection() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql).fetchall()]

    def judge(self, suite: Suite, checks: Sequence[Check]) -> dict[str, str | None]:
        """Validate checks of one suite in SQL.

        Returns:
            Per check name None if it holds, '' if it does not, else why it could not be judged.
        """
        asset = self._datasource.add_query_asset(name=suite.name, query=suite.query)
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        expectations = gx.ExpectationSuite(name=suite.name)
        for check in checks:
            expectations.add_expectation(_expectation(check))
        outcome = batch.validate(expectations, result_format=_RESULT_FORMAT)
        verdicts: dict[str, str | None] = {}
        for result in outcome.results:
            assert result.expectation_config is not None
            name = result.expectation_config.meta["check"]
            verdicts[name] = None if result.success else _exception(result.exception_info)
        return verdicts


@contextmanager
def open_warehouse(
    settings: Settings, *, attach: Mapping[str, Path] | None = None
) -> Iterator[Warehouse]:
    """Open the warehouse for judging; nobody else may have it open, and nothing stays open.

    Args:
        settings: Of the home.
        attach: Further DuckDB files by catalog name, read-only.

    Raises:
        LeaseHeld: Another process has the file open.
        StorageError: A file cannot be opened.
    """
    path = Home(settings.home).warehouse
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    datasource = DuckDBDatasource(
        name="warehouse",
        connection_string=f"duckdb:///{path}",
        kwargs={"connect_args": {"read_only": True, "config": dict(duckdb_config(settings))}},
    )
    with storage_errors(path):
        datasource = context.data_sources.add_or_update_duckdb(datasource)
        engine = datasource.get_execution_engine()
        assert isinstance(engine, DuckDBExecutionEngine)
        try:
            _prepare(engine, attach or {})
            yield Warehouse(datasource, engine)
        finally:
            engine.close()


def _prepare(engine: DuckDBExecutionEngine, attach: Mapping[str, Path]) -> None:
    try:
        with engine.get_connection() as connection:
            connection.exec_driver_sql("set TimeZone = 'UTC'")
            for name, file in attach.items():
                connection.exec_driver_sql(
                    f"attach {literal(str(file))} as {quote(name)} (read_only)"
                )
    except sa.exc.DBAPIError as error:
        raise (error.orig or error) from error  # DuckDB's own, which `storage_errors` knows


def _expectation(check: Check) -> Any:
    kind: Any = NoRows if check.expectation == ROWS else getattr(gxe, check.expectation)
    severity = "critical" if check.severity == "error" else "warning"
    arguments = dict(check.arguments)
    if check.expectation == ROWS:
        arguments["unexpected_rows_query"] = _rows_query(str(arguments["unexpected_rows_query"]))
    return kind(**arguments, severity=severity, meta={"check": check.name})


def _rows_query(sql: str) -> str:
    """A check's SQL as Great Expectations and SQLAlchemy take it.

    `{batch}` is replaced with or without an alias, depending on whether the word JOIN occurs; in a
    CTE of its own both work. Other braces and `:name` would be taken for placeholders.
    """
    body = sql.replace("{batch}", "batch").replace("{", "{{").replace("}", "}}")
    body = re.sub(r"(?<![:\w]):(?=\w)", r"\\:", body)
    return "with batch as (select * from {batch}) " + body


def _exception(info: Mapping[str, Any]) -> str:
    """Why an expectation could not be evaluated, '' if it was and did not hold."""
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            lines = str(entry.get("exception_message") or "unknown error").splitlines()
            return " ".join(line.strip() for line in lines[:3])[:300] or "unknown error"
    return ""
