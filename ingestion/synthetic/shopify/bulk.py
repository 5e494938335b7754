"""Bulk operations: a whole list written to a file of JSON lines, in steps.

`bulkOperationRunQuery` checks the query and makes an operation with the status CREATED. Each later
request that reads an operation moves all of them one step: RUNNING, then `step` root objects at a
time, then COMPLETED with a `url`; nothing waits and nothing runs between requests. Roots come first
in the file and children after all roots, as with `groupObjects: false` in the real shop: a child
names its parent by `__parentId` only. With `groupObjects: true` children follow their parent.

Limits, as the real shop has them: one root field, at least one and at most five connections, two
levels of them, none inside a plain list (the lines of `refunds` cannot be had this way), no root
`node`; five operations at a time for an app and shop.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)

from ingestion.synthetic.shopify.cost import Query
from ingestion.synthetic.shopify.database import Integers
from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.records import Record, gid, instant

CONCURRENT = 5
CONNECTIONS = 5
LEVELS = 2
URL_DAYS = 7
ACTIVE = frozenset({"CREATED", "RUNNING", "CANCELING"})


@dataclass(frozen=True)
class Plan:
    """A bulk query that passed the checks."""

    query: Query
    root: str
    execute: Callable[[Integers], dict[str, Any]]
    positions: Integers


@dataclass
class Operation:
    """One bulk operation and its files."""

    number: int
    text: str
    plan: Plan
    grouped: bool
    created_at: int
    folder: Path
    fate: Fault | None
    status: str = "CREATED"
    done: int = 0
    objects: int = 0
    roots: int = 0
    error: str | None = None
    completed_at: int | None = None
    _files: list[TextIO] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The global id."""
        return gid("BulkOperation", self.number)

    @property
    def path(self) -> Path:
        """The finished file."""
        return self.folder / f"{self.number}.jsonl"

    def step(self, size: int, now: int) -> None:
        """Move on by one step."""
        if self.status == "CANCELING":
            self._end("CANCELED", now)
        elif self.status == "CREATED":
            self.status = "RUNNING"
            levels = 1 if self.grouped else LEVELS + 1
            self._files = [
                (self.folder / f"{self.number}.{level}").open("w", encoding="utf-8")
                for level in range(levels)
            ]
        elif self.status == "RUNNING":
            self._write(size, now)

    def _write(self, size: int, now: int) -> None:
        fate = self.fate.kind if self.fate is not None else None
        if fate == "bulk_stuck":
            return
        if fate == "bulk_canceled":
            self._end("CANCELED", now)
            return
        if fate == "bulk_expired":
            self._end("EXPIRED", now)
            return
        end = len(self.plan.positions)
        if fate == "bulk_failed" and self.fate is not None:
            end = min(end, self.fate.roots)
        part = self.plan.positions[self.done : min(self.done + size, end)]
        try:
            data = self.plan.execute(part) if len(part) else {self.plan.root: {"nodes": []}}
        except GraphQLError as error:
            denied = (error.extensions or {}).get("code") == "ACCESS_DENIED"
            self.error = "ACCESS_DENIED" if denied else "INTERNAL_SERVER_ERROR"
            self._end("FAILED", now)
            return
        fields = self.plan.query.root_fields()
        definition, nodes = fields[self.plan.root]
        for value, children in _objects(
            self.plan.query, definition, nodes, data[self.plan.root], None
        ):
            self.roots += 1
            self._put(value, children, 0)
        self.done += len(part)
        if self.done >= end:
            if fate == "bulk_failed":
                self.error = "INTERNAL_SERVER_ERROR"
                self._end("FAILED", now)
            else:
                self._end("COMPLETED", now)

    def _put(self, value: Record, children: list[tuple[Record, list[Any]]], level: int) -> None:
        self.objects += 1
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._files[0 if self.grouped else level].write(line + "\n")
        for child, nested in children:
            self._put(child, nested, level + 1)

    def _end(self, status: str, now: int) -> None:
        self.status = status
        for file in self._files:
            file.close()
        with self.path.open("wb") as whole:
            for level, _ in enumerate(self._files):
                part = self.folder / f"{self.number}.{level}"
                with part.open("rb") as source:
                    shutil.copyfileobj(source, whole)
                part.unlink()
        self._files = []
        if status in {"COMPLETED", "FAILED", "CANCELED", "EXPIRED"}:
            self.completed_at = now if status == "COMPLETED" else None

    def record(self, url: Callable[[Operation], str]) -> Record:
        """The object of the Admin API."""
        has_file = self.objects > 0
        return {
            "__typename": "BulkOperation",
            "id": self.id,
            "type": "QUERY",
            "status": self.status,
            "errorCode": self.error,
            "createdAt": instant(self.created_at),
            "completedAt": instant(self.completed_at),
            "objectCount": str(self.objects),
            "rootObjectCount": str(self.roots),
            "fileSize": (
                str(self.path.stat().st_size) if self.status == "COMPLETED" and has_file else None
            ),
            "url": url(self) if self.status == "COMPLETED" and has_file else None,
            "partialDataUrl": url(self) if self.status == "FAILED" and has_file else None,
            "query": self.text,
        }


