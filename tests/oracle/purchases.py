"""Orders, lines, refund maturity, costs and customers' value, once more, with loops.

From docs/metrics and the descriptions of the marts. Each function gives a mart's rows as
dictionaries of column → value by the mart's grain. Instants are naive UTC as in the marts.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa

from estimation.table import Plan, estimate
from tests.oracle.shop import UNATTRIBUTED, Row, Shop, instant, seed

Mart = dict[tuple[Any, ...], Row]
DAY = timedelta(days=1)
ZERO = Decimal(0)


def _naive(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None)


def _time(row: Row, field: str) -> datetime | None:
    return _naive(instant(row[field])) if row.get(field) else None


def amount(row: Row, field: str) -> Decimal | None:
    """Money as delivered."""
    return Decimal(row[field]) if row.get(field) is not None else None


def rounded(value: Decimal) -> Decimal:
    """To the four places of the marts."""
    return value.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def by_key(rows: list[Row], *names: str) -> Mart:
    """Rows by their grain."""
    found = {tuple(row[name] for name in names): row for row in rows}
    assert len(found) == len(rows)
    return found


def rate(shop: Shop, currency: str, day: date) -> Decimal | None:
    """Reporting currency for one unit: the newest quoted, unless it has gone stale."""
    rules = shop.rules
    if currency == rules.reporting_currency:
        return Decimal(1)
    quoted = {
        date.fromisoformat(row["rate_date"]): Decimal(row["rate"])
        for row in shop.rows["fx_rates_daily"]
        if (row["currency"], row["reporting_currency"]) == (currency, rules.reporting_currency)
        and date.fromisoformat(row["rate_date"]) <= day
    }
    last = max(quoted, default=None)
    if last is None or (day - last).days >= rules.staleness_days:
        return None
    return quoted[last]


class Purchases:
    """The marts of a shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.rules = shop.rules
        self._placed = [row for row in shop.rows["orders"] if not row.get("is_test")]
        self._buyers = {row["order_id"]: shop.buyer(row) for row in self._placed}
        self._refunds: dict[str, list[Row]] = defaultdict(list)
        for row in shop.rows["refunds"]:
            self._refunds[row["order_id"]].append(row)
        self.orders = self._orders()
        self._acquirers = {
            row["order_id"]: shop.acquirer(row)
            for row in self._placed
            if self.orders[shop.key(row["order_id"]),]["is_new_customer"]
        }

    def _orders(self) -> Mart:
        shop, rules, found = self.shop, self.rules, []
        for order in self._placed:
            at, currency = instant(order["ordered_at"]), order["currency"]
            before = [
                other
                for other in self._placed
                if self._buyers[other["order_id"]] == self._buyers[order["order_id"]]
                and (instant(other["ordered_at"]), shop.key(other["order_id"]))
                <= (at, shop.key(order["order_id"]))
            ]
            refunds = self._refunds[order["order_id"]]
            days = sorted(rules.day(instant(row["refunded_at"])) for row in refunds)
            returned = amount(order, "returned_amount") or ZERO
            refunded = amount(order, "refunded_amount") or ZERO
            if refunds:  # they say it better
                returned = sum((self._goods(row) for row in refunds), ZERO)
                refunded = sum((Decimal(row["amount"]) for row in refunds), ZERO)
            gross = Decimal(order["gross_amount"])
            discount = amount(order, "discount_amount") or ZERO
            shipping, tax = amount(order, "shipping_amount"), amount(order, "tax_amount")
            total = amount(order, "total_amount")
            if total is None:
                total = gross - discount + (shipping or ZERO) + (tax or ZERO)
            net, paid = gross - discount - returned, total - refunded
            fx = rate(shop, currency, rules.day(at))
            codes = shop.codes(order)
            lines = [r for r in shop.rows["order_lines"] if r["order_id"] == order["order_id"]]
            found.append(
                {
                    "order_key": shop.key(order["order_id"]),
                    "customer_key": shop.customer_key(order),
                    "person_key": self._buyers[order["order_id"]],
                    "channel_key": shop.channel(order),
                    "campaign_key": min(
                        (span.campaign for span in codes[0].spans if span.campaign), default=None
                    )
                    if codes
                    else None,
                    "order_date": rules.day(at),
                    "first_refunded_on_date": days[0] if days else None,
                    "last_refunded_on_date": days[-1] if days else None,
                    "source": "drops",
                    "platform": order.get("platform"),
                    "sales_channel": order.get("channel"),
                    "code_norm": codes[0].code if codes else None,
                    "code_match_step": codes[0].step if codes else "none",
                    "financial_status": order.get("financial_status", "unknown"),
                    "currency_code": currency,
                    "reporting_currency_code": rules.reporting_currency if fx else None,
                    "is_new_customer": len(before) == 1,
                    "is_cancelled": bool(order.get("cancelled_at")),
                    "is_mature": self._age(order) >= rules.maturity_days,
                    "customer_order_number": len(before),
                    "line_count": len(lines),
                    "unit_count": sum(line["quantity"] for line in lines),
                    "code_count": len(codes),
                    "refund_count": len(refunds),
                    "gross_sales_amount": gross,
                    "discount_amount": discount,
                    "returned_amount": returned,
                    "net_sales_amount": net,
                    "shipping_amount": shipping,
                    "tax_amount": tax,
                    "total_amount": total,
                    "refunded_amount": refunded,
                    "net_paid_amount": paid,
                    "net_sales_amount_reporting": rounded(net * fx) if fx else None,
                    "net_paid_amount_reporting": rounded(paid * fx) if fx else None,
                    "reporting_fx_rate": fx,
                    "ordered_at": _naive(at),
                    "cancelled_at": _time(order, "cancelled_at"),
                }
            )
        return by_key(found, "order_key")

    @staticmethod
    def _goods(refund: Row) -> Decimal:
        """The part of a refund that gives back goods; all of it where not told."""
        told = amount(refund, "returned_sales_amount")
        return Decimal(refund["amount"]) if told is None else told

    def _age(self, order: Row) -> int:
        return (self.rules.through - self.rules.day(instant(order["ordered_at"]))).days

    def lines(self) -> Mart:
        """fct_order_lines."""
        shop, found = self.shop, []
        for line in shop.rows["order_lines"]:
            order = self.orders.get((shop.key(line["order_id"]),))
            if order is None:
                continue
            net, discount = Decimal(line["net_amount"]), amount(line, "discount_amount") or ZERO
            returned = sum(
                (
                    Decimal(row["amount"])
                    for row in shop.rows["refund_lines"]
                    if (row["order_id"], row["line_id"]) == (line["order_id"], line["line_id"])
                ),
                ZERO,
            )
            found.append(
                {
                    "order_line_key": shop.key(line["order_id"], line["line_id"]),
                    **{name: order[name] for name in ("order_key", "customer_key", "order_date")},
                    **{name: order[name] for name in ("source", "is_mature", "ordered_at")},
                    "product_key": shop.keyed(line, "product_id"),
                    "currency_code": line.get("currency", self.rules.default_currency),
                    "is_gift_card": line.get("is_gift_card", False),
                    "is_zero_quantity": line["quantity"] == 0,
                    "unit_count": line["quantity"],
                    "current_unit_count": line.get("current_quantity", line["quantity"]),
                    "unit_amount": amount(line, "unit_amount"),
                    "gross_sales_amount": net + discount,
                    "discount_amount": discount,
                    "returned_amount": returned,
                    "net_sales_amount": net - returned,
                }
            )
        return by_key(found, "order_line_key")

    def costs(self) -> Mart:
        """fct_creator_costs."""
        shop, found = self.shop, []
        for row in shop.rows["creator_costs"]:
            day = self.rules.day(instant(row["incurred_at"]))
            fx, cost = rate(shop, row["currency"], day), Decimal(row["amount"])
            found.append(
                {
                    "cost_key": shop.key(row["cost_id"]),
                    "creator_key": shop.key(row["creator_id"]),
                    "campaign_key": shop.keyed(row, "campaign_id"),
                    "incurred_date": day,
                    "cost_type": row["cost_type"],
                    "currency_code": row["currency"],
                    "cost_amount": cost,
                    "cost_amount_reporting": rounded(cost * fx) if fx else None,
                    "incurred_at": _time(row, "incurred_at"),
                }
            )
        return by_key(found, "cost_key")

    # -- refund maturity ----------------------------------------------------------------------

    def completion(self) -> dict[str, list[float | None]]:
        """Currency → by age in days, the share of all returns of mature orders that had come."""
        limit = self.rules.maturity_days
        found: dict[str, list[float | None]] = {}
        for currency in {row["currency"] for row in self._placed}:
            by_age = [ZERO] * (limit + 1)
            for order in self._placed:
                if order["currency"] != currency or self._age(order) < limit:
                    continue
                ordered = self.rules.day(instant(order["ordered_at"]))
                for refund in self._refunds[order["order_id"]]:
                    age = (self.rules.day(instant(refund["refunded_at"])) - ordered).days
                    if age <= limit:
                        by_age[max(age, 0)] += self._goods(refund)
            whole = sum(by_age)
            found[currency] = [
                float(sum(by_age[: age + 1]) / whole) if whole else None for age in range(limit)
            ]
            found[currency].append(1.0)
        return found

    def maturity(self) -> Mart:
        """fct_refund_maturity."""
        limit, curves = self.rules.maturity_days, self.completion()
        cells: dict[tuple[str, str, str], dict[int, list[tuple[Decimal, Decimal]]]] = {}
        squares: dict[str, list[Decimal]] = defaultdict(list)
        for order in self._placed:
            if self._age(order) < 0:
                continue
            row = self.orders[self.shop.key(order["order_id"]),]
            values = (
                row["gross_sales_amount"] - row["discount_amount"],
                row["returned_amount"],
            )
            squares[order["currency"]].append(values[1])
            segments = [("all", "all")]
            owner = self.shop.code_owner(order)
            if owner not in {None, "ambiguous"}:
                segments.append(("code_creator", str(owner)))
            for kind, segment in segments:
                ages = cells.setdefault((kind, segment, order["currency"]), defaultdict(list))
                ages[min(self._age(order), limit)].append(values)
        rates = self._return_rates(cells, squares, curves)
        found = []
        for (kind, segment, currency), ages in cells.items():
            expected, weight = rates[kind, segment, currency]
            for age, values in ages.items():
                sold = sum((one for one, _ in values), ZERO)
                returned = sum((one for _, one in values), ZERO)
                done, further = curves[currency][age], None
                if age == limit:
                    further = 0.0
                elif done is not None and expected is not None:
                    further = float(sold) * expected * (1 - done)
                found.append(
                    {
                        "segment_type": kind,
                        "segment": segment,
                        "currency_code": currency,
                        "order_age_days": age,
                        "is_mature": age == limit,
                        "order_count": len(values),
                        "sold_amount": sold,
                        "returned_amount": returned,
                        "expected_further_return_amount": further,
                        "provisional_net_sales_amount": None
                        if further is None
                        else float(sold - returned) - further,
                        "completion_rate": done,
                        "credibility_weight_rate": weight,
                        "expected_return_rate": expected,
                    }
                )
        names = ("segment_type", "segment", "currency_code", "order_age_days")
        return by_key(found, *names)

    def _return_rates(
        self,
        cells: dict[tuple[str, str, str], dict[int, list[tuple[Decimal, Decimal]]]],
        amounts: dict[str, list[Decimal]],
        curves: dict[str, list[float | None]],
    ) -> dict[tuple[str, str, str], tuple[float | None, float | None]]:
        """Segment and currency → expected rate and weight of the own returns."""
        found: dict[tuple[str, str, str], tuple[float | None, float | None]] = {}
        counts: dict[str, dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
        worth: dict[str, float] = {}
        for (kind, segment, currency), ages in cells.items():
            curve = curves[currency]
            if curve[0] is None:  # nothing to go by
                found[kind, segment, currency] = (None, 1.0 if kind == "all" else None)
                continue
            developed = returned = 0.0
            for age, values in ages.items():
                sold = float(sum(one for one, _ in values))
                developed += float(rounded(Decimal(sold * (curve[age] or 0.0))))
                returned += float(sum(one for _, one in values))
            if kind == "all":
                share = returned / developed if developed else None
                found[kind, segment, currency] = (share, 1.0)
                continue
            unit = rounded(sum(one * one for one in amounts[currency]) / sum(amounts[currency]))
            worth[currency] = float(unit) / 1000
            counts[currency][segment] = (
                rounded(Decimal(returned) / unit),
                rounded(Decimal(developed) / 1000),
            )
        for currency, by_creator in counts.items():
            told = {pair for pair in by_creator.values() if pair[1] > 0}
            units, mean = _estimated(currency, [p for p in by_creator.values() if p in told])
            for creator, pair in by_creator.items():
                shrunk, weight = units[pair] if pair in told else (mean, 0.0)
                found["code_creator", creator, currency] = (
                    None if shrunk is None else min(shrunk * worth[currency], 1.0),
                    None if shrunk is None else weight,
                )
        return found

    # -- customers' value ---------------------------------------------------------------------

    def value(self) -> Mart:
        """fct_customer_value_cohorts."""
        rules = self.rules
        by_person: dict[str, list[Row]] = defaultdict(list)
        for order in self.orders.values():
            if order["order_date"] <= rules.through:
                by_person[order["person_key"]].append(order)
        cohorts: dict[tuple[Any, ...], list[list[Row]]] = defaultdict(list)
        for own in by_person.values():
            first = min(own, key=lambda order: order["customer_order_number"])
            creator, credited = self._acquirers[first["order_key"].rsplit(":", 1)[1]]
            segments = [
                ("all", "none", "all"),
                ("creator", "none", creator),
                ("channel", "none", first["channel_key"]),
            ]
            if creator not in {UNATTRIBUTED, "ambiguous"}:
                segments += [
                    ("tier", scheme, tier) for scheme, tier in self._tiers(creator, credited)
                ]
            for segment in segments:
                cohorts[first["order_date"].replace(day=1), *segment].append(own)
        found = []
        for (month, kind, scheme, segment), customers in cohorts.items():
            last = (month + 31 * DAY).replace(day=1) - DAY
            for age in rules.ages_days:
                young = [
                    [
                        order
                        for order in own
                        if order["ordered_at"] < min(one["ordered_at"] for one in own) + age * DAY
                    ]
                    for own in customers
                ]
                orders = [order for own in young for order in own]
                currencies = {order["currency_code"] for order in orders}
                repeat = sum(len(own) > 1 for own in young)
                is_mature = last + age * DAY <= rules.through
                net = reporting = None
                if is_mature and len(currencies) == 1:
                    net = sum((order["net_sales_amount"] for order in orders), ZERO)
                if is_mature and all(order["reporting_fx_rate"] for order in orders):
                    reporting = sum((one["net_sales_amount_reporting"] for one in orders), ZERO)
                found.append(
                    {
                        "cohort_month_start_date": month,
                        "segment_type": kind,
                        "tier_scheme": scheme,
                        "segment": segment,
                        "currency_code": currencies.pop() if len(currencies) == 1 else None,
                        "is_mature": is_mature,
                        "age_days": age,
                        "customer_count": len(customers),
                        "repeat_customer_count": repeat if is_mature else None,
                        "order_count": len(orders) if is_mature else None,
                        "net_sales_amount": net,
                        "net_sales_amount_reporting": reporting,
                        "net_sales_per_customer_amount": _per(net, len(customers)),
                        "net_sales_per_customer_amount_reporting": _per(reporting, len(customers)),
                        "repeat_purchase_rate": repeat / len(customers) if is_mature else None,
                    }
                )
        grain = ("cohort_month_start_date", "segment_type", "tier_scheme", "segment", "age_days")
        return by_key(found, *grain)

    def acquirer(self, person: str) -> tuple[str, str] | None:
        """Creator and channel that won a person; None before the first order."""
        for order in self.orders.values():
            if order["person_key"] == person and order["is_new_customer"]:
                name = order["order_key"].rsplit(":", 1)[1]
                return self._acquirers[name][0], order["channel_key"]
        return None

    def _tiers(self, creator: str, at: datetime) -> list[tuple[str, str]]:
        """Scheme and tier by the newest follower count of the creator's only account."""
        counts = [
            (instant(row["observed_at"]), row["follower_count"])
            for row in self.shop.rows["creator_follower_snapshots"]
            if self.shop.key(row["platform_user_id"].removeprefix("ig-")) == creator
            and instant(row["observed_at"]) <= at
        ]
        found: dict[str, str] = {}
        for row in seed("creator_tiers"):
            found.setdefault(row["tier_scheme"], "unknown")
            least, below = int(row["min_follower_count"]), row["below_follower_count"]
            if counts and least <= max(counts)[1] and (not below or max(counts)[1] < int(below)):
                found[row["tier_scheme"]] = row["tier"]
        return sorted(found.items())


def _per(money: Decimal | None, count: int) -> float | None:
    return None if money is None else float(money) / count


def _estimated(
    currency: str, pairs: list[tuple[Decimal, Decimal]]
) -> tuple[dict[tuple[Decimal, Decimal], tuple[float, float]], float | None]:
    """Events and chances of each creator → shrunk rate and own weight, and the creators' mean.

    By `estimation`, which has tests of its own.
    """
    if not pairs:
        return {}, None
    distinct = sorted(set(pairs))
    constants = {
        "metric": "return_rate",
        "family": "exposure",
        "population": f"code_creator {currency}",
        "platform": "all",
        "tier": "all",
        "has_units": True,
        "has_rank": False,
    }
    table = pa.table(
        {
            **{name: [value] * len(distinct) for name, value in constants.items()},
            "x": pa.array([x for x, _ in distinct], pa.decimal128(38, 4)),
            "n": pa.array([n for _, n in distinct], pa.decimal128(38, 4)),
            "unit_count": [pairs.count(pair) for pair in distinct],
        }
    )
    rows = estimate(table, Plan(level=0.9, reference_tier="nano")).to_pylist()
    units = {
        (row["x"], row["n"]): (row["shrunk"], row["own_weight"])
        for row in rows
        if row["level"] == "unit"
    }
    return units, next(row["shrunk"] for row in rows if row["level"] == "cell")
