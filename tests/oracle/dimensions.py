"""Customers, products, codes, campaigns, channels and days, once more, with loops.

From the descriptions of the dimensions. Each function gives a table's rows as dictionaries of
column → value by its key.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.purchases import Mart, Purchases, amount, by_key
from tests.oracle.shop import Row, code_of, instant, seed

DAY = timedelta(days=1)
NO_MARKETING = {"creator", "store", "direct", "unknown"}
NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _time(row: Row, field: str) -> datetime | None:
    if not row.get(field):
        return None
    return instant(row[field]).astimezone(UTC).replace(tzinfo=None)


def customers(purchases: Purchases) -> Mart:
    """dim_customers: the feed's accounts, and those that orders or exposures name."""
    shop, found = purchases.shop, []
    listed = {row["customer_id"]: row for row in shop.rows["customers"]}
    named = [*shop.rows["orders"], *shop.rows["campaign_exposures"]]
    everybody = {**{row["customer_id"]: {} for row in named if row.get("customer_id")}, **listed}
    for name, row in everybody.items():
        pid = shop.pid("customer", name)
        person = shop.person(f"customer:{pid}", instant("2026-01-01T00:00:00Z"))
        own = [one for one in purchases.orders.values() if one["customer_key"] == shop.key(pid)]
        currencies = {order["currency_code"] for order in own}
        is_single = len(currencies) == 1
        won = purchases.acquirer(person)
        found.append(
            {
                "customer_key": shop.key(pid),
                "person_key": person,
                "acquiring_creator_key": won[0] if won else None,
                "acquiring_channel_key": won[1] if won else None,
                "first_order_date": min((one["order_date"] for one in own), default=None),
                "last_order_date": max((one["order_date"] for one in own), default=None),
                "source": "drops",
                "currency_code": currencies.pop() if is_single else None,
                "is_deleted": False,
                "order_count": len(own),
                "net_sales_amount": sum((one["net_sales_amount"] for one in own), Decimal(0))
                if is_single
                else None,
                "first_order_at": min((one["ordered_at"] for one in own), default=None),
                "last_order_at": max((one["ordered_at"] for one in own), default=None),
                "created_at": _time(row, "created_at"),
            }
        )
    return by_key(found, "customer_key")


def products(purchases: Purchases) -> Mart:
    """dim_products: the feed's, and those that lines name."""
    shop, found = purchases.shop, []
    listed = {row["product_id"]: row for row in shop.rows["products"]}
    skus: dict[str, list[str]] = defaultdict(list)
    for line in shop.rows["order_lines"]:
        if line.get("product_id"):
            skus[line["product_id"]] += [line["sku"]] if line.get("sku") else []
    for name in listed.keys() | skus.keys():
        row = listed.get(name, {"sku": min(skus[name], default=None)})
        found.append(
            {
                "product_key": shop.key(name),
                "source": "drops",
                **{field: row.get(field) for field in ("sku", "title", "category", "brand")},
                "currency_code": row.get("currency", shop.rules.default_currency)
                if name in listed
                else None,
                "is_only_named": name not in listed,
                "is_deleted": False,
                "unit_cost_amount": amount(row, "unit_cost_amount"),
            }
        )
    return by_key(found, "product_key")


def promo_codes(purchases: Purchases) -> Mart:
    """dim_promo_codes."""
    shop, found = purchases.shop, []
    carried = [
        (code.code, instant(order["ordered_at"]))
        for order in shop.rows["orders"]
        if not order.get("is_test")
        for code in shop.codes(order)
    ]
    for span in shop.spans:
        overlaps = [
            other
            for other in shop.spans
            if other.code == span.code
            and None not in {span.creator, other.creator}
            and other.creator != span.creator
            and (span.end is None or other.start < span.end)
            and (other.end is None or span.start < other.end)
        ]
        listed = [r for r in shop.rows["promo_code_products"] if code_of(r["code"]) == span.code]
        found.append(
            {
                "promo_code_key": span.key,
                "code_norm": span.code,
                "creator_key": span.creator,
                "campaign_key": span.campaign,
                "source": "drops",
                "validity_source": span.validity,
                "discount_type": span.row.get("discount_type"),
                "owner_source": span.row.get("owner_source"),
                "has_overlap": bool(overlaps),
                "is_deleted": False,
                "product_count": len(listed),
                "usage_limit_count": span.row.get("usage_limit"),
                "order_count": sum(code == span.code and span.holds(at) for code, at in carried),
                "discount_value": amount(span.row, "discount_value"),
                "commission_rate": span.row.get("commission_rate"),
                "valid_from_at": span.start.replace(tzinfo=None),
                "valid_to_at": span.end.replace(tzinfo=None) if span.end else None,
            }
        )
    return by_key(found, "promo_code_key")


