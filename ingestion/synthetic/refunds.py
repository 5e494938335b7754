"""Refunds: a gamma lag, whole or partial; likelier where an untrusted creator caused the order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ingestion.synthetic.clock import SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Floats, Ints, spread
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.orders import TAX_PERCENT, Lines, Orders
from ingestion.synthetic.randomness import Streams
from ingestion.synthetic.scenario import Scenario

KINDS = ("whole", "lines", "goodwill", "cancellation")
REASONS = ("size", "damaged", "changed mind", "late")


@dataclass(frozen=True)
class Refunds(Columns):
    """One row per refund, by time; amounts in cents.

    Attributes:
        order: Position of the order.
        created: Whole seconds, µs.
        visible: When a reader of the shop first sees it, µs; later than `created` for some.
        amount: Goods, shipping and tax.
        returned: Goods alone, without tax: the sum of the lines.
    """

    order: Ints
    created: Ints
    visible: Ints
    kind: Ints
    reason: Ints
    amount: Ints
    returned: Ints
    is_restocked: Bools


@dataclass(frozen=True)
class RefundLines(Columns):
    """One row per refund and line it gives back; `refund` and `line` are positions."""

    refund: Ints
    line: Ints
    quantity: Ints
    subtotal: Ints


def chances(orders: Orders, programme: Programme, scenario: Scenario) -> Floats:
    """Chance that an order is refunded some day, cancellations apart."""
    trust = programme.creators.trust[np.maximum(orders.creator, 0)]
    distrust = np.where(orders.creator != NONE, scenario.refund_distrust * (1.0 - trust), 0.0)
    return np.minimum(scenario.refund_probability + distrust, 0.95)


def make(
    *,
    scenario: Scenario,
    streams: Streams,
    clock: Clock,
    programme: Programme,
    orders: Orders,
    lines: Lines,
) -> tuple[Refunds, RefundLines, Ints]:
    """All refunds a reader can see at the end, their lines, and when each order's came or will.

    Returns:
        Refunds, their lines, and per order the instant of its refund (not of a cancellation), also
        where that lies after the end; none where there never is one.
    """
    luck = streams.of("refunds")
    size = len(orders)
    happens = (
        luck.chance(chances(orders, programme, scenario), size)
        & (orders.cancelled == NONE)
        & (orders.total > 0)
        & (orders.cause < 3)
        & (orders.paid != NONE)
    )
    lag = luck.gamma(scenario.refund_lag_shape, size) * scenario.refund_lag_days
    due = orders.created + np.maximum((lag * 86_400).astype(np.int64), 600) * SECOND
    kind = luck.choice((0.6, 0.3, 0.1), size)
    cancelled = orders.cancelled != NONE
    kind = np.where(cancelled, 3, kind)
    created = np.where(cancelled, orders.cancelled, due)
    order = np.flatnonzero(happens | cancelled)
    waits = luck.chance(0.15, len(order))
    visible = created[order] + np.where(waits, 2 + luck.below(58, len(order)), 0) * SECOND
    seen = visible < clock.end
    order, visible = order[seen], visible[seen]
    by_time = np.lexsort((order, created[order]))
    order, visible = order[by_time], visible[by_time]
    refunds = Refunds(
        order=order,
        created=created[order],
        visible=visible,
        kind=kind[order],
        reason=luck.below(len(REASONS), size)[order],
        amount=np.zeros(len(order), dtype=np.int64),
        returned=np.zeros(len(order), dtype=np.int64),
        is_restocked=luck.chance(0.8, size)[order],
    )
    refund_lines = _refund_lines(refunds, lines, len(orders))
    returned = np.zeros(len(refunds), dtype=np.int64)
    np.add.at(returned, refund_lines.refund, refund_lines.subtotal)
    whole = (refunds.kind == 0) | (refunds.kind == 3)
    amount = returned + (returned * TAX_PERCENT + 50) // 100
    amount = np.where(whole, orders.total[order], np.minimum(amount, orders.total[order]))
    amount = np.where(refunds.kind == 2, orders.total[order] // 10, amount)
    refunds = replace(refunds, amount=amount, returned=returned)
    return refunds, refund_lines, np.where(happens, due, NONE)


def _refund_lines(refunds: Refunds, lines: Lines, order_count: int) -> RefundLines:
    starts = np.searchsorted(lines.order, np.arange(order_count), side="left").astype(np.int64)
    ends = np.searchsorted(lines.order, np.arange(order_count), side="right")
    held = (ends - starts).astype(np.int64)[refunds.order]
    count = np.select([refunds.kind == 2, refunds.kind == 1], [0, 1], held)
    refund, number = spread(count.astype(np.int64))
    line = starts[refunds.order[refund]] + number
    return RefundLines(refund, line, lines.quantity[line], lines.net[line])
