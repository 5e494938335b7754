"""The shop's own database, read from `shop/*.parquet` and seen as of any instant.

Everything is held in columns (Arrow and NumPy), sorted by id, with the children of a parent next to
each other, so that 200,000 orders take a few hundred MB and a page costs its own rows only. Money
is integer cents, instants are whole seconds since 1970 in UTC: the resolution of the real shop.

As of an instant `now` an order exists when `created_at <= now`; its `updatedAt` is the newest of
its rows in `order_updates` until then; refunds are there from their `visible_at` on, which may be
after the parent's `updatedAt` last moved; the journey is ready from `journey_ready_at` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from setae.errors import DataError

Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Row = dict[str, Any]

TABLES = (
    "orders",
    "order_lines",
    "order_codes",
    "order_visits",
    "refunds",
    "refund_lines",
    "order_updates",
    "customers",
    "products",
    "variants",
    "discount_codes",
)


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970; an instant without an offset is UTC."""
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return int(aware.timestamp())


def _plain(table: pa.Table) -> pa.Table:
    """Money as integer cents, instants as seconds, strings as they are."""
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = pc.divide(column.cast(pa.timestamp("us", column.type.tz)).cast("int64"), 10**6)
        elif pa.types.is_decimal(column.type):
            column = pc.multiply(column, pa.scalar(Decimal(100))).cast(pa.int64())
        columns[name] = column.combine_chunks()
    return pa.table(columns)


def _integers(table: pa.Table, name: str) -> Integers:
    array: Integers = table.column(name).to_numpy().astype(np.int64)
    return array


@dataclass(frozen=True)
class Children:
    """The rows of one child table, sorted by parent, with each parent's range."""

    table: pa.Table
    starts: Integers
    ends: Integers

    @classmethod
    def of(cls, table: pa.Table, key: str, parents: Integers, order: Sequence[str]) -> Children:
        """Sort `table` by its parent `key` and `order`; `parents` are the sorted parent ids."""
        table = table.sort_by([(key, "ascending"), *((name, "ascending") for name in order)])
        keys = _integers(table, key)
        return cls(
            table, np.searchsorted(keys, parents, "left"), np.searchsorted(keys, parents, "right")
        )

    def rows(self, positions: Integers) -> list[list[Row]]:
        """The children of each parent, one list a parent, in one read."""
        starts, counts = self.starts[positions], (self.ends - self.starts)[positions]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        total = int(offsets[-1])
        indices = np.arange(total) + np.repeat(starts - offsets[:-1], counts)
        rows = self.table.take(pa.array(indices)).to_pylist() if total else []
        return [
            rows[begin:end]
            for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Parents:
    """A table with one row an id, sorted by it."""

    table: pa.Table
    ids: Integers
    created_at: Integers
    updated_at: Integers

    @classmethod
    def of(cls, table: pa.Table, key: str) -> Parents:
        """Sort `table` by its primary key `key`."""
        table = table.sort_by(key)
        ids = _integers(table, key)
        created = _integers(table, "created_at")
        changed = _integers(table, "updated_at") if "updated_at" in table.column_names else created
        return cls(table, ids, created, changed)

    def position(self, identifier: int) -> int | None:
        """Where the row of an id is, or None."""
        at = int(np.searchsorted(self.ids, identifier))
        return at if at < len(self.ids) and int(self.ids[at]) == identifier else None

    def rows(self, positions: Integers) -> list[Row]:
        """The rows at `positions`, in their order."""
        rows: list[Row] = self.table.take(pa.array(positions)).to_pylist()
        return rows

    def changed_by(self, now: int) -> Integers:
        """`updated_at` as seen at `now`; a later change has not happened yet."""
        return np.where(self.updated_at <= now, self.updated_at, self.created_at)


@dataclass
class ShopDatabase:
    """The tables of one shop, and the changes a test adds while it runs."""

    orders: Parents
    customers: Parents
    products: Parents
    discounts: Parents
    lines: Children
    codes: Children
    visits: Children
    refunds: Children
    refund_lines: Children
    updates: Children
    variants: Children
    orders_of_customer: Children
    refund_ids: Integers
    last_instant: int
    touched: list[tuple[int, int]] = field(default_factory=list)
    _update_owner: Integers = field(init=False)
    _update_at: Integers = field(init=False)

    def __post_init__(self) -> None:
        self._update_at = _integers(self.updates.table, "updated_at")
        self._update_owner = np.searchsorted(
            self.orders.ids, _integers(self.updates.table, "order_id")
        )

    @classmethod
    def load(cls, folder: Path) -> ShopDatabase:
        """Read `folder`/*.parquet.

        Args:
            folder: The world's `shop/` folder.

        Raises:
            DataError: When a table is missing.
        """
        tables = {}
        for name in TABLES:
            path = folder / f"{name}.parquet"
            if not path.is_file():
                raise DataError(
                    f"{path}: the shop's table {name} is missing; make the world with "
                    "`setae simulate world --shop shopify --out DIR`"
                )
            tables[name] = _plain(pq.read_table(path))
        orders = Parents.of(tables["orders"], "order_id")
        customers = Parents.of(tables["customers"], "customer_id")
        products = Parents.of(tables["products"], "product_id")
        refunds = Children.of(tables["refunds"], "order_id", orders.ids, ["refund_id"])
        refund_ids = np.sort(_integers(tables["refunds"], "refund_id"))
        owned = tables["orders"].select(["order_id", "customer_id"])
        owned = owned.filter(pc.is_valid(owned.column("customer_id")))
        updates = tables["order_updates"]
        instants = [_integers(updates, "updated_at"), orders.created_at, customers.created_at]
        return cls(
            orders=orders,
            customers=customers,
            products=products,
            discounts=Parents.of(tables["discount_codes"], "discount_id"),
            lines=Children.of(tables["order_lines"], "order_id", orders.ids, ["position"]),
            codes=Children.of(tables["order_codes"], "order_id", orders.ids, []),
            visits=Children.of(tables["order_visits"], "order_id", orders.ids, ["occurred_at"]),
            refunds=refunds,
            refund_lines=Children.of(
                tables["refund_lines"], "refund_id", refund_ids, ["refund_line_id"]
            ),
            updates=Children.of(updates, "order_id", orders.ids, ["updated_at"]),
            variants=Children.of(tables["variants"], "product_id", products.ids, ["variant_id"]),
            orders_of_customer=Children.of(owned, "customer_id", customers.ids, ["order_id"]),
            refund_ids=refund_ids,
            last_instant=max((int(array.max()) for array in instants if len(array)), default=0),
        )

    def touch(self, order_id: int, at: int) -> None:
        """Change an order at an instant, as a merchant who adds a tag does.

        Raises:
            KeyError: When there is no such order.
        """
        position = self.orders.position(order_id)
        if position is None:
            raise KeyError(order_id)
        self.touched.append((position, at))

    def orders_changed_by(self, now: int) -> Integers:
        """Each order's `updatedAt` as seen at `now`."""
        changed = self.orders.created_at.copy()
        past = self._update_at <= now
        np.maximum.at(changed, self._update_owner[past], self._update_at[past])
        for position, at in self.touched:
            if at <= now:
                changed[position] = max(int(changed[position]), at)
        return changed

    def refunds_of(self, rows: list[Row]) -> list[list[Row]]:
        """The lines of each refund in `rows`."""
        if not rows:
            return []
        ids = np.array([row["refund_id"] for row in rows], dtype=np.int64)
        return self.refund_lines.rows(np.searchsorted(self.refund_ids, ids))
