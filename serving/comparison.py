"""Two sets of marts side by side: `setae compare`.

Tables are equal where their content hashes are (`serving.content`), so nothing is sorted and only
tables that differ are looked into. There, rows are set beside each other by the shortest run of
neighbouring columns that tells the rows apart in both files, and the columns whose values differ
are named.

Two homes may call one thing by two names: an order that came as a drop is `drops:demo:1001`, the
same order from the shop's interface `shopify:demo:1001`. A CSV file with the columns `first` and
`second` says which names mean the same; text of the first file is then read in the second's words.
A name counts where it is the whole value, or whole parts of it between colons, as in
`customer:<pid>`; the longest name that fits is taken.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from serving.content import MARTS_SCHEMA, Table, qualified, table_content, tables
from setae.errors import DataError
from setae.warehouse import literal, quote, storage_errors

_MAPPED = "mapped"
_LATEST_START = 4
"""A run of columns that tells rows apart begins at one of the first so many columns."""


@dataclass(frozen=True)
class Example:
    """One row that differs.

    Attributes:
        key: The columns the rows were set side by side by, or all columns of an unpaired row.
        values: Per differing column its value in the first and in the second file; empty for a row
            that only one file has.
        only_in: `first` or `second` for such a row.
    """

    key: Mapping[str, Any]
    values: Mapping[str, tuple[Any, Any]]
    only_in: str | None = None


@dataclass(frozen=True)
class Details:
    """What differs inside a table.

    Attributes:
        columns: Differing columns and in how many of the rows set side by side.
        unpaired_a: Rows of the first file without a counterpart in the second.
        unpaired_b: The same the other way round.
        examples: Of each kind, up to the number asked for.
    """

    columns: tuple[tuple[str, int], ...]
    unpaired_a: int
    unpaired_b: int
    examples: tuple[Example, ...] = ()


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
        details: Which columns differ, where rows do.
    """

    name: str
    rows_a: int | None
    rows_b: int | None
    only_a: int | None = 0
    only_b: int | None = 0
    columns_only_a: tuple[str, ...] = ()
    columns_only_b: tuple[str, ...] = ()
    details: Details | None = None

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
    """Two sets of marts, table by table.

    Attributes:
        mapped: How many different texts of the first file were read in the second's words.
    """

    tables: tuple[TableComparison, ...]
    mapped: int = 0

    @property
    def equal(self) -> bool:
        """Whether every table is."""
        return all(table.equal for table in self.tables)


def compare(
    a: Path,
    b: Path,
    *,
    ignore: Collection[str] = (),
    keys: Path | None = None,
    examples: int = 0,
) -> Comparison:
    """Set two files of marts side by side; both are only read.

    Args:
        a: A published file, `current.duckdb`, or a working `marts.duckdb`.
        b: The other.
        ignore: Names to leave out, `column` or `table.column`.
        keys: A CSV file with the columns `first` and `second`: names that mean the same.
        examples: How many differing rows of each kind to give for a table.

    Returns:
        One entry per table of either file, by name.

    Raises:
        DataError: A file is missing, or the keys are no one-to-one relation.
        StorageError: A file cannot be opened.
    """
    names = read_keys(keys) if keys is not None else {}
    with _attached(a, b) as (connection, first, second):
        left = {table.name: table for table in tables(connection, catalog=first, ignore=ignore)}
        right = {table.name: table for table in tables(connection, catalog=second, ignore=ignore)}
        here, mapped = (first, MARTS_SCHEMA), 0
        if names:
            mapped = _map(connection, first, left.values(), names)
            here = ("memory", _MAPPED)
        work = _Work(connection, here, (second, MARTS_SCHEMA), examples)
        return Comparison(
            tables=tuple(
                work.table(name, left.get(name), right.get(name))
                for name in sorted(left.keys() | right.keys())
            ),
            mapped=mapped,
        )


