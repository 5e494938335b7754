"""What platforms claim, what networks owe creators and whom customers brought, in plain loops.

Written from docs/metrics/payouts_and_referrals.md and the descriptions of
`fct_platform_reconciliation_daily`, `fct_creator_payouts` and `fct_ambassador_conversion`, on the
worlds of `tests.worlds.paths` in UTC. Customers are called by the ids their shop gave them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.attribution import (
    DIRECT,
    Order,
    Rows,
    Touch,
    instant,
    is_left_out,
    key,
    orders,
    paths,
    returns,
    sales,
    touches,
)

CURRENCY = "EUR"
"""Of records that name none: what the world's source is configured with."""

NETWORKS = {
    "meta": {"facebook", "instagram"},
    "tiktok_ads": {"tiktok"},
    "google_ads": {"google"},
}
"""What one network sells as a whole is several platforms; any other is itself."""


def month(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def the_only(currencies: set[str]) -> str | None:
    """The currency, if it is one."""
    return next(iter(currencies)) if len(currencies) == 1 else None


def deciding_platform(order: Order, path: list[Touch], mine: list[Touch]) -> str | None:
    """Where the touch was that the default model credits; None for codes and without a touch.

    Of several touches of the credited party at one instant, the first platform by name.

    Args:
        path: The touches in the order's window.
        mine: All of the person's.
    """
    if order.code:
        return None
    creators = [touch for touch in path if touch.party[0] != "channel"]
    others = [touch for touch in path if touch.party != DIRECT]
    if not creators and not others:
        return None
    last = (creators or others)[-1]
    platforms = [
        touch.platform
        for touch in mine
        if touch.party == last.party and touch.at == last.at and touch.platform
    ]
    return min(platforms) if platforms else None


def reconciliation(rows: Rows, *, window_days: int) -> dict[tuple[date, str], dict[str, Any]]:
    """Day and claiming platform → both sides and why they differ."""
    everything = touches(rows)
    on_path = paths(rows, window_days)
    all_orders = orders(rows)
    found: dict[tuple[date, str], dict[str, Any]] = {}
    for name in {row["platform"] for row in rows["platform_claims"]}:
        platforms = NETWORKS.get(name, {name})
        claims: dict[date, list[dict[str, Any]]] = defaultdict(list)
        for row in rows["platform_claims"]:
            if row["platform"] == name:
                claims[date.fromisoformat(row["claim_date"])].append(row)
        bought: dict[date, list[Order]] = defaultdict(list)
        for order in all_orders:
            bought[order.at.date()].append(order)
        for day in claims.keys() | bought.keys():
            windows = [
                row["window_days"]
                for row in claims[day]
                if not row.get("is_view_through") and row["window_days"] is not None
            ]
            click_window = max(windows, default=None)

            def touched(
                order: Order, days: int | None, platforms: set[str | None] = platforms
            ) -> bool:
                start = order.at - timedelta(days=window_days if days is None else days)
                return any(
                    touch.platform in platforms and start < touch.at <= order.at
                    for touch in everything.get(order.person, [])
                )

            in_claim = sum(touched(order, click_window) for order in bought[day])
            in_default = sum(touched(order, None) for order in bought[day])
            if not claims[day] and not in_claim and not in_default:
                continue
            credited = [
                order
                for order in bought[day]
                if deciding_platform(order, on_path[order.key], everything.get(order.person, []))
                in platforms
            ]
            claimed = sum(Decimal(row["conversions"] or 0) for row in claims[day])
            viewed = sum(
                Decimal(row["conversions"] or 0)
                for row in claims[day]
                if row.get("is_view_through")
            )
            values = [Decimal(row["value"]) for row in claims[day] if row["value"] is not None]
            currency = the_only(
                {row.get("currency", CURRENCY) for row in claims[day]}
                | {order.currency for order in credited}
            )
            ledger_cents = sum(order.cents for order in credited)
            found[day, name] = {
                "reconciliation_date": day,
                "platform": name,
                "currency_code": currency,
                "click_window_days": click_window,
                "claim_window_order_count": in_claim,
                "touched_order_count": in_default,
                "claimed_order_count": claimed,
                "claimed_view_order_count": viewed,
                "ledger_order_credit": len(credited),
                "difference_order_credit": claimed - len(credited),
                "view_through_difference": viewed,
                "not_seen_difference": claimed - viewed - in_claim,
                "window_difference": in_claim - in_default,
                "credited_elsewhere_difference": in_default - len(credited),
                "claimed_amount": sum(values) if currency and values else None,
                "ledger_net_sales_amount": Decimal(ledger_cents) / 100 if currency else None,
            }
    return found


def payouts(rows: Rows, *, as_of: datetime) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Creator, month of settlement, network, currency and whether it is locked → what is owed."""
    shop = {row["order_id"]: row for row in rows["orders"] if not is_left_out(row)}
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows["affiliate_conversions"]:
        if "creator_id" not in row:
            continue
        lock = instant(row["locked_at"]) if "locked_at" in row else None
        is_locked = lock is not None and lock <= as_of
        settled = lock if lock is not None and is_locked else instant(row["event_at"])
        currency = row.get("currency", CURRENCY)
        place = (
            key(row["creator_id"]),
            month(settled.date()),
            row["network"],
            currency,
            is_locked,
        )
        cell = found.setdefault(
            place,
            {
                "creator_key": place[0],
                "settlement_start_date": place[1],
                "network": place[2],
                "currency_code": currency,
                "is_locked": is_locked,
                "conversion_count": 0,
                **{
                    f"{state}_count": 0
                    for state in ("approved", "pending", "reversed", "denied", "unmatched")
                },
                "sale_amount": Decimal(0),
                "commissionable_net_amount": Decimal(0),
                "commission_amount": Decimal(0),
                "pending_commission_amount": Decimal(0),
                "last_locked_at": None,
            },
        )
        cell["conversion_count"] += 1
        cell[f"{row['state']}_count"] += 1
        if lock is not None and is_locked:
            cell["last_locked_at"] = max(lock, cell["last_locked_at"] or lock)
        if row["state"] == "pending":
            cell["pending_commission_amount"] += Decimal(row["commission_amount"])
        if row["state"] != "approved":
            continue
        cell["sale_amount"] += Decimal(row["sale_amount"] or 0)
        cell["commission_amount"] += Decimal(row["commission_amount"])
        order = shop.get(row["order_id"])
        if order is None:
            cell["unmatched_count"] += 1
        elif order["currency"] == currency:
            cell["commissionable_net_amount"] += sales(order) - sum(
                amount
                for at, amount in returns(rows, row["order_id"])
                if lock is None or at <= lock
            )
    return found


def ambassadors(
    rows: Rows, *, through: datetime, window_days: int
) -> dict[tuple[str, date], dict[str, Any]]:
    """Referring customer and month → whom he or she brought, and what those bought since.

    Args:
        through: First instant that is not known in full.
    """
    window = timedelta(days=window_days)
    referrals = [row for row in rows["referrals"] if row["referrer_customer_id"] is not None]
    won: dict[str, dict[str, Any]] = {}
    for row in sorted(
        referrals, key=lambda row: (instant(row["referred_at"]), key(row["referral_id"]))
    ):
        one, other = row["referrer_customer_id"], row["referred_customer_id"]
        if other is not None and one != other:
            won.setdefault(other, row)

    def depth(customer: str) -> int | None:
        above = 0
        met = {customer}
        while customer in won:
            customer = won[customer]["referrer_customer_id"]
            if customer in met:
                return None
            met.add(customer)
            above += 1
        return above

    def creator(customer: str) -> str | None:
        mine = [row for row in rows["creators"] if row.get("customer_id") == customer]
        return min((key(row["creator_id"]) for row in mine), default=None)

    found: dict[tuple[str, date], dict[str, Any]] = {}
    for place in {
        (row["referrer_customer_id"], month(instant(row["referred_at"]).date()))
        for row in referrals
    }:
        mine = [
            row
            for row in referrals
            if (row["referrer_customer_id"], month(instant(row["referred_at"]).date())) == place
        ]
        brought = [row for row in mine if won.get(row["referred_customer_id"]) is row]
        buying = order_count = seen = converted = cents = 0
        currencies: set[str] = set()
        for row in brought:
            start = instant(row["referred_at"])
            bought = [
                order
                for order in orders(rows)
                if order.customer == row["referred_customer_id"] and order.at >= start
            ]
            buying += bool(bought)
            order_count += len(bought)
            cents += sum(order.cents for order in bought)
            currencies |= {order.currency for order in bought}
            if start + window <= through:
                seen += 1
                converted += any(order.at < start + window for order in bought)
        found[place] = {
            "customer_key": place[0],
            "creator_key": creator(place[0]),
            "referral_month_start_date": place[1],
            "currency_code": the_only(currencies),
            "is_customer_creator": creator(place[0]) is not None,
            "referral_depth": depth(place[0]),
            "referral_count": len(mine),
            "referred_customer_count": len(brought),
            "buying_customer_count": buying,
            "order_count": order_count,
            "referral_conversion_denominator_count": seen,
            "referral_conversion_numerator_count": converted,
            "net_sales_amount": Decimal(cents) / 100 if len(currencies) < 2 else None,
            "referral_conversion_rate": converted / seen if seen else None,
        }
    return found
