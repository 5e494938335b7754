"""Conversion of creators and tiers, what evidence overlaps, and where models disagree, in loops.

Written from docs/metrics, on the worlds of `tests.worlds.paths` in UTC. Whose an order is under a
model comes from `tests.oracle.attribution`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle import funnel, stickiness
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
    costs: Counter[str] = field(default_factory=Counter)

    @property
    def cost(self) -> Decimal | None:
        """In one currency; several have no sum."""
        return Decimal(next(iter(self.costs.values()))) / 100 if len(self.costs) == 1 else None

    @property
    def net_sales(self) -> Decimal | None:
        """In one currency; several have no sum."""
        return Decimal(self.cents) / 100 if len(self.currencies) < 2 else None

    @property
    def cost_to_compare(self) -> Decimal | None:
        """None beside sales in another currency."""
        alike = len(self.currencies) != 1 or self.currencies == self.costs.keys()
        return self.cost if alike else None


@dataclass
class TierCell:
    """What is counted of a tier in a period, under one model and window, over all platforms."""

    credited: set[str] = field(default_factory=set)
    clicked: set[str] = field(default_factory=set)
    orders: int = 0
    new: int = 0
    units: int = 0
    cents: Counter[str] = field(default_factory=Counter)
    unconverted: int = 0
    seen: int = 0
    bought: int = 0
    clicks: int = 0
    clickers: set[str] = field(default_factory=set)
    sessions: int = 0
    strength: dict[str, int] = field(default_factory=dict)
    costs: Counter[str] = field(default_factory=Counter)
    reach: int | None = None
    followers: dict[str, list[int]] = field(default_factory=dict)

    def columns(self, orders: dict[str, Order], margin: float) -> dict[str, Any]:
        """Columns of `fct_tier_conversion`; sums of shares are apart, they have a tolerance."""
        sales = _one(self.cents) if self.cents else Decimal(0)
        cost = _one(self.costs)
        alike = len(self.cents) != 1 or self.cents.keys() == self.costs.keys()
        spent = cost if alike else None
        share = Decimal(self.units) / UNITS
        evidence = {orders[name].currency for name in self.strength}
        followers = [Decimal(sum(mine)) / len(mine) for mine in self.followers.values()]
        mean = sum(round(one, 4) for one in followers) if followers else None
        found: dict[str, Any] = {
            "credited_creator_count": len(self.credited),
            "clicked_creator_count": len(self.clicked),
            "order_count": self.orders,
            "new_customer_count": self.new,
            "unconverted_order_count": self.unconverted,
            "person_conversion_denominator_count": self.seen,
            "person_conversion_numerator_count": self.bought,
            "click_count": self.clicks,
            "unique_clicker_count": len(self.clickers),
            "session_count": self.sessions,
            "currency_code": _name(set(self.cents) if self.orders else evidence),
            "cost_currency_code": _name(set(self.costs)),
            "cost_amount": cost,
            "cost_amount_reporting": cost if self.costs.keys() == {"EUR"} else None,
            "reach_count": self.reach,
            "mean_follower_count": mean,
            "orders_per_1000_reach": _over(1000 * share, self.reach),
            "orders_per_follower": _over(share, mean),
            "net_sales_per_reach": _over(sales, self.reach),
            "net_sales_per_follower": _over(sales, mean),
            "cac_ratio": _over(spent, self.new),
            "roas_ratio": _over(sales, spent),
            "contribution_roi_ratio": (
                None
                if sales is None or not spent
                else (margin * float(sales) - float(spent)) / float(spent)
            ),
        }
        for bound, least in (("low", 3), ("mid", 2), ("high", 1)):
            mine = [orders[name] for name, strength in self.strength.items() if strength >= least]
            found[f"triangulated_{bound}_order_count"] = len(mine)
            # several currencies have no sum, nor has another than that of the sales beside it
            comparable = not self.orders or self.cents.keys() == evidence
            found[f"triangulated_{bound}_net_sales_amount"] = (
                Decimal(sum(order.cents for order in mine)) / 100
                if not evidence or (len(evidence) == 1 and comparable)
                else None
            )
        return found


def _one(cents: Counter[str]) -> Decimal | None:
    return Decimal(next(iter(cents.values()))) / 100 if len(cents) == 1 else None


def _name(currencies: set[str]) -> str | None:
    return next(iter(currencies)) if len(currencies) == 1 else None


def _over(above: Decimal | None, below: Decimal | int | None) -> float | None:
    return float(above) / float(below) if above is not None and below else None


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
                cell.costs[row["currency"]] += int(Decimal(row["amount"]) * 100)
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

    def _count(self, creator: str, at: datetime) -> int | None:
        """The newest follower count of the creator's only account, none of it from later."""
        counts = [
            (instant(row["observed_at"]), int(row["follower_count"]))
            for row in self._rows["creator_follower_snapshots"]
            if key(row["platform_user_id"].removeprefix("ig-")) == creator
            and instant(row["observed_at"]) <= at
        ]
        return max(counts)[1] if counts else None

    def tier(self, creator: str, at: datetime) -> str:
        """By the newest follower count before it."""
        count = self._count(creator, at)
        if count is None:
            return "unknown"
        return next((name for name, least, below in TIERS if least <= count < below), "macro")

    def tiers(self) -> dict[tuple[str, Period, str, int], TierCell]:
        """Tier, period, model and window → what is counted, over all platforms."""
        found: dict[tuple[str, Period, str, int], TierCell] = defaultdict(TierCell)
        # A code that nobody used has its row, followers and reach alone have none.
        places = {(tier, period) for tier, period, _ in self.coded()}

        def cells(tier: str, at: datetime, windows: list[int]) -> Iterator[TierCell]:
            for period in self._periods(at):
                places.add((tier, period))
                for model in self._models:
                    for window in windows:
                        yield found[tier, period, model, window]

        for (name, model, window), parts in self._ledger.items():
            order = self.orders[name]
            for (kind, creator), (units, cents) in parts.items():
                if kind != "creator":
                    continue
                tier = self.tier(creator, self.credited_at(order, model, window, creator))
                for period in self._periods(order.at):
                    places.add((tier, period))
                    one = found[tier, period, model, window]
                    one.credited.add(creator)
                    one.orders += 1
                    one.new += name in self.new
                    one.units += units
                    one.cents[order.currency] += cents
                    one.unconverted += order.currency != "EUR"
        for (creator, person), touch in self.first_clicks().items():
            if creator == "ambiguous":
                continue
            for window in self._windows:
                seen, bought = self.outcome(person, touch.at, window)
                for one in cells(self.tier(creator, touch.at), touch.at, [window]):
                    one.seen += seen
                    one.bought += bought
                    if seen:
                        one.clicked.add(creator)
        for creator, person, touch in self._creator_touches():
            if creator == "ambiguous":
                continue
            for one in cells(self.tier(creator, touch.at), touch.at, self._windows):
                one.clicks += 1
                one.clickers.add(person)
        for session in stickiness.sessions(
            funnel.events(self._rows),
            funnel.openings(self._rows),
            stickiness.Rules(gap=funnel.GAP),
        ):
            if session.creator in {None, "ambiguous"}:
                continue
            assert session.creator is not None
            assert session.touched is not None
            tier = self.tier(session.creator, session.touched)
            for one in cells(tier, session.start, self._windows):
                one.sessions += 1
        for window in self._windows:
            for name, kinds in self.evidence(window).items():
                at = self.orders[name].at
                for strength, kind in enumerate(("survey", "click", "code"), start=1):
                    for creator in kinds[kind]:
                        for one in cells(self.tier(creator, at), at, [window]):
                            one.strength[name] = max(strength, one.strength.get(name, 0))
        for row in self._rows["creator_costs"]:
            at = instant(row["incurred_at"])
            tier = self.tier(key(row["creator_id"]), at)
            for one in cells(tier, at, self._windows):
                one.costs[row["currency"]] += int(Decimal(row["amount"]) * 100)
        # A rule that credits nothing has its row as well.
        for tier, period in places:
            for model in self._models:
                for window in self._windows:
                    _ = found[tier, period, model, window]
        for creator, day, reach, followers in self.exposures():
            tier = self.tier_of_day(creator, day)
            for period in periods(day, self._first):
                if (tier, period) not in places:
                    continue
                for model in self._models:
                    for window in self._windows:
                        cell = found[tier, period, model, window]
                        if reach is not None:
                            cell.reach = (cell.reach or 0) + reach
                        if followers is not None:
                            cell.followers.setdefault(creator, []).append(followers)
        return dict(found)

    def tier_of_day(self, creator: str, day: date) -> str:
        """Of a day the count speaks that holds at its end."""
        return self.tier(creator, _end(day))

    def exposures(self) -> Iterator[tuple[str, date, int | None, int | None]]:
        """Creator, day, reach gained on it and followers at its end, as far as they are known."""
        gained: Counter[tuple[str, date]] = Counter()
        for row in self._rows["post_metrics_daily"]:
            creator = key(row["post_id"].removeprefix("post-"))
            gained[creator, date.fromisoformat(row["metric_date"])] += row["value"]
        for account in self._rows["creator_accounts"]:
            creator = key(account["creator_id"])
            day = self._first
            while day < self._through.date():
                known = self._count(creator, _end(day))
                reach = gained.get((creator, day))
                if reach is not None or known is not None:
                    yield creator, day, reach, known
                day += timedelta(days=1)

    def coded(self) -> dict[tuple[str, Period, str], dict[str, Any]]:
        """Tier, period (month or all) and creator with a code → orders, cents, reach, followers.

        Only of whom any of the exposure is known.
        """
        found: dict[tuple[str, Period, str], dict[str, Any]] = {}

        def unit(tier: str, at: date, creator: str) -> Iterator[dict[str, Any]]:
            for period in periods(at, self._first):
                if period[0] in {"month", "all"}:
                    yield found.setdefault(
                        (tier, period, creator),
                        {"orders": 0, "cents": 0, "coded": False, "reach": 0, "followers": []},
                    )

        for order in self.orders.values():
            if order.code and order.code[0] == "creator":
                tier = self.tier(order.code[1], order.at)
                for one in unit(tier, order.at.date(), order.code[1]):
                    one["orders"] += 1
                    one["cents"] += order.cents
                    one["coded"] = True
        for creator, day, reach, followers in self.exposures():
            had_code = any(
                key(code["creator_id"]) == creator
                and instant(code["valid_from"]) <= _end(day)
                and ("valid_to" not in code or day <= instant(code["valid_to"]).date())
                for code in self._rows["promo_codes"]
            )
            for one in unit(self.tier_of_day(creator, day), day, creator):
                one["coded"] |= had_code
                one["reach"] += reach or 0
                if followers is not None:
                    one["followers"].append(followers)
        return {
            place: one
            for place, one in found.items()
            if one["coded"] and (one["reach"] or sum(one["followers"]))
        }

    def order_size(self, period: Period) -> Decimal | None:
        """The sum of the squares of the amounts sold by creators' codes over their sum."""
        mine = [
            order
            for order in self.orders.values()
            if order.code and order.code[0] == "creator" and period in self._periods(order.at)
        ]
        total = sum(order.cents for order in mine)
        if len({order.currency for order in mine}) != 1 or total <= 0:
            return None
        return round(Decimal(sum(order.cents**2 for order in mine)) / total / 100, 4)

    def credited_at(self, order: Order, model: str, window: int, creator: str) -> datetime:
        """When the touch was that earned the credit; a code earns it with the order."""
        if model in {"code", "code_then_last_touch"} and order.code == ("creator", creator):
            return order.at
        mine = [touch.at for touch in self._paths[window][order.key] if touch.party[1] == creator]
        return max(mine) if model != "first_touch" else min(mine)


def _end(day: date) -> datetime:
    """The last instant of a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, microseconds=-1)


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
