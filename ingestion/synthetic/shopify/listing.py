"""Lists, pages and cursors: how a connection of the Admin API walks through its objects.

A cursor names the last object of a page by its sort value and id, not by its place, as the real
shop's do: an object that moves between two requests can be missed or come twice, exactly as there.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from graphql import GraphQLError

from ingestion.synthetic.shopify.database import Integers, Mask
from ingestion.synthetic.shopify.search import Filter, Search

PAGE_SIZE = 250
PAGING_LIMIT = 25_000
"""Objects of one list that can be reached by paging."""


def cursor_of(value: int, identifier: int) -> str:
    """The opaque cursor of an object."""
    text = json.dumps({"last_id": identifier, "last_value": str(value)}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def read_cursor(cursor: str) -> tuple[int, int]:
    """Sort value and id of the object a cursor names.

    Raises:
        GraphQLError: As the real shop says it.
    """
    try:
        content = json.loads(base64.b64decode(cursor, validate=True))
        return int(content["last_value"]), int(content["last_id"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise GraphQLError("Invalid cursor for current pagination sort.") from None


def page_size(arguments: Mapping[str, Any]) -> tuple[int, bool]:
    """How many objects are asked for, and whether from the end.

    Raises:
        GraphQLError: When neither or both of `first` and `last` are given, or they are too large.
    """
    first, last = arguments.get("first"), arguments.get("last")
    if first is None and last is None:
        raise GraphQLError("you must provide one of first or last")
    if first is not None and last is not None:
        raise GraphQLError("providing both first and last is not supported")
    size: int = first if first is not None else arguments["last"]
    if not 0 < size <= PAGE_SIZE:
        name = "first" if first is not None else "last"
        raise GraphQLError(
            f"{name} must be between 1 and {PAGE_SIZE}", extensions={"code": "BAD_USER_INPUT"}
        )
    return size, last is not None


@dataclass(frozen=True)
class Page:
    """One page of a listing: positions in its table, and the cursor of each."""

    positions: Integers
    cursors: list[str]
    has_next: bool
    has_previous: bool


@dataclass
class Listing:
    """What a root connection walks through, as of one instant.

    Attributes:
        ids: Ids by position, ascending.
        visible: Which positions exist.
        keys: Sort values by the name of the sort key.
        filters: The fields of its search.
    """

    ids: Integers
    visible: Mask
    keys: Mapping[str, Integers]
    filters: Mapping[str, Filter]
    _orders: dict[str, Integers] = field(default_factory=dict)

    def _sorted(self, key: str) -> Integers:
        if key not in self._orders:
            self._orders[key] = np.lexsort((self.ids, self.keys[key]))
        return self._orders[key]

    def select(
        self, arguments: Mapping[str, Any], warn: Callable[[Search], None], only: Mask | None = None
    ) -> tuple[Integers, Integers]:
        """All positions asked for, in their order, with their sort values.

        Args:
            arguments: `query`, `sortKey`, `reverse`.
            warn: Told about the search when something of it was left out.
            only: A narrower set than what is visible.
        """
        mask = self.visible if only is None else self.visible & only
        if query := arguments.get("query"):
            search = Search(self.filters, len(self.ids))
            mask = mask & search.run(query)
            if search.warnings:
                warn(search)
        key = arguments.get("sortKey") or "ID"
        order = self._sorted(key)
        positions = order[mask[order]]
        if arguments.get("reverse"):
            positions = positions[::-1]
        return positions, self.keys[key][positions]

    def page(
        self,
        arguments: Mapping[str, Any],
        warn: Callable[[Search], None],
        *,
        limit: int,
        only: Mask | None = None,
    ) -> Page:
        """One page.

        Raises:
            GraphQLError: For a bad cursor or size, or a page beyond `limit` objects.
        """
        size, from_end = page_size(arguments)
        positions, values = self.select(arguments, warn, only)
        sign = -1 if arguments.get("reverse") else 1
        ids = self.ids[positions]
        begin, end = 0, len(positions)
        if after := arguments.get("after"):
            begin = _after(values * sign, ids * sign, *(sign * part for part in read_cursor(after)))
        if before := arguments.get("before"):
            value, identifier = (sign * part for part in read_cursor(before))
            end = _after(values * sign, ids * sign, value, identifier - 1)
        if from_end:
            start, stop = max(begin, end - size), end
        else:
            start, stop = begin, min(end, begin + size)
        stop = max(start, stop)
        if start < len(positions) and stop > limit:
            raise GraphQLError(
                f"Pagination is limited to {limit} objects. Filter the list to make it shorter.",
                extensions={"code": "BAD_REQUEST"},
            )
        cursors = [
            cursor_of(value, identifier)
            for value, identifier in zip(
                values[start:stop].tolist(), ids[start:stop].tolist(), strict=True
            )
        ]
        return Page(positions[start:stop], cursors, stop < len(positions), start > 0)


def _after(values: Integers, ids: Integers, value: int, identifier: int) -> int:
    """The first place whose (value, id) is greater; both ascend together."""
    low = int(np.searchsorted(values, value, "left"))
    high = int(np.searchsorted(values, value, "right"))
    return low + int(np.searchsorted(ids[low:high], identifier, "right"))


def connection(
    nodes: Sequence[Any], cursors: Sequence[str], *, has_next: bool, has_previous: bool
) -> dict[str, Any]:
    """A connection object with nodes, edges and pageInfo."""
    return {
        "nodes": nodes,
        "edges": [
            {"cursor": cursor, "node": node} for cursor, node in zip(cursors, nodes, strict=True)
        ],
        "pageInfo": {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }


def page_through(items: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A page of a list that is in memory, such as the lines of one order.

    Raises:
        GraphQLError: For a bad cursor or size.
    """
    size, from_end = page_size(arguments)
    indexed = list(enumerate(items))
    if arguments.get("reverse"):
        indexed.reverse()
    places = [index for index, _ in indexed]
    begin, end = 0, len(indexed)
    if (after := arguments.get("after")) and (at := read_cursor(after)[0]) in places:
        begin = places.index(at) + 1
    if (before := arguments.get("before")) and (at := read_cursor(before)[0]) in places:
        end = places.index(at)
    if from_end:
        begin = max(begin, end - size)
    else:
        end = min(end, begin + size)
    chosen = indexed[begin:end]
    return connection(
        [item for _, item in chosen],
        [cursor_of(index, index) for index, _ in chosen],
        has_next=begin + len(chosen) < len(indexed),
        has_previous=begin > 0,
    )


def whole(items: Sequence[Any]) -> dict[str, Any]:
    """A connection with all of `items`: what a bulk operation reads."""
    return {"nodes": items, "edges": [{"cursor": "", "node": item} for item in items]}