@dataclass
class BulkOperations:
    """The bulk operations of one app in one shop.

    Attributes:
        prepare: Checks a query text and makes its plan; raises GraphQLError.
        url: The address of an operation's file.
        fate: The fault that the next operation meets, if any.
        step: Root objects written each time an operation is read.
    """

    prepare: Callable[[str], Plan]
    url: Callable[[Operation], str]
    fate: Callable[[str], Fault | None]
    now: Callable[[], int]
    step: int = 1_000
    operations: list[Operation] = field(default_factory=list)
    _folder: Path | None = None

    def advance(self) -> None:
        """Move every unfinished operation one step."""
        for operation in self.operations:
            operation.step(self.step, self.now())

    def run(self, query: str, *, group_objects: bool) -> Record:
        """Begin an operation; the payload of `bulkOperationRunQuery`."""
        active = [one for one in self.operations if one.status in ACTIVE]
        if len(active) >= CONCURRENT:
            return _refused(
                f"There are already {CONCURRENT} bulk operations in progress for this app and shop:"
                f" {', '.join(one.id for one in active)}.",
                "LIMIT_REACHED",
            )
        try:
            plan = self.prepare(query)
        except GraphQLError as error:
            return _refused(error.message, "INVALID")
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="setae-shop-"))
        operation = Operation(
            number=len(self.operations) + 1,
            text=query,
            plan=plan,
            grouped=group_objects,
            created_at=self.now(),
            folder=self._folder,
            fate=self.fate(query),
        )
        self.operations.append(operation)
        return {"bulkOperation": operation.record(self.url), "userErrors": []}

    def cancel(self, identifier: str) -> Record:
        """Ask an operation to stop; the payload of `bulkOperationCancel`."""
        operation = next((one for one in self.operations if one.id == identifier), None)
        if operation is None:
            return _refused("Bulk operation does not exist", None)
        if operation.status not in ACTIVE:
            message = f"A bulk operation cannot be canceled when it is {operation.status.lower()}"
            return {
                "bulkOperation": operation.record(self.url),
                "userErrors": [{"field": None, "message": message}],
            }
        operation.status = "CANCELING"
        return {"bulkOperation": operation.record(self.url), "userErrors": []}

    def find(self, identifier: str) -> Record | None:
        """One by its global id."""
        for operation in self.operations:
            if operation.id == identifier:
                return operation.record(self.url)
        return None

    def records(self) -> list[Record]:
        """All, oldest first."""
        return [operation.record(self.url) for operation in self.operations]

    def file(self, number: int) -> Path | None:
        """The finished file, while its address is valid (seven days)."""
        for operation in self.operations:
            if operation.number == number and operation.status in {"COMPLETED", "FAILED"}:
                age = self.now() - operation.created_at
                return operation.path if age <= URL_DAYS * 86_400 else None
        return None

    def close(self) -> None:
        """Forget the operations and remove their files."""
        self.operations.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _refused(message: str, code: str | None) -> Record:
    return {
        "bulkOperation": None,
        "userErrors": [{"code": code, "field": ["query"], "message": message}],
    }


def check(query: Query) -> str:
    """The response key of the root connection of a bulk query.

    Raises:
        GraphQLError: When the query breaks a rule of bulk operations.
    """
    if query.operation.operation is not OperationType.QUERY:
        raise GraphQLError("Bulk queries must be a query operation.")
    roots = query.root_fields()
    if len(roots) != 1:
        raise GraphQLError("Bulk queries must contain exactly one top-level field.")
    key, (definition, nodes) = next(iter(roots.items()))
    if nodes[0].name.value in {"node", "nodes"}:
        raise GraphQLError("The top-level node and nodes fields can't be used in a bulk query.")
    found = list(_connections(query, definition, nodes, 0, listed=False))
    if not found:
        raise GraphQLError("Bulk queries must contain at least one connection.")
    if not get_named_type(definition.type).name.endswith("Connection"):
        raise GraphQLError("Bulk queries must begin with a connection.")
    if len(found) > CONNECTIONS:
        raise GraphQLError(f"Bulk queries cannot contain more than {CONNECTIONS} connections.")
    if max(found) > LEVELS:
        raise GraphQLError(
            f"Bulk queries cannot contain connections with a nesting depth greater than {LEVELS}."
        )
    return key