def read_keys(path: Path) -> dict[str, str]:
    """The names that mean the same: of the first home → of the second.

    Raises:
        DataError: No such file, other columns, an empty name, or a name that would mean two.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            if list(reader.fieldnames or ()) != ["first", "second"]:
                raise DataError(f"{path}: write a header line `first,second`, and no other column")
            pairs = [(row["first"], row["second"]) for row in reader]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from error
    names: dict[str, str] = {}
    firsts: dict[str, str] = {}
    for line, (one, other) in enumerate(pairs, start=2):
        if not one or not other:
            raise DataError(f"{path}:{line}: a name is empty; give both or leave the line out")
        if names.setdefault(one, other) != other:
            raise DataError(f"{path}:{line}: {one!r} stands for two names; keep one")
        if firsts.setdefault(other, one) != one:
            raise DataError(f"{path}:{line}: two names become {other!r}; keep one")
    return names


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A text in the words of the second file: its longest known parts are replaced."""
    whole = names.get(text)
    if whole is not None:
        return whole
    parts = text.split(":")
    if len(parts) == 1:
        return text
    found: list[str] = []
    start = 0
    while start < len(parts):
        for end in range(len(parts), start, -1):
            other = names.get(":".join(parts[start:end]))
            if other is not None:
                found.append(other)
                start = end
                break
        else:
            found.append(parts[start])
            start += 1
    return ":".join(found)


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


def _map(
    connection: duckdb.DuckDBPyConnection,
    catalog: str,
    found: Iterable[Table],
    names: Mapping[str, str],
) -> int:
    """Make a view of each table in which texts have the second file's names; counts the texts."""
    connection.execute(
        f"create schema {_MAPPED}; create table memory.main.renamed (old text, new text)"
    )
    texts: set[str] = set()
    for table in found:
        for column, kind in table.columns:
            if kind == "VARCHAR":
                rows = connection.execute(
                    f"select distinct {quote(column)} from "
                    f"{qualified(catalog, MARTS_SCHEMA, table.name)} "
                    f"where {quote(column)} is not null"
                ).fetchall()
                texts.update(text for (text,) in rows)
    changed = [(text, new) for text in sorted(texts) if (new := renamed(text, names)) != text]
    if changed:
        connection.executemany("insert into memory.main.renamed values (?, ?)", changed)
    for table in found:
        columns, joins = [], []
        for number, (column, kind) in enumerate(table.columns):
            name = quote(column)
            if kind == "VARCHAR":
                joins.append(
                    f"left join memory.main.renamed as r{number} on r{number}.old = given.{name}"
                )
                columns.append(f"coalesce(r{number}.new, given.{name}) as {name}")
            else:
                columns.append(f"given.{name}")
        connection.execute(
            f"create view {qualified('memory', _MAPPED, table.name)} as select "
            f"{', '.join(columns) or 'null as none'} from "
            f"{qualified(catalog, MARTS_SCHEMA, table.name)} as given {' '.join(joins)}"
        )
    return len(changed)


