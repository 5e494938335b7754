"""A home that pulls from the hand-made shop, on a clock that passes only when told to.

`Pull` fetches in this process; `expected` says, from the shop's own tables and nothing of the
connector's, what must have landed by an instant; `landed` reads the winning version of what has.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from dlt.common.versioned_state import decompress_state

from ingestion import extraction, landing
from ingestion.landing import Manifest
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.shopify import Shopify
from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.server import Host
from ingestion.synthetic.shopify.shop import Shop
from setae.progress import Silent
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import KEY, make_home
from tests.worlds import shop as world

TOKEN = "shpat_canary0123456789abcdef"
VARIABLE = "SETAE_SOURCES__SHOPIFY__TOKEN"

Rows = dict[str, dict[tuple[str, ...], tuple[Any, ...]]]
"""Entity → key → what must be of the record."""

CONFIG = """
threads = 1
memory_limit = "512MiB"

[sources.shopify]
kind = "shopify"
url = "{url}"
account = "demo"
page_size = 20
"""


@dataclass
class ShopClock:
    """The shop's clock: `sleep` lets its bucket fill, and is written down."""

    shop: Shop
    naps: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The instant as of which the shop is seen."""
        return self.shop.now

    def sleep(self, seconds: float) -> None:
        """Nothing passes but the bucket's time."""
        self.naps.append(seconds)
        self.shop.advance(seconds)


@dataclass
class Pull:
    """A home, a shop, and the connector between them."""

    settings: Settings
    shop: Shop
    folder: Path

    def __post_init__(self) -> None:
        self.clock = ShopClock(self.shop)
        self.source = Shopify(clock=self.clock, chance=lambda: 1.0)

    def fetch(self, start: datetime | None = None, end: datetime | None = None) -> list[Manifest]:
        """One fetch in this process."""
        return self.source.fetch(
            self.settings, name="shopify", start=start, end=end, progress=Silent()
        )

    def asked(self, root: str | None = None) -> int:
        """How many requests there were, or how many about one root field."""
        return len(self.shop.requests(root))

    @property
    def state(self) -> Path:
        """Where the cursors are."""
        return extraction.state_path(Home(self.settings.home).landing, "shopify", "demo")

    def cursors(self) -> dict[str, datetime]:
        """How far each stream has been read."""
        state = decompress_state(json.loads(self.state.read_text())["state"])
        return {
            name: kept["incremental"]["updated_at"]["last_value"]
            for name, kept in state["sources"]["shopify"]["resources"].items()
        }

    def landed(self) -> Rows:
        """What has landed, the winning version of each record."""
        return landed(self.settings)

    def expected(self, until: datetime | None = None) -> Rows:
        """What must have landed of a fetch that saw everything before `until`."""
        return expected(self.folder, self.shop, until or self.shop.now)


@contextmanager
def pulling(
    host: Host, place: Path, *, more: str = "", orders: int = 60, now: datetime = world.END
) -> Iterator[Pull]:
    """A home in `place` whose source is the hand-made shop as of `now`.

    Args:
        more: Further lines of `[sources.shopify]`.
    """
    folder = place / "shop"
    if not folder.exists():
        world.write_shop(folder, orders)
    shop = Shop(ShopDatabase.load(folder), TOKEN, now=now)
    with host.show(shop) as address:
        before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = TOKEN
        try:
            yield Pull(make_home(place / "home", CONFIG.format(url=address) + more), shop, folder)
        finally:
            os.environ.pop(VARIABLE)
            if before is not None:
                os.environ[VARIABLE] = before


_LANDED = {
    "orders": (("order_id",), ("total_amount", "refunded_amount", "cancelled_at", "updated_at")),
    "order_lines": (("order_id", "line_id"), ("net_amount", "quantity", "current_quantity")),
    "order_discount_codes": (("order_id", "code_norm"), ("amount",)),
    "order_touches": (("order_id", "touch_role"), ("touch_at", "utm_content")),
    "refunds": (("refund_id",), ("order_id", "amount", "returned_sales_amount")),
    "refund_lines": (("refund_id", "line_id"), ("quantity", "amount")),
    "customers": (("customer_pid",), ("email_pid", "country")),
    "products": (("product_id",), ("title", "unit_cost_amount")),
    "discount_codes": (("discount_id",), ("code_norm", "discount_type", "discount_value")),
}


