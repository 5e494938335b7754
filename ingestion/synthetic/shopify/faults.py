"""Faults that the shop shows on demand: which request, how often, what.

A test declares them on the control object (`shop.faults.add(Fault("throttled", page=3))`); another
process posts the same fields as JSON to `/control/faults`. The first fault that matches a request
is used for it. `KINDS` lists what there is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

KINDS: dict[str, str] = {
    "throttled": "200 with THROTTLED: the bucket is emptied to `available` (0) points",
    "internal_error": "200 with INTERNAL_SERVER_ERROR; `request_id=False` leaves the id out",
    "shop_inactive": "200 with SHOP_INACTIVE",
    "access_denied": "200 with ACCESS_DENIED on `denied` (`Order.email`), which becomes null",
    "too_many_requests": "429, with Retry-After when `retry_after` is given",
    "security_rejection": "430",
    "server_error": "`status` 500, 502, 503 or 504 with an HTML body",
    "unauthorized": "401, as when the token was revoked",
    "payment_required": "402, the shop is frozen",
    "forbidden": "403",
    "not_found": "404, the shop moved",
    "locked": "423",
    "reset": "the connection is reset in the middle of the body",
    "truncated": "200 with half the JSON",
    "html": "200 with a login page",
    "wrong_content_type": "the right body as text/plain",
    "empty_body": "200 and nothing",
    "empty_data": "200 with an empty `data` and no error",
    "null_data": "200 with `data: null` and no error",
    "no_page_info": "a page without `pageInfo`",
    "repeated_cursor": "a page whose endCursor is the cursor it was asked with",
    "endless_cursor": "hasNextPage stays true, after the last page too",
    "touch": "the order `order_id` changes at `now`, just before the page is read",
    "wrong_version": "the answer says another API version than was asked",
    "slow": "the body comes byte by byte, one each `interval` seconds",
    "bulk_failed": "a bulk operation fails after `roots` objects and leaves partial data",
    "bulk_canceled": "a bulk operation is canceled by somebody",
    "bulk_expired": "a bulk operation expires before it ends",
    "bulk_stuck": "a bulk operation stays RUNNING",
    "bulk_url_expired": "the file of a bulk operation is gone: 403",
    "bulk_cut": "the file of a bulk operation ends in the middle of a line, connection reset",
}

DOWNLOADS = frozenset({"bulk_url_expired", "bulk_cut"})
OPERATIONS = frozenset({"bulk_failed", "bulk_canceled", "bulk_expired", "bulk_stuck"})


@dataclass
class Fault:
    """One fault.

    Attributes:
        kind: One of `KINDS`.
        root: Only requests for this root field (`orders`); None is any.
        page: Only this page of the root field, 1 the first; a retried page keeps its number.
        contains: Only requests whose query or variables contain this text (an id).
        after: Let so many matching requests pass first.
        times: How often; None is for ever.
    """

    kind: str
    root: str | None = None
    page: int | None = None
    contains: str | None = None
    after: int = 0
    times: int | None = 1
    status: int = 500
    retry_after: str | None = None
    request_id: bool = True
    available: float = 0.0
    denied: str = ""
    order_id: int = 0
    roots: int = 1
    interval: float = 0.05
    used: int = field(default=0, init=False)
    passed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault named {self.kind!r}; there are {', '.join(sorted(KINDS))}")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Fault:
        """Read what `/control/faults` was sent.

        Raises:
            ValueError: When a field or kind is unknown.
        """
        known = {item.name for item in fields(cls) if item.init}
        if unknown := set(value) - known:
            raise ValueError(f"no such field of a fault: {', '.join(sorted(unknown))}")
        return cls(**value)


Stage = Literal["graphql", "download", "operation"]


@dataclass(frozen=True)
class Target:
    """What a request is about, as far as faults look."""

    stage: Stage
    text: str = ""
    pages: dict[str, int] = field(default_factory=dict)


@dataclass
class Faults:
    """The faults of one shop, in the order they were added."""

    pending: list[Fault] = field(default_factory=list)

    def add(self, *faults: Fault) -> None:
        """Show these from now on."""
        self.pending.extend(faults)

    def clear(self) -> None:
        """Show none any more."""
        self.pending.clear()

    def take(self, target: Target) -> Fault | None:
        """The fault for this request, used up once; None when it is to be answered well."""
        for fault in self.pending:
            if not _matches(fault, target):
                continue
            fault.passed += 1
            if fault.passed <= fault.after:
                continue
            if fault.times is not None and fault.used >= fault.times:
                continue
            fault.used += 1
            return fault
        return None


def _matches(fault: Fault, target: Target) -> bool:
    stage: Stage = "graphql"
    if fault.kind in DOWNLOADS:
        stage = "download"
    elif fault.kind in OPERATIONS:
        stage = "operation"
    if stage != target.stage:
        return False
    if fault.root is not None and fault.root not in target.pages:
        return False
    if fault.page is not None and fault.page not in target.pages.values():
        return False
    return fault.contains is None or fault.contains in target.text