def campaigns(purchases: Purchases) -> Mart:
    """dim_campaigns: the feed's, and those that something else names."""
    shop, found = purchases.shop, []
    listed = {shop.key(row["campaign_id"]): row for row in shop.rows["campaigns"]}
    shown: dict[str, set[str]] = defaultdict(set)
    for row in shop.rows["campaign_exposures"]:
        identity = next(
            one
            for one in (shop.identity(kind, row) for kind in ("customer", "visitor", "email"))
            if one is not None
        )
        shown[shop.key(row["campaign_id"])].add(shop.person(identity, instant(row["exposed_at"])))
    clicked: dict[str, set[str]] = defaultdict(set)
    for person, touches in shop.touches.items():
        for *_, campaign in touches:
            if campaign is not None:
                clicked[campaign].add(person)
    coded: dict[str, set[str]] = defaultdict(set)
    for span in shop.spans:
        if span.campaign is not None:
            coded[span.campaign].add(span.code)
    posted = [shop.keyed(row, "campaign_id") for row in shop.rows["posts"]]
    paid = [shop.keyed(row, "campaign_id") for row in shop.rows["creator_costs"]]
    named = {*listed, *shown, *clicked, *coded, *posted, *paid} - {None}
    for campaign in named:
        row = listed.get(str(campaign), {})
        is_known = row or campaign in {*coded, *posted, *paid}
        found.append(
            {
                "campaign_key": campaign,
                "source": "drops" if is_known else None,
                "campaign_name": row.get("name"),
                "brand": row.get("brand"),
                "currency_code": row.get("currency", shop.rules.default_currency) if row else None,
                "is_only_named": not row,
                "is_deleted": False,
                "exposed_person_count": len(shown[str(campaign)]),
                "clicking_person_count": len(clicked[str(campaign)]),
                "promo_code_count": len(coded[str(campaign)]),
                "post_count": posted.count(campaign),
                "budget_amount": amount(row, "budget_amount"),
                "starts_at": _time(row, "starts_at"),
                "ends_at": _time(row, "ends_at"),
            }
        )
    return by_key(found, "campaign_key")


def channels() -> Mart:
    """dim_channels."""
    found = []
    for row in seed("channels"):
        rules = [one for one in seed("channel_rules") if one["channel_key"] == row["channel_key"]]
        rules.sort(key=lambda rule: int(rule["rule_order"]))
        found.append(
            {
                "channel_key": row["channel_key"],
                "channel_description": row["description"],
                "channel_rule": " ".join(rule["description"] for rule in rules)
                or row["description"],
                "is_marketing_channel": row["channel_key"] not in NO_MARKETING,
                "is_paid": row["is_paid"] == "true",
                "channel_order_number": int(row["channel_order"]),
                "first_rule_number": int(rules[0]["rule_order"]) if rules else None,
            }
        )
    return by_key(found, "channel_key")


def dates(purchases: Purchases) -> Mart:
    """dim_dates: from the first day any feed tells of to the last that is complete or named."""
    shop, rules = purchases.shop, purchases.rules
    seen = [rules.through]
    for entity, field in (
        ("orders", "ordered_at"),
        ("refunds", "refunded_at"),
        ("posts", "posted_at"),
        ("creator_costs", "incurred_at"),
        ("activity_events", "occurred_at"),
    ):
        for row in shop.rows[entity]:
            if not row.get("is_test"):
                seen.append(rules.day(instant(row[field])))
    seen = [day for day in seen if day <= rules.today]
    seen += [rules.day(at) for touches in shop.touches.values() for at, *_ in touches]
    first, found = min(seen), []
    for number in range((max(seen) - first).days + 1):
        day = first + number * DAY
        past = day.weekday() if rules.week_start == "monday" else (day.weekday() + 1) % 7
        quarter = (day.month - 1) // 3
        found.append(
            {
                "calendar_date": day,
                "week_start_date": day - past * DAY,
                "month_start_date": day.replace(day=1),
                "quarter_start_date": date(day.year, 3 * quarter + 1, 1),
                "year_start_date": date(day.year, 1, 1),
                "day_name": NAMES[day.weekday()],
                "year_number": day.year,
                "quarter_number": quarter + 1,
                "month_number": day.month,
                "day_of_month_number": day.day,
                "day_of_week_number": past + 1,
                "is_weekend": day.weekday() >= 5,
                "is_complete": day <= rules.through,
            }
        )
    return by_key(found, "calendar_date")


def all_marts(purchases: Purchases) -> dict[str, Mart]:
    """Every table that the purchases of a shop make, by name."""
    tables: dict[str, Any] = {
        "fct_orders": purchases.orders,
        "fct_order_lines": purchases.lines(),
        "fct_refund_maturity": purchases.maturity(),
        "fct_creator_costs": purchases.costs(),
        "fct_customer_value_cohorts": purchases.value(),
        "dim_customers": customers(purchases),
        "dim_products": products(purchases),
        "dim_promo_codes": promo_codes(purchases),
        "dim_campaigns": campaigns(purchases),
        "dim_channels": channels(),
        "dim_dates": dates(purchases),
    }
    return tables