def landed(settings: Settings) -> Rows:
    """The winning version of every landed record, by the rule of all sources."""
    root = Home(settings.home).landing
    files: dict[str, list[str]] = {}
    for manifest in landing.iter_manifests(root):
        assert manifest.rejected_count == 0, manifest.file_id
        if manifest.good_count:
            path = str(landing.data_path(manifest, root))
            files.setdefault(manifest.entity, []).append(path)
    found: Rows = {entity: {} for entity in _LANDED}
    with duckdb.connect() as connection:
        for entity, paths in files.items():
            key, values = _LANDED[entity]
            rows = connection.execute(
                f"select {', '.join((*key, *values))} from read_parquet(?) "
                "qualify row_number() over (partition by _record_key order by "
                "_source_updated_at desc nulls last, _revision desc, _record_hash desc) = 1",
                [paths],
            ).fetchall()
            for row in rows:
                found[entity][row[: len(key)]] = row[len(key) :]
    return found


def expected(folder: Path, shop: Shop, until: datetime) -> Rows:
    """The same, out of the shop's tables as they were just before `until`."""
    tables = {path.stem: pq.read_table(path).to_pylist() for path in folder.glob("*.parquet")}
    people = Pseudonyms(KEY)
    seen = {row["order_id"]: row for row in tables["orders"] if row["created_at"] < until}
    updated = {key: row["created_at"] for key, row in seen.items()}
    ids = sorted(row["order_id"] for row in tables["orders"])
    touched = [(ids[place], datetime.fromtimestamp(at, UTC)) for place, at in shop.database.touched]
    changes = [(row["order_id"], row["updated_at"]) for row in tables["order_updates"]]
    for order_id, at in changes + touched:
        if order_id in seen and at < until:
            updated[order_id] = max(updated[order_id], at)
    refunds = [
        row for row in tables["refunds"] if row["order_id"] in seen and row["visible_at"] < until
    ]
    refund_ids = {row["refund_id"]: row["order_id"] for row in refunds}
    parts = [row for row in tables["refund_lines"] if row["refund_id"] in refund_ids]
    refunded: dict[int, Decimal] = {}
    for row in refunds:
        refunded[row["order_id"]] = refunded.get(row["order_id"], Decimal()) + row["total_amount"]
    given_back: dict[int, int] = {}
    for row in parts:
        given_back[row["line_id"]] = given_back.get(row["line_id"], 0) + row["quantity"]
    returned: dict[int, Decimal] = {}
    for row in parts:
        returned[row["refund_id"]] = returned.get(row["refund_id"], Decimal()) + row["subtotal"]
    return {
        "orders": {
            (str(key),): (
                row["total"],
                refunded.get(key, Decimal()),
                _naive(row["cancelled_at"])
                if row["cancelled_at"] and row["cancelled_at"] < until
                else None,
                _naive(updated[key]),
            )
            for key, row in seen.items()
        },
        "order_lines": {
            (str(row["order_id"]), str(row["line_id"])): (
                row["net_amount"],
                row["quantity"],
                row["quantity"] - given_back.get(row["line_id"], 0),
            )
            for row in tables["order_lines"]
            if row["order_id"] in seen
        },
        "order_discount_codes": {
            (str(row["order_id"]), row["code"].strip().upper()): (row["amount"],)
            for row in tables["order_codes"]
            if row["order_id"] in seen
        },
        "order_touches": {
            (str(row["order_id"]), row["role"]): (_naive(row["occurred_at"]), row["utm_content"])
            for row in tables["order_visits"]
            if row["order_id"] in seen and seen[row["order_id"]]["journey_ready_at"] < until
        },
        "refunds": {
            (str(row["refund_id"]),): (
                str(row["order_id"]),
                row["total_amount"],
                returned[row["refund_id"]],
            )
            for row in refunds
        },
        "refund_lines": {
            (str(row["refund_id"]), str(row["line_id"])): (row["quantity"], row["subtotal"])
            for row in parts
        },
        "customers": {
            (people.make("customer", "shopify:demo", str(row["customer_id"])),): (
                people.make("email", "", row["email"]),
                row["country"],
            )
            for row in tables["customers"]
            if row["created_at"] < until
        },
        "products": {
            (str(row["product_id"]),): (row["title"], _cost(tables, row["product_id"]))
            for row in tables["products"]
        },
        "discount_codes": {
            (str(row["discount_id"]),): (
                row["code"].upper(),
                {"percentage": "percent"}.get(row["kind"], row["kind"]),
                row["value"],
            )
            for row in tables["discount_codes"]
        },
    }


def _cost(tables: dict[str, list[dict[str, Any]]], product_id: int) -> Decimal | None:
    (cost,) = {row["unit_cost"] for row in tables["variants"] if row["product_id"] == product_id}
    return cost


def _naive(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


DAY = timedelta(days=1)
