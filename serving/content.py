"""The content hash of a set of marts.

The hash is what "the same result" means in Setae: it does not depend on the order of rows, columns
or files, on threads, or on the DuckDB version, and it covers every column of every mart but the
table `publication` and columns that start with `_`. Each row becomes one text that tells its values
apart, each text two 64-bit halves of an md5, each half an exact sum; so a row that occurs twice
counts twice. `serving.comparison` sets two files side by side by it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from setae.warehouse import quote

MARTS_SCHEMA = "marts"
PUBLICATION_TABLE = "publication"
BUILD_MARK = "__dbt_"
"""In the names of tables that a build stopped half-way leaves behind; never content."""


_PLAIN_TYPES = (
    "BIGINT",
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "HUGEINT",
    "INTEGER",
    "SMALLINT",
    "TIMESTAMP",
    "TINYINT",
)
"""Types whose text cannot hold the separator."""


@dataclass(frozen=True)
class Table:
    """One mart as found: its columns by name, in the order of their names."""

    name: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TableContent:
    """What is in one mart."""

    name: str
    row_count: int
    content_hash: str


@dataclass(frozen=True)
class Content:
    """What is in a set of marts; two of equal `content_hash` hold the same rows."""

    tables: tuple[TableContent, ...]
    content_hash: str

    def row_counts(self) -> dict[str, int]:
        """Rows per table, by name."""
        return {table.name: table.row_count for table in self.tables}


def tables(
    connection: duckdb.DuckDBPyConnection,
    *,
    catalog: str | None = None,
    schema: str = MARTS_SCHEMA,
    ignore: Collection[str] = (),
) -> tuple[Table, ...]:
    """The marts of a file, by name, with the columns that count as content.

    Args:
        connection: To the file, or to one it is attached to.
        catalog: Name of the attached file; by default the connection's own.
        schema: Where the marts are.
        ignore: Names to leave out, `column` or `table.column`.
    """
    rows = connection.execute(
        "select c.table_name, c.column_name, c.data_type "
        "from duckdb_columns() as c "
        "where c.database_name = coalesce(?, current_database()) and c.schema_name = ? "
        "and c.table_name <> ? and not contains(c.table_name, ?) "
        "order by c.table_name, c.column_name",
        [catalog, schema, PUBLICATION_TABLE, BUILD_MARK],
    ).fetchall()
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in rows:
        columns = found.setdefault(table, [])
        if column.startswith("_") or {column, f"{table}.{column}"} & set(ignore):
            continue
        columns.append((column, data_type))
    return tuple(Table(name=name, columns=tuple(columns)) for name, columns in found.items())


def content_hash(
    connection: duckdb.DuckDBPyConnection,
    *,
    catalog: str | None = None,
    schema: str = MARTS_SCHEMA,
    ignore: Collection[str] = (),
) -> Content:
    """Hash every mart of a file.

    Args:
        connection: To the file, or to one it is attached to.
        catalog: Name of the attached file; by default the connection's own.
        schema: Where the marts are.
        ignore: Names to leave out, `column` or `table.column`.

    Returns:
        Row count and hash of each table, and one hash over all.
    """
    # `marts.duckdb` opened directly is catalog `marts`: `marts.<table>` alone would be ambiguous.
    catalog = catalog or _current_database(connection)
    contents = tuple(
        table_content(connection, table, catalog=catalog, schema=schema)
        for table in tables(connection, catalog=catalog, schema=schema, ignore=ignore)
    )
    text = "\n".join(f"{table.name} {table.content_hash}" for table in contents)
    return Content(tables=contents, content_hash=_digest(text))


def table_sql(table: Table, *, catalog: str, schema: str = MARTS_SCHEMA) -> str:
    """One row: the row count of a table and the two sums its hash is made from."""
    values = ", ".join(_as_text(quote(name), kind) for name, kind in table.columns)
    text = f"concat({values})" if values else "''"
    return (
        "select count(*), sum(md5_number_lower(content)), sum(md5_number_upper(content)) "
        f"from (select {text} as content from {qualified(catalog, schema, table.name)})"
    )


def table_content(
    connection: duckdb.DuckDBPyConnection, table: Table, *, catalog: str, schema: str
) -> TableContent:
    """Row count and hash of one table."""
    row = connection.execute(table_sql(table, catalog=catalog, schema=schema)).fetchone()
    assert row is not None
    count, lower, upper = (int(value or 0) for value in row)
    header = ",".join(f"{name}:{kind}" for name, kind in table.columns)
    return TableContent(
        name=table.name,
        row_count=count,
        content_hash=_digest(f"{header}\n{count}\n{lower}\n{upper}"),
    )


def _as_text(column: str, data_type: str) -> str:
    """A value as text that ends with a separator; nothing before it where it is NULL.

    Text may hold the separator itself, so its length stands before it: ('ab', 'c') and ('a', 'bc')
    stay apart, as do NULL and ''.
    """
    if data_type in ("DOUBLE", "FLOAT"):
        # 17 digits tell every double apart; + 0.0 makes one zero of 0.0 and -0.0.
        return f"format('{{:.17g}}', cast({column} as double) + 0.0), chr(31)"
    if data_type.startswith(_PLAIN_TYPES) and not data_type.endswith("]"):
        return f"cast({column} as varchar), chr(31)"
    text = f"cast({column} as varchar)"
    return f"strlen({text}), chr(31), {text}, chr(31)"


def _current_database(connection: duckdb.DuckDBPyConnection) -> str:
    row = connection.execute("select current_database()").fetchone()
    assert row is not None
    return str(row[0])


def qualified(catalog: str, schema: str, table: str) -> str:
    """The full name of a table, quoted."""
    return ".".join(quote(part) for part in (catalog, schema, table))


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
