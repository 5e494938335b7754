"""What is read of a shop, one stream a kind of object, in windows of `updated_at`.

A stream reads the objects changed since its cursor (less `lag_seconds`, because children are
written after their parent) and before the window's end, oldest change first. After `PART_COUNT` of
them the part is landed and the cursor kept; the next part starts where it ended, so no list grows
beyond the 25,000 objects that can be paged through, and a fetch that is put off loses little.
A long history of orders is read by bulk operations of at most `PART_COUNT` orders each.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource

from ingestion import contract, typed_table
from ingestion.api import Clock
from ingestion.sources.shopify import bulk, children, queries, records
from ingestion.sources.shopify.client import Client
from ingestion.sources.shopify.records import Bundle, Node, People
from setae.failpoints import failpoint
from setae.settings import SourceSettings

LOG = logging.getLogger(__name__)

PART_COUNT = 20_000
"""Objects of one part; a list can be paged through up to 25,000."""

BATCH_COUNT = 500
"""Objects of a bulk file that go on together."""

WAITING_DAYS = 7
"""So long an order whose journey is not ready is asked for again."""

BEGIN_OF_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Before any shop."""


@dataclass(frozen=True)
class Stream:
    """One kind of object.

    Attributes:
        name: Of the stream; its cursor is kept under it.
        root: The connection to page through.
        query: The question.
        scope: Access the token needs.
        tables: Entities its objects fill.
        split: One object's records.
        complete: Asks for the children that did not come with their parent.
    """

    name: str
    root: str
    query: str
    scope: str
    tables: tuple[str, ...]
    split: Callable[[Node, People], Bundle]
    complete: Callable[[Client, Node], Node]


@dataclass(frozen=True)
class Window:
    """What a fetch is about.

    Attributes:
        start: Begin, where there is one; a fetch that follows its cursor has none.
        end: End, not in it.
        is_bounded: Read exactly this and leave the cursors alone (a backfill).
    """

    start: datetime | None
    end: datetime
    is_bounded: bool


@dataclass(frozen=True)
class Part:
    """One piece of a stream's window, landed as a whole."""

    start: datetime | None
    end: datetime
    is_bulk: bool = False


