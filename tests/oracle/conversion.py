"""Conversion of creators and tiers, what evidence overlaps, and where models disagree, in loops.

Written from docs/metrics, on the worlds of `tests.worlds.paths` in UTC. Whose an order is under a
model comes from `tests.oracle.attribution`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.attribution import (
    UNITS,
    Order,
    Party,
    Rows,
    Touch,
    instant,
    key,
    orders,
    paths,
    touches,
)

Period = tuple[str, date]
Ledger = dict[tuple[str, str, int], dict[Party, tuple[int, int]]]

TIERS = (("nano", 0, 1_000), ("micro", 1_000, 10_000), ("mid", 10_000, 100_001))


def periods(day: date, first: date) -> list[Period]:
    """The periods a day lies in; weeks begin on Monday."""
    return [
        ("day", day),
        ("week", day - timedelta(days=day.weekday())),
        ("month", day.replace(day=1)),
        ("all", first),
    ]


@dataclass
class Cell:
    """What is counted of a creator in a period, under one model and window."""

    clicks: int = 0
    clickers: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    new: set[str] = field(default_factory=set)
    units: int = 0
    cents: int = 0
    currencies: set[str] = field(default_factory=set)
    low: set[str] = field(default_factory=set)
    mid: set[str] = field(default_factory=set)
    high: set[str] = field(default_factory=set)
    seen: int = 0
    bought: int = 0
    cost: Decimal | None = None

    @property
    def net_sales(self) -> Decimal | None:
        """In one currency; several have no sum."""
        return Decimal(self.cents) / 100 if len(self.currencies) < 2 else None

    @property
    def cost_to_compare(self) -> Decimal | None:
        """Costs are in euros here and compare with nothing else."""
        return self.cost if self.currencies != {"USD"} else None


class Conversion:
    """One world, counted.

    Args:
        ledger: Order, model and window → party → share in 10^-12 and cents.
        through: First instant that is not observed.
    """

    def __init__(self, rows: Rows, ledger: Ledger, *, through: datetime, first: date) -> None:
        self._rows = rows
        self._ledger = ledger
        self._through = through
        self._first = first
        self.orders = {order.key: order for order in orders(rows)}
        self._windows = sorted({window for _, _, window in ledger})
        self._models = sorted({model for _, model, _ in ledger})
        self._paths = {window: paths(rows, window) for window in self._windows}
        firsts: dict[str, Order] = {}
        for order in sorted(self.orders.values(), key=lambda one: (one.at, one.key)):
            firsts.setdefault(order.person, order)
        self.new = {order.key for order in firsts.values()}

    def _periods(self, at: datetime) -> list[Period]:
        return periods(at.date(), self._first)

    def _creator_touches(self) -> list[tuple[str, str, Touch]]:
        """Creator (or `ambiguous`), person and touch."""
        return [
            (touch.party[1], person, touch)
            for person, mine in touches(self._rows).items()
            for touch in mine
            if touch.party[0] in {"creator", "ambiguous"}
        ]

    def first_clicks(self) -> dict[tuple[str, str], Touch]:
        """Creator and person → the first touch ever."""
        found: dict[tuple[str, str], Touch] = {}
        for creator, person, touch in self._creator_touches():
            known = found.get((creator, person))
            if known is None or (touch.at, touch.key) < (known.at, known.key):
                found[creator, person] = touch
        return found

    def outcome(self, person: str, clicked: datetime, window: int) -> tuple[int, int]:
        """Whether the click was followed for the window, and if so whether the person bought."""
        end = clicked + timedelta(days=window)
        if end > self._through:
            return 0, 0
        return 1, int(
            any(one.person == person and clicked <= one.at < end for one in self.orders.values())
        )

    def evidence(self, window: int) -> dict[str, dict[str, set[str]]]:
        """Order → kind of evidence → the creators it names."""
        answers: dict[str, set[str]] = defaultdict(set)
        for row in self._rows["survey_responses"]:
            answers[key(row["order_id"])].add(key(row["creator_id"]))
        return {
            order.key: {
                "code": {order.code[1]} if order.code and order.code[0] == "creator" else set(),
                "click": {
                    touch.party[1]
                    for touch in self._paths[window][order.key]
                    if touch.party[0] == "creator"
                },
                "survey": answers[order.key],
            }
            for order in self.orders.values()
        }

    def creators(self) -> dict[tuple[str, Period, str, int], Cell]:
        """Creator, period, model and window → what is counted."""
        found: dict[tuple[str, Period, str, int], Cell] = defaultdict(Cell)
        rules = [(model, window) for model in self._models for window in self._windows]

        def cells(creator: str, at: datetime, windows: list[int]) -> list[Cell]:
            return [
                found[creator, period, model, window]
                for period in self._periods(at)
                for model, window in rules
                if window in windows
            ]

        for creator, person, touch in self._creator_touches():
            for cell in cells(creator, touch.at, self._windows):
                cell.clicks += 1
                cell.clickers.add(person)
        for (creator, person), touch in self.first_clicks().items():
            for window in self._windows:
                seen, bought = self.outcome(person, touch.at, window)
                for cell in cells(creator, touch.at, [window]):
                    cell.seen += seen
                    cell.bought += bought
        for window in self._windows:
            for name, kinds in self.evidence(window).items():
                for creator in kinds["code"] | kinds["click"] | kinds["survey"]:
                    for cell in cells(creator, self.orders[name].at, [window]):
                        cell.high.add(name)
                        if creator in kinds["code"] | kinds["click"]:
                            cell.mid.add(name)
                        if creator in kinds["code"]:
                            cell.low.add(name)
        for row in self._rows["creator_costs"]:
            at = instant(row["incurred_at"])
            for cell in cells(key(row["creator_id"]), at, self._windows):
                cell.cost = (cell.cost or Decimal(0)) + Decimal(row["amount"])
        for (name, model, window), parts in self._ledger.items():
            order = self.orders[name]
            for (kind, party), (units, cents) in parts.items():
                creator = party if kind in {"creator", "ambiguous"} else "unattributed"
                for period in self._periods(order.at):
                    for rule in rules:  # a rule that credits nothing has its row as well
                        found[creator, period, *rule]
                    cell = found[creator, period, model, window]
                    cell.orders.add(name)
                    cell.units += units
                    cell.cents += cents
                    cell.currencies.add(order.currency)
        for cell in found.values():
            cell.new = cell.orders & self.new
        return dict(found)

    def overlap(self, window: int) -> dict[tuple[Period, frozenset[str]], dict[str, Any]]:
        """Period and kinds of evidence → orders, new ones, agreed ones, cents by currency."""
        found: dict[tuple[Period, frozenset[str]], dict[str, Any]] = {}
        for name, kinds in self.evidence(window).items():
            present = frozenset(kind for kind, creators in kinds.items() if creators)
            agreed = bool(present) and bool(
                set.intersection(*(creators for creators in kinds.values() if creators))
            )
            order = self.orders[name]
            for period in self._periods(order.at):
                cell = found.setdefault(
                    (period, present), {"orders": 0, "new": 0, "agreed": 0, "cents": Counter()}
                )
                cell["orders"] += 1
                cell["new"] += name in self.new
                cell["agreed"] += agreed
                cell["cents"][order.currency] += order.cents
        return found

    def tier(self, creator: str, at: datetime) -> str:
        """By the newest follower count of the creator's only account, none of it from later."""
        counts = [
            (instant(row["observed_at"]), row["follower_count"])
            for row in self._rows["creator_follower_snapshots"]
            if key(row["platform_user_id"].removeprefix("ig-")) == creator
            and instant(row["observed_at"]) <= at
        ]
        if not counts:
            return "unknown"
        count = max(counts)[1]
        return next((name for name, least, below in TIERS if least <= count < below), "macro")

    def tiers(self) -> dict[tuple[str, Period, str, int], dict[str, Any]]:
        """Tier, period, model and window → what is counted, over all platforms."""
        found: dict[tuple[str, Period, str, int], dict[str, Any]] = {}

        def cell(tier: str, period: Period, model: str, window: int) -> dict[str, Any]:
            nothing = {
                "credited": set(),
                "clicked": set(),
                "orders": 0,
                "new": 0,
                "units": 0,
                "cents": 0,
                "seen": 0,
                "bought": 0,
            }
            return found.setdefault((tier, period, model, window), nothing)

        for (name, model, window), parts in self._ledger.items():
            order = self.orders[name]
            for (kind, creator), (units, cents) in parts.items():
                if kind != "creator":
                    continue
                at = self.credited_at(order, model, window, creator)
                for period in self._periods(order.at):
                    one = cell(self.tier(creator, at), period, model, window)
                    one["credited"].add(creator)
                    one["orders"] += 1
                    one["new"] += name in self.new
                    one["units"] += units
                    one["cents"] += cents
        for (creator, person), touch in self.first_clicks().items():
            if creator == "ambiguous":
                continue
            for window in self._windows:
                seen, bought = self.outcome(person, touch.at, window)
                for period in self._periods(touch.at):
                    for model in self._models:
                        one = cell(self.tier(creator, touch.at), period, model, window)
                        one["seen"] += seen
                        one["bought"] += bought
                        if seen:
                            one["clicked"].add(creator)
        return found

    def credited_at(self, order: Order, model: str, window: int, creator: str) -> datetime:
        """When the touch was that earned the credit; a code earns it with the order."""
        if model in {"code", "code_then_last_touch"} and order.code == ("creator", creator):
            return order.at
        mine = [touch.at for touch in self._paths[window][order.key] if touch.party[1] == creator]
        return max(mine) if model != "first_touch" else min(mine)


def share(units: int) -> Decimal:
    """A sum of shares as the marts write it."""
    return Decimal(units) / UNITS


def disagreement(rules: dict[str, Decimal]) -> dict[str, Any]:
    """Of one creator and period: rule → orders credited.

    Ties go to the rule whose model comes first by name, then the shorter window; the keys are in
    that order.
    """
    least = min(rules.values())
    greatest = max(rules.values())
    return {
        "least_rule": next(rule for rule, value in rules.items() if value == least),
        "greatest_rule": next(rule for rule, value in rules.items() if value == greatest),
        "least_order_credit": least,
        "greatest_order_credit": greatest,
        "disagreement_rate": float((greatest - least) / greatest) if greatest else None,
    }
