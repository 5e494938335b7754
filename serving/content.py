"""The content hash of a set of marts, and the comparison of two of them.

The hash is what "the same result" means in Setae: it does not depend on the order of rows, columns
or files, on threads, or on the DuckDB version, and it covers every column of every mart but the
table `publication` and columns that start with `_`. Each row becomes one text that tells its values
apart, each text two 64-bit halves of an md5, each half an exact sum; so a row that occurs twice
counts twice. `compare` uses the same hash and counts rows only where it differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from setae.errors import DataError
from setae.warehouse import literal, quote, storage_errors

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


@dataclass(frozen=True)
class TableComparison:
    """How one table differs between two files.

    Attributes:
        name: Of the table.
        rows_a: Rows in the first file, None where the table is missing there.
        rows_b: The same for the second.
        only_a: Rows of the first that the second lacks, as often as it lacks them; None where
            the columns differ, so that rows cannot be set side by side.
        only_b: The same the other way round.
        columns_only_a: Columns (name and type) that only the first has.
        columns_only_b: The same for the second.
    """

    name: str
    rows_a: int | None
    rows_b: int | None
    only_a: int | None = 0
    only_b: int | None = 0
    columns_only_a: tuple[str, ...] = ()
    columns_only_b: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether both files hold this table with the same rows."""
        return (
            self.rows_a is not None
            and self.rows_a == self.rows_b
            and self.only_a == 0
            and self.only_b == 0
        )


@dataclass(frozen=True)
class Comparison:
    """Two sets of marts, table by table."""

    tables: tuple[TableComparison, ...]

    @property
    def equal(self) -> bool:
        """Whether every table is."""
        return all(table.equal for table in self.tables)


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
        _table_content(connection, table, catalog=catalog, schema=schema)
        for table in tables(connection, catalog=catalog, schema=schema, ignore=ignore)
    )
    text = "\n".join(f"{table.name} {table.content_hash}" for table in contents)
    return Content(tables=contents, content_hash=_digest(text))


def compare(a: Path, b: Path, *, ignore: Collection[str] = ()) -> Comparison:
    """Set two files of marts side by side; both are only read.

    Args:
        a: A published file, `current.duckdb`, or a working `marts.duckdb`.
        b: The other.
        ignore: Names to leave out, `column` or `table.column`.

    Returns:
        One entry per table of either file, by name.

    Raises:
        DataError: A file is missing.
        StorageError: A file cannot be opened.
    """
    with _attached(a, b) as (connection, first, second):
        left = {table.name: table for table in tables(connection, catalog=first, ignore=ignore)}
        right = {table.name: table for table in tables(connection, catalog=second, ignore=ignore)}
        return Comparison(
            tables=tuple(
                _compare_table(
                    connection, name, left.get(name), right.get(name), first=first, second=second
                )
                for name in sorted(left.keys() | right.keys())
            )
        )


@contextmanager
def _attached(a: Path, b: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, str]]:
    paths = [path.resolve() for path in (a, b)]
    for given, path in zip((a, b), paths, strict=True):
        if not path.is_file():
            raise DataError(f"{given}: no such file; give a published .duckdb file")
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("set TimeZone = 'UTC'")
        names = []
        for path, name in zip(dict.fromkeys(paths), ("a", "b"), strict=False):
            with storage_errors(path):
                connection.execute(f"attach {literal(str(path))} as {name} (read_only)")
            names.append(name)
        yield connection, names[0], names[-1]
    finally:
        connection.close()


def _compare_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    a: Table | None,
    b: Table | None,
    *,
    first: str,
    second: str,
) -> TableComparison:
    content_a = _table_content(connection, a, catalog=first, schema=MARTS_SCHEMA) if a else None
    content_b = _table_content(connection, b, catalog=second, schema=MARTS_SCHEMA) if b else None
    rows_a = content_a.row_count if content_a else None
    rows_b = content_b.row_count if content_b else None
    if a is None or b is None:
        return TableComparison(name=name, rows_a=rows_a, rows_b=rows_b, only_a=None, only_b=None)
    if content_a and content_b and content_a.content_hash == content_b.content_hash:
        return TableComparison(name=name, rows_a=rows_a, rows_b=rows_b)
    if a.columns != b.columns:
        return TableComparison(
            name=name,
            rows_a=rows_a,
            rows_b=rows_b,
            only_a=None,
            only_b=None,
            columns_only_a=_columns_missing(a, b),
            columns_only_b=_columns_missing(b, a),
        )
    columns = ", ".join(quote(column) for column, _ in a.columns)
    counts = []
    for here, there in ((first, second), (second, first)):
        row = connection.execute(
            f"select count(*) from ("
            f"select {columns} from {_name(here, MARTS_SCHEMA, name)} except all "
            f"select {columns} from {_name(there, MARTS_SCHEMA, name)})"
        ).fetchone()
        assert row is not None
        counts.append(int(row[0]))
    return TableComparison(
        name=name, rows_a=rows_a, rows_b=rows_b, only_a=counts[0], only_b=counts[1]
    )


def _columns_missing(here: Table, there: Table) -> tuple[str, ...]:
    return tuple(
        f"{name} {kind}" for name, kind in here.columns if (name, kind) not in there.columns
    )


def table_sql(table: Table, *, catalog: str, schema: str = MARTS_SCHEMA) -> str:
    """One row: the row count of a table and the two sums its hash is made from."""
    values = ", ".join(_as_text(quote(name), kind) for name, kind in table.columns)
    text = f"concat({values})" if values else "''"
    return (
        "select count(*), sum(md5_number_lower(content)), sum(md5_number_upper(content)) "
        f"from (select {text} as content from {_name(catalog, schema, table.name)})"
    )


def _table_content(
    connection: duckdb.DuckDBPyConnection, table: Table, *, catalog: str, schema: str
) -> TableContent:
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


def _name(catalog: str, schema: str, table: str) -> str:
    return ".".join(quote(part) for part in (catalog, schema, table))


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