@dataclass
class Reader:
    """Reads one stream part by part; `source` is what dlt runs for the next one."""

    stream: Stream
    client: Client
    people: People
    config: SourceSettings
    window: Window
    clock: Clock
    cursor: datetime | None
    tell: Callable[[str, int], None]
    _parts: list[Part] = field(default_factory=list)
    _is_first: bool = True
    _count: int = 0

    def __post_init__(self) -> None:
        self._parts = self._plan()

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to read."""
        return not self._parts

    def source(self) -> DltSource:
        """The dlt source of the next part."""
        part = self._parts.pop(0)
        stream = self.stream
        read = _resource(f"{stream.name}_read", partial(self._read, part), self._incremental())
        found = [read, *_tables(read, stream.tables)]
        if self._is_first and stream.name == "orders" and not self.window.is_bounded:
            again = _resource("orders_waiting", self._read_waiting)
            found += [again, *_tables(again, stream.tables, suffix="_again")]
        self._is_first = False

        @dlt.source(name=records.KIND, max_table_nesting=0)
        def shop() -> list[DltResource]:
            return found

        return shop()

    # -- what to read ---------------------------------------------------------------------------

    def _plan(self) -> list[Part]:
        start = self.window.start
        if not self.window.is_bounded and self.cursor is not None:
            start = self.cursor - timedelta(seconds=self.config.lag_seconds)
            return [Part(start, self.window.end)]
        if self.stream.name == "orders":
            total = self._count_orders(start, self.window.end)
            if total > self.config.bulk_minimum_count:
                return list(self._halved(self._first_change(start), self.window.end, total))
        return [Part(start, self.window.end)]

    def _halved(self, start: datetime, end: datetime, count: int) -> Iterator[Part]:
        """Parts of a long window, each of few enough orders for one operation."""
        if count == 0:
            return
        middle = start + timedelta(seconds=(end - start).total_seconds() // 2)
        if count <= PART_COUNT or middle <= start:
            yield Part(start, end, is_bulk=count <= PART_COUNT)
            return
        before = self._count_orders(start, middle)
        yield from self._halved(start, middle, before)
        yield from self._halved(middle, end, self._count_orders(middle, end))

    def _count_orders(self, start: datetime | None, end: datetime) -> int:
        answer = self.client.ask(queries.ORDERS_COUNT, search=search(start, end))["ordersCount"]
        return int(answer["count"])

    def _first_change(self, start: datetime | None) -> datetime:
        if start is not None:
            return start
        nodes = next(
            self.client.pages(
                self.stream.query, self.stream.root, size=1, search=search(None, self.window.end)
            )
        )
        return records.moment(nodes[0]["updatedAt"]) if nodes else self.window.end

    def _incremental(self) -> Any:
        """The cursor: kept by dlt, unless this is a backfill."""
        bounds: dict[str, Any] = {"lag": self.config.lag_seconds}
        if self.window.is_bounded:
            bounds = {
                "initial_value": self.window.start or BEGIN_OF_TIME,
                "end_value": self.window.end,
            }
        return dlt.sources.incremental[datetime](
            "updated_at", primary_key=(), allow_external_schedulers=False, **bounds
        )

    # -- reading --------------------------------------------------------------------------------

    def _read(self, part: Part) -> Iterator[list[Node]]:
        """The bundles of a part."""
        if part.is_bulk:
            try:
                yield from self._read_bulk(part)
                return
            except bulk.BulkFailed as error:
                LOG.warning(
                    "%s: a bulk operation gave nothing (%s); reading the same by pages",
                    self.client.name,
                    error,
                )
        yield from self._read_pages(part)

    def _read_bulk(self, part: Part) -> Iterator[list[Node]]:
        nodes = bulk.orders(
            self.client,
            search(part.start, part.end),
            clock=self.clock,
            budget_seconds=self.config.wait_budget_seconds,
        )
        for begin in range(0, len(nodes), BATCH_COUNT):
            yield self._bundles(nodes[begin : begin + BATCH_COUNT])

    def _read_pages(self, part: Part) -> Iterator[list[Node]]:
        count, newest = 0, part.start
        for nodes in self.client.pages(
            self.stream.query, self.stream.root, search=search(part.start, part.end)
        ):
            bundles = self._bundles(
                [self.stream.complete(self.client, node) for node in nodes],
            )
            count += len(bundles)
            if bundles:
                newest = max(one["updated_at"] for one in bundles)
            yield bundles
            if count >= PART_COUNT and newest is not None and newest != part.start:
                self._parts.insert(0, Part(newest, part.end))
                return

    def _bundles(self, nodes: list[Node]) -> list[Node]:
        found = []
        for node in nodes:
            if self.stream.name == "orders":
                self._remember_journey(node)
            bundle = self.stream.split(node, self.people)
            found.append({"updated_at": bundle.updated_at, "records": bundle.records})
        self._count += len(found)
        self.tell(self.stream.name, self._count)
        failpoint("extract:after_page")
        return found

    # -- journeys that are not ready ------------------------------------------------------------

    def _remember_journey(self, order: Node) -> None:
        """Keep in mind which orders to ask for again."""
        if self.window.is_bounded:
            return
        waiting = dlt.current.source_state().setdefault("waiting", {})
        journey = order["customerJourneySummary"]
        if journey is not None and not journey["ready"] and self._may_become_ready(order):
            waiting[order["id"]] = order["createdAt"]
        else:
            waiting.pop(order["id"], None)

    def _may_become_ready(self, order: Node) -> bool:
        created = records.moment(order["createdAt"])
        return created > self.window.end - timedelta(days=WAITING_DAYS)

    def _read_waiting(self) -> Iterator[list[Node]]:
        """The orders whose journey was not ready, those that are ready now.

        A journey becomes ready without a new `updated_at`, so the cursor does not find it.
        """
        waiting = dlt.current.source_state().setdefault("waiting", {})
        for identifier, node in self.client.by_ids(queries.ORDERS_BY_ID, sorted(waiting)):
            if node is None:
                waiting.pop(identifier, None)
                continue
            journey = node["customerJourneySummary"]
            if journey is None or journey["ready"]:
                yield self._bundles([children.complete_order(self.client, node)])
            elif not self._may_become_ready(node):
                waiting.pop(identifier, None)


def search(start: datetime | None, end: datetime) -> str:
    """The window as the shop's search has it."""
    until = f"updated_at:<'{_iso(end)}'"
    return until if start is None else f"updated_at:>='{_iso(start)}' AND {until}"


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _resource(
    name: str, read: Callable[[], Iterator[list[Node]]], cursor: Any = None
) -> DltResource:
    """An unselected resource: it may carry the cursor, and is written nowhere."""

    # dlt finds the cursor by its being a default, and names its column itself.
    def bundles(_updated_at: Any = cursor) -> Iterator[list[Node]]:
        yield from read()

    return dlt.resource(bundles, name=name, selected=False)()


def _tables(parent: DltResource, tables: tuple[str, ...], *, suffix: str = "") -> list[DltResource]:
    """A transformer for each entity; together they read their parent once."""

    def transformer(entity: str) -> DltResource:
        def rows(bundles: list[Node]) -> Iterator[pa.Table]:
            found = [row for one in bundles for row in one["records"][entity]]
            if found:
                yield typed_table.of_records(contract.load(records.KIND, entity), found)

        return dlt.transformer(
            rows,
            data_from=parent,
            name=f"{entity}{suffix}",
            table_name=entity,
            write_disposition="append",
        )

    return [transformer(entity) for entity in tables]


STREAMS = (
    Stream(
        name="products",
        root="products",
        query=queries.PRODUCTS,
        scope="read_products",
        tables=("products",),
        split=lambda node, _: records.split_product(node),
        complete=children.complete_product,
    ),
    Stream(
        name="discount_codes",
        root="codeDiscountNodes",
        query=queries.DISCOUNT_CODES,
        scope="read_discounts",
        tables=("discount_codes",),
        split=lambda node, _: records.split_discount(node),
        complete=children.complete_discount,
    ),
    Stream(
        name="customers",
        root="customers",
        query=queries.CUSTOMERS,
        scope="read_customers",
        tables=("customers",),
        split=records.split_customer,
        complete=lambda _, node: node,
    ),
    Stream(
        name="orders",
        root="orders",
        query=queries.ORDERS,
        scope="read_orders",
        tables=(
            "orders",
            "order_lines",
            "order_discount_codes",
            "order_touches",
            "refunds",
            "refund_lines",
        ),
        split=records.split_order,
        complete=children.complete_order,
    ),
)