def _connections(
    query: Query, definition: GraphQLField, nodes: list[FieldNode], level: int, *, listed: bool
) -> Iterator[int]:
    """The level of each connection below a field; the outermost is 0."""
    kind = get_named_type(definition.type)
    sets = [node.selection_set for node in nodes if node.selection_set]
    if not sets:
        return
    below = level
    if kind.name.endswith("Connection"):
        if listed:
            raise GraphQLError(
                "Queries that contain a connection field within a list field are not currently "
                "supported."
            )
        yield level
        below = level + 1
        items = _items(query, definition, sets)
        if items is None:
            return
        kind, sets = items
        inner = [part for one in _fields(query, kind, sets) for part in one.values()]
        nested = [
            (part.alias or part.name).value
            for field_definition, parts in inner
            for part in parts
            if get_named_type(field_definition.type).name.endswith("Connection")
        ]
        has_id = any("id" in one for one in _fields(query, kind, sets))
        if nested and not has_id:
            raise GraphQLError(
                "The parent 'node' field for a nested connection must select the 'id' field "
                f"without an alias. Connection fields without 'id': {', '.join(nested)}."
            )
    else:
        listed = listed or _is_list(definition)
    for one in _fields(query, kind, sets):
        for part, part_nodes in one.values():
            yield from _connections(query, part, part_nodes, below, listed=listed)


def _is_list(definition: GraphQLField) -> bool:
    kind = definition.type
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)


def _fields(query: Query, kind: Any, sets: list[SelectionSetNode]) -> list[Any]:
    kinds = query.schema.get_possible_types(kind) if is_abstract_type(kind) else [kind]
    return [query.fields(one, sets) for one in kinds]


def _items(
    query: Query, definition: GraphQLField, sets: list[SelectionSetNode]
) -> tuple[Any, list[SelectionSetNode]] | None:
    """Type and selection of the nodes of a connection, by `nodes` or by `edges { node }`."""
    connection: Any = get_named_type(definition.type)
    fields = query.fields(connection, sets)
    for part, nodes in fields.values():
        name = nodes[0].name.value
        kind: Any = get_named_type(part.type)
        inner = [node.selection_set for node in nodes if node.selection_set]
        if name == "edges":
            selected = query.fields(kind, inner).get("node")
            if selected is None:
                continue
            kind = get_named_type(selected[0].type)
            inner = [node.selection_set for node in selected[1] if node.selection_set]
        elif name != "nodes":
            continue
        return kind, inner
    return None


def _objects(
    query: Query,
    definition: GraphQLField,
    nodes: list[FieldNode],
    data: dict[str, Any] | None,
    parent: str | None,
) -> Iterator[tuple[Record, list[tuple[Record, list[Any]]]]]:
    """Each node of a connection without its own connections, and those as children."""
    sets = [node.selection_set for node in nodes if node.selection_set]
    items = _items(query, definition, sets)
    if items is None or data is None:
        return
    kind, inner = items
    values = data.get("nodes")
    if values is None:
        values = [edge["node"] for edge in data.get("edges", [])]
    possible = _fields(query, kind, inner)
    for value in values:
        record = dict(value)
        children: list[tuple[Record, list[Any]]] = []
        for fields in possible:
            for key, (part, part_nodes) in fields.items():
                if key not in record:
                    continue
                _lift(query, part, part_nodes, record, key, value.get("id"), children)
        if parent is not None:
            record["__parentId"] = parent
        yield record, children


def _lift(
    query: Query,
    part: GraphQLField,
    nodes: list[FieldNode],
    record: Record,
    key: str,
    parent: str | None,
    children: list[tuple[Record, list[Any]]],
) -> None:
    """Take the connections out of `record[key]`, also those inside its objects."""
    kind = get_named_type(part.type)
    if kind.name.endswith("Connection"):
        children.extend(_objects(query, part, nodes, record.pop(key), parent))
        return
    inner = record[key]
    if not isinstance(inner, dict):
        return
    sets = [node.selection_set for node in nodes if node.selection_set]
    copy = dict(inner)
    for fields in _fields(query, kind, sets):
        for name, (deeper, deeper_nodes) in fields.items():
            if name in copy:
                _lift(query, deeper, deeper_nodes, copy, name, parent, children)
    record[key] = copy
