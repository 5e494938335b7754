"""The contract as code: one JSON Schema file per entity drives everything that knows its shape.

`ingestion/contracts/<source kind>/<entity>.json` says what a source may deliver: each property with
type, rule and description, one example, and in `x-` keywords what plain JSON Schema cannot say (the
key, the time column, the parent, which field becomes which pseudonym). The validator, the loader's
raw tables, the dbt sources and `docs/reference/contract.md` are all read from these files.

    python -m ingestion.contract --write-docs    # docs/reference/contract.md, and the examples in
                                                 # the pages docs/sources/<source kind>.md
    python -m ingestion.contract --check         # fail if either is out of date
    python -m ingestion.contract --dbt-sources drops

Keywords: `x-key`, `x-time`, `x-occurred` (the time column is when something happened, so it can be
neither in the future nor before the source's history), `x-parent`, `x-any-of` (one of these fields
is needed, and by which rule), `x-rules` (checks across fields, in `ingestion.validate`),
`x-derived` (columns no single property makes), and on a property `x-type`, `x-pii` (read plain,
written only as a pseudonym), `x-drop` (read, never written), `x-derive` (how its columns are made),
`x-columns` (columns beside or instead of its own), `x-privacy`, `x-tolerance` (noise of binary
floats forgiven in money) and `x-declared_timezone` (times without offset are of this zone).
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from setae.errors import ConfigError
from setae.ledger import CONTRACT_VERSION

DUCKDB_TYPES = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "enum": "VARCHAR",
    "ccy": "VARCHAR",
    "cc": "VARCHAR",
    "json": "VARCHAR",
    "list": "VARCHAR",
    "ts": "TIMESTAMP",
    "moment": "TIMESTAMP",
    "date": "DATE",
    "money": "DECIMAL(18,4)",
    "dec": "DECIMAL(20,4)",
    "fx": "DECIMAL(18,8)",
    "int": "BIGINT",
    "rate": "DOUBLE",
    "bool": "BOOLEAN",
}
"""Column type of each `x-type`. `json` and `list` are text that holds JSON."""

TYPE_NOTES = {
    "id": "id",
    "text": "text",
    "enum": "one of a list",
    "ccy": "currency code",
    "cc": "country code",
    "json": "JSON",
    "list": "list of text",
    "ts": "time with offset",
    "moment": "date, or time with offset",
    "date": "date",
    "money": "money, ≤ 4 decimal places",
    "dec": "number, ≤ 4 decimal places",
    "fx": "number, ≤ 8 decimal places",
    "int": "whole number ≥ 0",
    "rate": "fraction 0 to 1",
    "bool": "true or false",
}


@dataclass(frozen=True)
class Column:
    """A column of a landed file and of its raw table.

    Attributes:
        pii: Privacy class: `P1` pseudonym, `P2` quasi-identifier, None otherwise.
        enum: Allowed values, empty for open text.
    """

    name: str
    duckdb_type: str
    required: bool
    description: str
    pii: str | None = None
    enum: tuple[str, ...] = ()
    x_type: str = "text"


@dataclass(frozen=True)
class Pseudonym:
    """How a plain value becomes a pseudonym.

    Attributes:
        key_class: Class of the key, or `by:<field>` where another field names it.
        scope: `none`, `account`, `platform`, `day`, or `by:<field>`.
        column: The column that holds the pseudonym.
    """

    key_class: str
    scope: str
    column: str


@dataclass(frozen=True)
class Field:
    """A property as a source delivers it."""

    name: str
    x_type: str
    required: bool
    description: str
    enum: tuple[str, ...] = ()
    is_non_negative: bool = False
    default: bool | None = None
    pseudonym: Pseudonym | None = None
    derive: str | None = None
    is_dropped: bool = False
    tolerance: float = 0.0
    declared_timezone: str | None = None
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Parent:
    """The entity a row belongs to; `columns` pairs own columns with the parent's."""

    entity: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of these fields is needed; otherwise the row breaks `rule`."""

    fields: tuple[str, ...]
    rule: str


@dataclass(frozen=True)
class EntityContract:
    """All that is promised about one entity of one kind of source."""

    source_kind: str
    entity: str
    version: str
    description: str
    key: tuple[str, ...]
    time_column: str | None
    is_occurrence: bool
    parent: Parent | None
    any_of: tuple[AnyOf, ...]
    rules: tuple[str, ...]
    fields: tuple[Field, ...]
    columns: tuple[Column, ...]
    example: dict[str, Any]
    is_landed: bool

    def field(self, name: str) -> Field | None:
        """The property of that name, if the contract has one."""
        return next((field for field in self.fields if field.name == name), None)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            KeyError: The entity has none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


LANDED_COLUMNS: tuple[Column, ...] = (
    Column("_source_account", "VARCHAR", True, "Shop, app or property the ids belong to."),
    Column("_record_key", "VARCHAR", True, "Key of the record, unique in its entity."),
    Column("_record_hash", "VARCHAR", True, "MD5 of the canonical JSON of all columns above."),
    Column("_source_updated_at", "TIMESTAMP", False, "When the source last changed the record."),
    Column("_revision", "BIGINT", True, "Decides between versions of one `updated_at`."),
    Column("_received_at", "TIMESTAMP", False, "The feed's own, else the end of the window."),
    Column("_line", "BIGINT", True, "Line (or row) of the delivered file, from 1."),
    Column("_extra", "VARCHAR", False, "Fields the contract does not know, as JSON."),
)
"""What landing adds to every good row; the loader adds `_file_id` and `_is_parked`."""


def _root() -> Any:
    return resources.files("ingestion") / "contracts"


@cache
def source_kinds() -> tuple[str, ...]:
    """Kinds of source there are contracts for."""
    return tuple(sorted(entry.name for entry in _root().iterdir() if entry.is_dir()))


@cache
def inputs(source_kind: str) -> tuple[str, ...]:
    """Everything a source of this kind may deliver, the roster included.

    Raises:
        ConfigError: There are no contracts for this kind.
    """
    if source_kind not in source_kinds():
        raise ConfigError(
            f"setae.toml: no source kind {source_kind!r} "
            f"(there are: {', '.join(source_kinds())}); correct `kind`"
        )
    names = (entry.name for entry in (_root() / source_kind).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


@cache
def entities(source_kind: str) -> tuple[str, ...]:
    """Entities of this kind that have a raw table, in alphabetical order."""
    return tuple(name for name in inputs(source_kind) if load(source_kind, name).is_landed)


@cache
def schema(source_kind: str, entity: str) -> dict[str, Any]:
    """The contract file itself. Treat it as read-only.

    Raises:
        ConfigError: No such entity.
    """
    if entity not in inputs(source_kind):
        raise ConfigError(
            f"ingestion/contracts/{source_kind}: no entity {entity!r} "
            f"(there are: {', '.join(inputs(source_kind))}); correct the name"
        )
    text = (_root() / source_kind / f"{entity}.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


@cache
def load(source_kind: str, entity: str) -> EntityContract:
    """Read one contract.

    Args:
        source_kind: `drops` or another folder of `ingestion/contracts`.
        entity: Name of the file without `.json`.

    Raises:
        ConfigError: No such kind or entity.
    """
    return parse(source_kind, schema(source_kind, entity))


def parse(source_kind: str, raw: dict[str, Any]) -> EntityContract:
    """One contract from the content of its file."""
    required = set(raw["required"])
    fields = tuple(
        _field(name, value, name in required) for name, value in raw["properties"].items()
    )
    derived = tuple(_column(value, required=True) for value in raw["x-derived"])
    columns = tuple(column for field in fields for column in field.columns) + derived
    parent = raw["x-parent"]
    return EntityContract(
        source_kind=source_kind,
        entity=raw["title"],
        version=raw["x-version"],
        description=raw["description"],
        key=tuple(raw["x-key"]),
        time_column=raw["x-time"],
        is_occurrence=raw["x-occurred"],
        parent=Parent(parent["entity"], tuple(sorted(parent["columns"].items())))
        if parent
        else None,
        any_of=tuple(AnyOf(tuple(one["fields"]), one["rule"]) for one in raw["x-any-of"]),
        rules=tuple(raw["x-rules"]),
        fields=fields,
        columns=columns,
        example=raw["examples"][0],
        is_landed=raw["x-landed"],
    )


def _enum(value: dict[str, Any]) -> tuple[str, ...]:
    return tuple(one for one in value.get("enum", ()) if one)


def _column(value: dict[str, Any], *, required: bool = False) -> Column:
    return Column(
        name=value["name"],
        duckdb_type=DUCKDB_TYPES[value["x-type"]],
        required=required,
        description=value["description"],
        pii=value.get("x-privacy"),
        enum=_enum(value) or tuple(value.get("x-enum", ())),
        x_type=value["x-type"],
    )


def _field(name: str, value: dict[str, Any], required: bool) -> Field:
    x_type = value["x-type"]
    pii = value.get("x-pii")
    pseudonym = None
    own: tuple[Column, ...] = ()
    if pii is not None:
        pseudonym = Pseudonym(pii["class"], pii["scope"], pii["column"])
        column_type = "list" if x_type == "list" else "text"
        own = (
            Column(pii["column"], "VARCHAR", required, pii["description"], "P1", (), column_type),
        )
    elif not value.get("x-drop") and "x-columns" not in value:
        own = (
            Column(
                name=name,
                duckdb_type=DUCKDB_TYPES[x_type],
                required=required,
                description=value["description"],
                pii=value.get("x-privacy"),
                enum=_enum(value),
                x_type=x_type,
            ),
        )
    # Only a code's own columns are as surely there as the code; a URL may have no path.
    sure = required and value.get("x-derive") == "code"
    beside = tuple(_column(one, required=sure) for one in value.get("x-columns", ()))
    return Field(
        name=name,
        x_type=x_type,
        required=required,
        description=value["description"],
        enum=_enum(value),
        is_non_negative=value.get("minimum") == 0,
        default=value.get("default"),
        pseudonym=pseudonym,
        derive=value.get("x-derive"),
        is_dropped=bool(value.get("x-drop")),
        tolerance=value.get("x-tolerance", 0.0),
        declared_timezone=value.get("x-declared_timezone"),
        columns=own + beside,
    )


def reference() -> str:
    """The text of `docs/reference/contract.md`."""
    lines = [
        "# Contract reference",
        "",
        "<!-- Generated by `python -m ingestion.contract --write-docs`; do not edit. -->",
        "",
        (
            f"Version {CONTRACT_VERSION}. One section per entity a source may deliver. *Delivered* "
            "is what the source writes into a file, *stored* what lands and is loaded. Fields "
            "marked with **!** are required. Pseudonyms (P1) replace what they are made of before "
            "anything is written; P2 columns say something about a person without naming one."
        ),
        "",
    ]
    for kind in source_kinds():
        lines += [f"## Source kind `{kind}`", ""]
        for name in inputs(kind):
            lines += _section(load(kind, name))
    return "\n".join(lines).rstrip() + "\n"


def _section(contract: EntityContract) -> list[str]:
    lines = [f"### {contract.source_kind}: {contract.entity}", "", contract.description, ""]
    facts = [f"Key: {', '.join(f'`{part}`' for part in contract.key)}"]
    if contract.time_column:
        facts.append(f"time: `{contract.time_column}`")
    if contract.parent:
        facts.append(f"belongs to `{contract.parent.entity}`")
    facts += [
        f"one of {', '.join(f'`{name}`' for name in one.fields)} ({one.rule})"
        for one in contract.any_of
    ]
    lines += [
        "; ".join(facts) + ".",
        "",
        "| delivered | type | stored | meaning |",
        "|---|---|---|---|",
    ]
    for field in contract.fields:
        mark = " **!**" if field.required else ""
        note = TYPE_NOTES[field.x_type]
        if field.enum:
            note = ", ".join(field.enum)
        elif field.is_non_negative and field.x_type in ("money", "dec"):
            note += ", ≥ 0"
        stored = (
            ", ".join(
                f"`{column.name}` {column.duckdb_type}{f' ({column.pii})' if column.pii else ''}"
                for column in field.columns
            )
            if contract.is_landed
            else "fanned out"
        )
        lines.append(
            f"| `{field.name}`{mark} | {note} | {stored or 'dropped'} | {field.description} |"
        )
    by_fields = {column.name for field in contract.fields for column in field.columns}
    for column in contract.columns:
        if column.name not in by_fields:
            lines.append(f"| | | `{column.name}` {column.duckdb_type} | {column.description} |")
    example = json.dumps(contract.example, ensure_ascii=False)
    return [*lines, "", "```json", example, "```", ""]


EXAMPLES_BEGIN = "<!-- examples: generated by `python -m ingestion.contract --write-docs` -->\n"
EXAMPLES_END = "<!-- end of examples -->\n"


def with_examples(page: str, source_kind: str) -> str:
    """A page with its block of examples, one line an entity, made anew."""
    head, begin, rest = page.partition(EXAMPLES_BEGIN)
    _, end, tail = rest.partition(EXAMPLES_END)
    if not end:
        return page
    lines = []
    for name in inputs(source_kind):
        one = load(source_kind, name)
        example = json.dumps(one.example, ensure_ascii=False)
        lines += [f"**`{name}/`** {one.description}", "", "```json", example, "```", ""]
    return "\n".join([head + begin, *lines, end + tail])


def dbt_sources(source_kind: str, contracts: Sequence[EntityContract] | None = None) -> str:
    """A dbt sources file for the raw tables of one kind, as YAML text.

    Args:
        source_kind: A folder of `ingestion/contracts`.
        contracts: Of its entities; by default those the folder holds.
    """
    if contracts is None:
        contracts = [load(source_kind, name) for name in entities(source_kind)]
    lines = [
        "version: 2",
        "",
        "sources:",
        f"  - name: raw_{source_kind}",
        f"    schema: raw_{source_kind}",
        f"    description: What sources of kind {source_kind} said, pseudonymised.",
        "    tables:",
    ]
    for contract in contracts:
        lines += [
            f"      - name: {contract.entity}",
            *_yaml_description(contract.description, 8),
            "        columns:",
        ]
        for column in (*contract.columns, *LANDED_COLUMNS):
            lines += [
                f"          - name: {column.name}",
                f"            data_type: {column.duckdb_type.lower()}",
                *_yaml_description(column.description, 12),
            ]
            if column.pii:
                lines += ["            config:", f"              meta: {{pii: {column.pii}}}"]
    return "\n".join(lines) + "\n"


def _yaml_description(text: str, indent: int) -> list[str]:
    """A `description:` for YAML, folded where it would pass the width of `.yamllint`."""
    pad, width = " " * indent, 120
    line = f"{pad}description: {json.dumps(text, ensure_ascii=False)}"
    if len(line) <= width:
        return [line]
    folded = textwrap.wrap(text, width - indent - 2)
    return [f"{pad}description: >-", *(f"{pad}  {part}" for part in folded)]


def main(arguments: list[str] | None = None) -> int:
    """Write or check what is generated from the contracts."""
    parser = argparse.ArgumentParser(prog="python -m ingestion.contract")
    parser.add_argument("--write-docs", action="store_true", help="write the reference page")
    parser.add_argument("--check", action="store_true", help="fail if the page is out of date")
    parser.add_argument("--dbt-sources", metavar="KIND", help="print a dbt sources file")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="folder of the pages")
    options = parser.parse_args(arguments)
    if options.dbt_sources:
        sys.stdout.write(dbt_sources(options.dbt_sources))
    pages = {options.docs / "reference" / "contract.md": reference()}
    for kind in source_kinds():
        page = options.docs / "sources" / f"{kind}.md"
        if page.exists():
            pages[page] = with_examples(page.read_text(encoding="utf-8"), kind)
    stale = [
        page
        for page, text in pages.items()
        if not page.exists() or page.read_text(encoding="utf-8") != text
    ]
    if options.write_docs:
        for page in stale:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(pages[page], encoding="utf-8")
    elif options.check:
        for page in stale:
            sys.stderr.write(
                f"{page}: out of date; run `python -m ingestion.contract --write-docs`\n"
            )
        return 1 if stale else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