@dataclass(frozen=True)
class _Work:
    """One comparison: where the two sides are, as (catalog, schema)."""

    connection: duckdb.DuckDBPyConnection
    first: tuple[str, str]
    second: tuple[str, str]
    examples: int

    def table(self, name: str, a: Table | None, b: Table | None) -> TableComparison:
        """Compare one table."""
        content_a = self._content(a, self.first)
        content_b = self._content(b, self.second)
        rows_a = content_a.row_count if content_a else None
        rows_b = content_b.row_count if content_b else None
        if a is None or b is None:
            return TableComparison(name, rows_a, rows_b, only_a=None, only_b=None)
        if content_a and content_b and content_a.content_hash == content_b.content_hash:
            return TableComparison(name, rows_a, rows_b)
        if a.columns != b.columns:
            return TableComparison(
                name,
                rows_a,
                rows_b,
                only_a=None,
                only_b=None,
                columns_only_a=_columns_missing(a, b),
                columns_only_b=_columns_missing(b, a),
            )
        if not a.columns:
            more = (rows_a or 0) - (rows_b or 0)
            return TableComparison(name, rows_a, rows_b, max(more, 0), max(-more, 0))
        columns = ", ".join(quote(column) for column, _ in a.columns)
        sides = (self._name(self.first, name), self._name(self.second, name))
        counts = []
        for here, there, result in ((*sides, "only_a"), (*reversed(sides), "only_b")):
            counts.append(
                self._count(
                    f"create or replace temp table {result} as "
                    f"select {columns} from {here} except all select {columns} from {there}"
                )
            )
        return TableComparison(
            name,
            rows_a,
            rows_b,
            only_a=counts[0],
            only_b=counts[1],
            details=self._details(self._in_order(b), sides),
        )

    def _content(self, table: Table | None, place: tuple[str, str]) -> Any:
        if table is None:
            return None
        return table_content(self.connection, table, catalog=place[0], schema=place[1])

    def _name(self, place: tuple[str, str], table: str) -> str:
        return qualified(*place, table)

    def _count(self, sql: str) -> int:
        row = self.connection.execute(sql).fetchone()
        assert row is not None
        return int(row[0])

    def _in_order(self, table: Table) -> list[str]:
        """The columns that count, as the table has them: keys first (house style)."""
        wanted = {column for column, _ in table.columns}
        rows = self.connection.execute(
            "select column_name from duckdb_columns() where database_name = ? "
            "and schema_name = ? and table_name = ? order by column_index",
            [*self.second, table.name],
        ).fetchall()
        return [name for (name,) in rows if name in wanted]

    def _details(self, columns: list[str], sides: tuple[str, str]) -> Details:
        """Set the differing rows side by side, `only_a` and `only_b`, and see where they differ."""
        key = self._key(columns, sides)
        rest = [column for column in columns if column not in key]
        on = _same(key)
        paired = f"from temp.only_a as a inner join temp.only_b as b on {on}"
        differing: list[tuple[str, int]] = []
        for column in rest:
            name = quote(column)
            count = self._count(
                f"select count(*) {paired} where a.{name} is distinct from b.{name}"
            )
            if count:
                differing.append((column, count))
        alone = {
            side: f"from temp.only_{side} as {side} where not exists "
            f"(select 1 from temp.only_{other} as {other} where {on})"
            for side, other in (("a", "b"), ("b", "a"))
        }
        return Details(
            columns=tuple(differing),
            unpaired_a=self._count(f"select count(*) {alone['a']}"),
            unpaired_b=self._count(f"select count(*) {alone['b']}"),
            examples=tuple(
                self._examples(columns, key, [name for name, _ in differing], paired, alone)
            ),
        )

    def _key(self, columns: list[str], sides: tuple[str, str]) -> list[str]:
        """The columns by which most of the differing rows find their counterpart."""
        best: list[str] = columns
        most = -1
        for start in range(min(_LATEST_START, len(columns))):
            run = self._unique_run(columns[start:], sides)
            if run is None:
                continue
            count = self._count(
                f"select count(*) from temp.only_a as a inner join temp.only_b as b on {_same(run)}"
            )
            if count > most:
                best, most = run, count
        return best

    def _unique_run(self, columns: list[str], sides: tuple[str, str]) -> list[str] | None:
        """The shortest run from the first of these columns that no two rows share."""
        for end in range(1, len(columns) + 1):
            run = columns[:end]
            listed = ", ".join(quote(column) for column in run)
            if not any(
                self._count(
                    f"select count(*) from (select 1 from {side} group by {listed} "
                    "having count(*) > 1 limit 1)"
                )
                for side in sides
            ):
                return run
        return None

    def _examples(
        self,
        columns: list[str],
        key: list[str],
        differing: list[str],
        paired: str,
        alone: Mapping[str, str],
    ) -> Iterator[Example]:
        if not self.examples:
            return
        if differing:
            shown = [f"a.{quote(name)}" for name in key]
            shown += [f"{side}.{quote(name)}" for name in differing for side in ("a", "b")]
            order = ", ".join(f"a.{quote(name)}" for name in key)
            rows = self.connection.execute(
                f"select {', '.join(shown)} {paired} order by {order} limit {self.examples}"
            ).fetchall()
            for row in rows:
                values = row[len(key) :]
                pairs = {
                    name: (values[2 * number], values[2 * number + 1])
                    for number, name in enumerate(differing)
                    if values[2 * number] != values[2 * number + 1]
                }
                yield Example(dict(zip(key, row, strict=False)), pairs)
        for side, only_in in (("a", "first"), ("b", "second")):
            listed = ", ".join(f"{side}.{quote(name)}" for name in columns)
            rows = self.connection.execute(
                f"select {listed} {alone[side]} order by {listed} limit {self.examples}"
            ).fetchall()
            for row in rows:
                yield Example(dict(zip(columns, row, strict=True)), {}, only_in)


def _same(columns: list[str]) -> str:
    return " and ".join(
        f"a.{quote(column)} is not distinct from b.{quote(column)}" for column in columns
    )


def _columns_missing(here: Table, there: Table) -> tuple[str, ...]:
    return tuple(
        f"{name} {kind}" for name, kind in here.columns if (name, kind) not in there.columns
    )
