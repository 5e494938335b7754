"""Arrow tables as deliveries: what their columns offer the contract, row by row if need be.

Types are taken as they are: a DECIMAL is money without a detour over text, a time with a zone is an
instant. What has no rule here (a time without zone, bytes, a map) is left to the strict rules,
which say what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.contract import EntityContract
from ingestion.conversion import Input
from ingestion.intake import Batch, Place, RawRecord
from ingestion.validate import NumberText, is_kept_name
from setae.warehouse import quote

SURELY_SMALL_BYTES = 150_000
"""A row whose texts are shorter is under 1 MiB however JSON escapes them."""


def kind_of(data_type: pa.DataType) -> str:
    """The kind of `Input` an Arrow type is."""
    types = pa.types
    if types.is_dictionary(data_type):
        return kind_of(data_type.value_type)
    if types.is_string(data_type) or types.is_large_string(data_type) or types.is_null(data_type):
        return "text"
    if types.is_integer(data_type):
        return "int"
    if types.is_float64(data_type):
        return "float"
    if types.is_float32(data_type):
        return "single"
    if types.is_decimal(data_type):
        return "decimal"
    if types.is_timestamp(data_type):
        return "instant" if data_type.tz is not None else "local"
    if types.is_date(data_type):
        return "date"
    if types.is_boolean(data_type):
        return "bool"
    if types.is_struct(data_type) or types.is_list(data_type) or types.is_large_list(data_type):
        inner = [data_type.field(number).type for number in range(data_type.num_fields)]
        plain_kinds = {"text", "int", "float", "bool", "nested"}
        return "nested" if {kind_of(one) for one in inner} <= plain_kinds else "other"
    return "other"


def batch(
    contract: EntityContract, table: pa.Table, *, first_line: int = 1, lines: pa.Array | None = None
) -> Batch:
    """Make a batch of an Arrow table whose columns are named as the contract's fields.

    Args:
        contract: Of the entity.
        table: The rows; other columns are kept as unknown fields, or dropped by their name.
        first_line: Number of the first row in its file.
        lines: Row numbers, where they are not consecutive.
    """
    known = {field.name for field in contract.fields}
    for position, one in enumerate(table.schema):
        if pa.types.is_null(one.type) or pa.types.is_string_view(one.type):
            table = table.set_column(position, one.name, table[one.name].cast(pa.string()))
    kinds = {name: kind_of(table.schema.field(name).type) for name in table.schema.names}
    kept = [name for name in table.schema.names if name not in known and is_kept_name(name)]
    dropped = [name for name in table.schema.names if name not in known and name not in kept]
    dropped_count = sum(len(table) - table[name].null_count for name in dropped)
    for name in kept:
        if kinds[name] not in ("text", "int", "float", "bool", "nested"):
            position = table.schema.get_field_index(name)
            table = table.set_column(position, name, _as_text(table[name], kinds[name]))
            kinds[name] = "text"
    columns = {f"c{number}": name for number, name in enumerate(table.schema.names)}
    renamed = {name: column for column, name in columns.items()}
    numbered = table.rename_columns(list(columns)).drop_columns([renamed[name] for name in dropped])
    if lines is None:
        lines = pa.array(np.arange(first_line, first_line + len(table)), pa.int64())
    numbered = numbered.append_column("_row", pa.array(np.arange(len(table)), pa.int64()))
    numbered = numbered.append_column("_line", lines)
    inputs = {
        name: Input(quote(renamed[name]), kinds[name])
        for name in table.schema.names
        if name in known
    }
    unknown = [(name, f"to_json({quote(renamed[name])})::varchar") for name in sorted(kept)]

    def read(row: int) -> RawRecord:
        value = {name: plain(table[name][row].as_py(), kinds[name]) for name in table.schema.names}
        data = json.dumps(value, default=str, sort_keys=True, ensure_ascii=False)
        return RawRecord(
            place=Place(lines[row].as_py()),
            value=value,
            data=data.encode("utf-8", "surrogatepass"),
        )

    return Batch(
        table=numbered,
        relation="chunk",
        inputs=inputs,
        record=read,
        unknown=unknown,
        also_ok=_sizes(numbered, [renamed[name] for name in (*inputs, *kept)]),
        dropped_count=dropped_count,
    )


def of_records(contract: EntityContract, records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Records of JSON as a table that always has the contract's fields, and them alone.

    Values are text, as they are in JSON, and become what they are in the contract's hands; a wrong
    one is rejected there, alone.
    """
    columns = {
        field.name: pa.array(
            [_written(record.get(field.name), field.x_type) for record in records],
            pa.list_(pa.string()) if field.x_type == "list" else pa.string(),
        )
        for field in contract.fields
    }
    return pa.table(columns)


def _written(value: Any, x_type: str) -> Any:
    if value is None or isinstance(value, str):
        return value if x_type != "list" or value is None else [value]
    if x_type == "list" and isinstance(value, list):
        return [one if isinstance(one, str) else json.dumps(one) for one in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def _as_text(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """A column outside the contract whose type JSON does not have."""
    values = (plain(value, kind) for value in column.to_pylist())
    return pa.chunked_array(
        [[_spelled(value) if value is not None else None for value in values]], pa.string()
    )


def _spelled(value: Any) -> str:
    if isinstance(value, NumberText):
        return value.text
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sizes(table: pa.Table, columns: Sequence[str]) -> list[str]:
    """A condition that no row is oversized, where one could be."""
    longest = 0
    texts = []
    for name in columns:
        kind = kind_of(table.schema.field(name).type)
        if kind == "text" and not pa.types.is_dictionary(table.schema.field(name).type):
            longest += pc.max(pc.binary_length(table[name])).as_py() or 0
            texts.append(f"strlen({quote(name)})")
        elif kind in ("text", "nested", "other"):
            longest += table[name].nbytes
            texts.append(f"strlen(({quote(name)})::varchar)")
    if longest < SURELY_SMALL_BYTES:
        return []
    return [" + ".join(f"coalesce({text}, 0)" for text in texts) + f" < {SURELY_SMALL_BYTES}"]


def plain(value: Any, kind: str) -> Any:
    """A Python value of Arrow's as `json.loads` would have given it to the strict rules."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return NumberText(str(np.float32(value)) if kind == "single" else repr(value))
    if isinstance(value, Decimal):
        return NumberText(format(value, "f"))
    if isinstance(value, datetime):
        # Parquet's times with zone arrive aware; nanoseconds arrive as pandas' subclass.
        if value.tzinfo is None:
            return value.isoformat(timespec="microseconds")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(item, "") for item in value]
    if isinstance(value, dict):
        return {name: plain(item, "") for name, item in value.items()}
    return {"type": type(value).__name__}
