"""Histories in one operation: the shop writes a file, and its lines become the same objects.

A bulk operation is started, or found again if a fetch before has started it; looked at until it
ends; its file is read line by line. Children name their parent (`__parentId`) and may stand
anywhere. Only a file that ends, and holds as many objects as the shop says, counts. Everything else
(failed, canceled, expired, partial, a file that is gone) is `BulkFailed`, and the caller reads the
same window by pages instead: what a partial file lacks nobody can tell.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from ingestion.api import Clock
from ingestion.sources.shopify import queries
from ingestion.sources.shopify.children import complete_order
from ingestion.sources.shopify.client import Client
from setae.errors import SourceBusy, SourceError

LOG = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 2.0
LONGEST_LOOK_SECONDS = 60.0
DOWNLOADS = 3
REUSED_HOURS = 24
"""An operation of the same window that is younger than this is not started again."""

Node = dict[str, Any]


class BulkFailed(Exception):
    """The operation gave no whole file; the window has to be read by pages."""


def orders(client: Client, search: str, *, clock: Clock, budget_seconds: float) -> list[Node]:
    """The orders of a window, lines and refunds complete.

    Args:
        client: Of the shop.
        search: The window; few enough orders to be held in memory.
        clock: Sleeps between two looks.
        budget_seconds: How long to wait for the end.

    Raises:
        BulkFailed: There is no whole file.
        SourceBusy: It is still running after the budget; the next fetch finds it again.
    """
    text = queries.BULK_ORDERS.replace("SEARCH", search)
    waiter = _Waiter(client, clock, budget_seconds)
    operation = _find(client, text, clock.now()) or _start(client, text, waiter)
    state = _wait(client, operation, waiter)
    nodes = list(_read(client, state))
    _complete_refunds(client, nodes)
    return nodes


class _Waiter:
    """Pauses that double, up to a budget."""

    def __init__(self, client: Client, clock: Clock, budget_seconds: float) -> None:
        self._client = client
        self._clock = clock
        self._left = budget_seconds
        self._pause = FIRST_LOOK_SECONDS

    def wait(self, what: str) -> None:
        """Wait before the next look.

        Raises:
            SourceBusy: The budget is used up.
        """
        if self._pause > self._left:
            retry_at = self._clock.now() + timedelta(seconds=LONGEST_LOOK_SECONDS * 5)
            raise SourceBusy(
                f"{self._client.name}: {what}; longer than wait_budget_seconds allows: run the "
                f"fetch again at {retry_at.isoformat(timespec='seconds')}, it will be found again",
                retry_at=retry_at,
            )
        self._clock.sleep(self._pause)
        self._left -= self._pause
        self._pause = min(LONGEST_LOOK_SECONDS, self._pause * 2)


def _find(client: Client, text: str, now: datetime) -> str | None:
    """An operation with this very text that runs or has ended well, not too long ago."""
    since = now - timedelta(hours=REUSED_HOURS)
    for one in client.ask(queries.BULK_RECENT)["bulkOperations"]["nodes"]:
        created = datetime.fromisoformat(one["createdAt"]).astimezone(UTC)
        is_alive = one["status"] in ("CREATED", "RUNNING", "COMPLETED")
        if is_alive and created >= since and one["query"].strip() == text:
            return str(one["id"])
    return None


def _start(client: Client, text: str, waiter: _Waiter) -> str:
    while True:
        answer = client.ask(queries.BULK_RUN, text=text)["bulkOperationRunQuery"] or {}
        errors = answer.get("userErrors") or []
        if not errors and answer.get("bulkOperation"):
            return str(answer["bulkOperation"]["id"])
        codes = {error.get("code") for error in errors}
        if not codes & {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}:
            raise BulkFailed(f"it was not started ({', '.join(sorted(map(str, codes)))})")
        waiter.wait("other bulk operations are running")


def _wait(client: Client, operation: str, waiter: _Waiter) -> Node:
    while True:
        state = client.ask(queries.BULK_STATE, id=operation)["bulkOperation"]
        if state is None:
            raise BulkFailed("it is not there any more")
        if state["status"] == "COMPLETED":
            return dict(state)
        if state["status"] not in ("CREATED", "RUNNING"):
            raise BulkFailed(f"it ended as {state['status']} ({state['errorCode']})")
        waiter.wait(f"a bulk operation is running, {state['objectCount']} objects so far")


def _read(client: Client, state: Node) -> Iterator[Node]:
    """The orders of the file, lines attached."""
    if state["url"] is None:
        if int(state["objectCount"]):
            raise BulkFailed("it has no file")
        return
    for attempt in range(1, DOWNLOADS + 1):
        try:
            lines = [json.loads(line) for line in client.download(state["url"]) if line.strip()]
            break
        except SourceBusy:
            raise
        except SourceError as error:
            raise BulkFailed(str(error)) from error
        except (requests.RequestException, ValueError) as error:
            LOG.info("%s: a bulk file broke off (%s)", client.name, type(error).__name__)
            if attempt == DOWNLOADS:
                raise BulkFailed("its file breaks off") from error
    if len(lines) != int(state["objectCount"]):
        raise BulkFailed(f"its file holds {len(lines)} objects of {state['objectCount']}")
    parents: dict[str, Node] = {}
    for line in lines:
        if "__parentId" not in line:
            parents[line["id"]] = line | {"lineItems": {"nodes": []}}
    for line in lines:
        if "__parentId" in line:
            parents[line["__parentId"]]["lineItems"]["nodes"].append(line)
    yield from parents.values()


def _complete_refunds(client: Client, nodes: list[Node]) -> None:
    """A bulk operation cannot read the lines of refunds: ask for the few orders that have some."""
    wanted = {node["id"]: node for node in nodes if node["refunds"]}
    for identifier, found in client.by_ids(queries.ORDERS_BY_ID, list(wanted)):
        if found is not None:
            wanted[identifier]["refunds"] = complete_order(client, found)["refunds"]
    for node in nodes:
        for refund in node["refunds"]:
            refund.setdefault("refundLineItems", {"nodes": []})
