"""A shop whose purchases have every edge: currencies, versions, merged people, codes that move.

Times are wall clock of the business on a grid of quarter days, so midnights, ties at one instant
and orders of one customer on one day come about by themselves. What is delivered repeats and
corrects itself: a record may have several versions, and the newest may come first.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.worlds.small import Delivery

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 5, tzinfo=ZONE)
DAYS = 88
"""The last complete day is number 87; summer time begins on number 83."""
AS_OF = START + timedelta(days=DAYS, hours=14)
THROUGH = (START + timedelta(days=DAYS - 1)).date()
MATURITY_DAYS = 20
STALENESS_DAYS = 5
AGES_DAYS = (7, 33)
"""February's youngest customer is 33 days old on the last complete day."""

CONFIG = f"""
as_of = {AS_OF.isoformat()}
business_timezone = "{ZONE.key}"
week_start = "sunday"
reporting_currency = "EUR"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "drops"
account = "shop"
currency = "EUR"

[dbt_vars]
attribution_models = ["code_then_last_touch", "code"]
attribution_windows_days = [30]
refund_maturity_days = {MATURITY_DAYS}
fx_staleness_days = {STALENESS_DAYS}
customer_value_ages_days = {list(AGES_DAYS)}
"""

Row = dict[str, Any]
Rows = dict[str, list[Row]]

CREATORS = [f"c{number}" for number in range(6)]
CODES = [
    # code, creator, first day, day after the last, campaign
    ("MOVED", "c0", 0, None, None),
    ("MOVED", "c1", 40, None, None),
    ("BOTH", "c2", 0, 80, None),
    ("BOTH", "c3", 30, 70, "summer"),
    ("ONE", "c3", -100, None, "spring"),
    ("SOON", "c0", 0, None, "spring"),
    ("SOON", "c1", 30, None, "spring"),
    ("GAP", "c0", 0, None, "spring"),
    ("GAP", "c2", 75, None, None),
    ("BRAND", None, 10, 85, None),
    ("HALF", None, 0, 60, None),
    ("HALF", "c4", 20, 85, None),
    ("GHOST", "c5", 0, None, "ghost"),
    ("FUTURE", "c4", 70, None, None),
    ("SPANS", "c4", 0, 30, None),
    ("SPANS", "c4", 30, 60, None),
    ("TWINS", "c5", 0, 60, None),
    ("TWINS", "c5", 40, 85, None),
    ("REOWN", "c5", 0, None, None),
    ("REEND", "c1", 0, 80, None),
    ("UNUSED", "c1", 0, None, None),
]
WRITTEN = [
    *("moved", " Moved ", "BOTH", "ONE", "soon", "GAP", "BRAND", "HALF", "GHOST", "FUTURE"),
    *("SPANS", "TWINS", "reown", "REEND", "NOBODY"),
]
"""Codes as customers type them, one of them unknown."""


def at(day: float, microseconds: int = 0) -> str:
    """That much wall clock after the start, as delivered."""
    return (START + timedelta(days=day, microseconds=microseconds)).isoformat()


def deliveries(seed: int = 5) -> list[Delivery]:
    """All files: what comes first, then what comes late or corrects it."""
    luck = random.Random(seed)
    first, later = _references(), _corrections()
    people = [_person(first, luck, number) for number in range(64)]
    for person in people:
        _live(first, later, luck, person)
    _special_orders(first, later)
    _redeem(first, luck)
    _redeem_on_days_of_several_orders(first)
    _orphans(first, later)
    return [
        Delivery(entity, f"{name}.ndjson", tuple(rows))
        for name, batch in (("1-first", first), ("2-later", later))
        for entity, rows in batch.items()
        if rows
    ]


def _references() -> Rows:
    return {
        "creators": [
            {"creator_id": creator, "status": "active", "consent_basis": "contract"}
            for creator in CREATORS
        ],
        "creator_accounts": [
            {"platform": "instagram", "platform_user_id": f"ig-{creator}", "creator_id": creator}
            for creator in CREATORS[:5]
        ],
        "creator_follower_snapshots": [
            {
                "platform": "instagram",
                "platform_user_id": f"ig-{creator}",
                "observed_at": at(day),
                "follower_count": count,
                "follower_precision": "exact",
                "method": "profile",
            }
            for creator, day, count in (
                *(("c0", -5, 900), ("c0", 30, 1_000), ("c1", 0, 40_000), ("c1", 50, 60_000)),
                *(("c2", 10, 999), ("c3", -5, 120_000)),
            )
        ],
        "campaigns": [
            {
                "campaign_id": "spring",
                "name": "Spring",
                "starts_at": at(0),
                "ends_at": at(60),
                "budget_amount": "500.00",
                "currency": "EUR",
                "brand": "Setae",
            },
            {"campaign_id": "summer", "name": "Summer", "starts_at": at(70), "currency": "USD"},
        ],
        "posts": [
            {
                "platform": "instagram",
                "post_id": f"post{number}",
                "creator_id": creator,
                "posted_at": at(day),
                "format": "image",
                **({"campaign_id": campaign} if campaign else {}),
            }
            for number, (creator, day, campaign) in enumerate(
                (("c0", -3, "spring"), ("c1", 5, "spring"), ("c1", 9, "posted"), ("c2", 9, None))
            )
        ],
        "products": [
            {
                "product_id": f"p{number}",
                "sku": f"SKU{number}",
                "title": f"Thing {number}",
                "category": "cups" if number % 2 else "jars",
                **({"unit_cost_amount": f"{number}.5", "brand": "Setae"} if number else {}),
                "currency": "USD" if number == 3 else "EUR",
            }
            for number in range(6)
        ],
        "promo_codes": [
            {
                "code": code.lower() if number % 3 else code,
                "valid_from": at(start),
                "updated_at": at(1),
                "discount_type": ("percent", "fixed")[number % 2],
                **({"creator_id": creator} if creator else {}),
                **({} if end is None else {"valid_to": at(end)}),
                **({"campaign_id": campaign} if campaign else {}),
                **({"discount_value": f"{number}.25"} if number % 4 else {"commission_rate": 0.1}),
                **({"usage_limit": 5 * number, "owner_source": "manual"} if number % 5 else {}),
            }
            for number, (code, creator, start, end, campaign) in enumerate(CODES)
        ],
        "promo_code_products": [
            {"code": code, "product_id": product}
            for code, product in (
                *(("brand", "p0"), ("BRAND", "p1"), ("ONE", "p2"), ("TWINS", "p1")),
                *(("TWINS", "p7"), ("NOBODY", "p1")),
            )
        ],
        "tracked_links": [
            {
                "link_id": f"l-{creator}",
                "creator_id": creator,
                "valid_from": at(-100),
                "platform": "instagram",
                "utm_source": "ig",
                "utm_campaign": f"by-{creator}",
                **({"campaign_id": campaign} if campaign else {}),
                **({"valid_to": at(50)} if creator == "c4" else {}),
            }
            for creator, campaign in zip(
                CREATORS, ("spring", "clicked", None, "spring", None, None), strict=True
            )
        ]
        + [
            # Marks that c5 shares with c0 from the middle on.
            {
                "link_id": "l-shared",
                "creator_id": "c0",
                "valid_from": at(44),
                "utm_source": "ig",
                "utm_campaign": "by-c5",
            }
        ],
        "creator_costs": [
            {
                "cost_id": f"cost{number}",
                "creator_id": creator,
                "cost_type": kind,
                "incurred_at": at(day),
                "amount": amount,
                "currency": currency,
                "updated_at": at(1),
                **({"campaign_id": campaign} if campaign else {}),
            }
            for number, (creator, day, kind, amount, currency, campaign) in enumerate(
                (
                    ("c0", -90, "fee", "100.00", "EUR", None),
                    ("c0", 200, "fee", "100.00", "EUR", "planned"),
                    ("c0", 12.5, "shipping", "7.1250", "USD", "spring"),
                    ("c1", 12, "gift_at_cogs", "12.34", "USD", "paid"),
                    ("c1", 11.75, "commission", "-3.33", "USD", None),
                    ("c2", 38, "fee", "50", "USD", "spring"),  # its rate has gone stale
                    ("c2", 34, "fee", "50.5", "GBP", None),
                    ("c9", 80, "other", "900", "JPY", None),
                    ("c3", 84, "fee", "10.00", "CHF", None),
                    ("c4", 50, "fee", "1.00", "EUR", None),
                )
            )
        ],
        "fx_rates_daily": _rates(),
        "customers": [],
        "identity_links": [],
        "campaign_exposures": [],
        "activity_events": [],
        "link_clicks": [],
        "orders": [],
        "order_lines": [],
        "order_touches": [],
        "order_discount_codes": [],
        "code_redemptions": [],
        "refunds": [],
        "refund_lines": [],
    }


def _rates() -> list[Row]:
    rows = []
    for number in range(-12, DAYS):
        day = (START + timedelta(days=number)).date()
        if day.weekday() >= 5:
            continue
        rates = {"CHF": f"1.0{number % 7}5", "GBP": f"1.1{number % 9}12345"}
        # No dollar is quoted for two weeks, none of a pound in the last days.
        if not 30 <= number < 44:
            rates["USD"] = f"0.8{number % 10}1234{number % 8}"
        if number > 78:
            del rates["GBP"]
        rows += [_rate(currency, day, rate, "EUR") for currency, rate in rates.items()]
        rows.append(_rate("USD", day, "0.77", "GBP"))
    return rows


def _rate(currency: str, day: date, rate: str, to: str) -> Row:
    return {
        "currency": currency,
        "rate_date": day.isoformat(),
        "reporting_currency": to,
        "rate": rate,
        "updated_at": at(1),
    }


def _corrections() -> Rows:
    """What a later delivery says anew of codes, costs and rates."""
    day = (START + timedelta(days=14)).date()
    return {
        "promo_codes": [
            {"code": "REOWN", "creator_id": "c0", "valid_from": at(0), "updated_at": at(50)},
            {
                "code": "REEND",
                "creator_id": "c1",
                "valid_from": at(0),
                "valid_to": at(45),
                "updated_at": at(50),
            },
            # An older version that comes last changes nothing.
            {"code": "MOVED", "creator_id": "c4", "valid_from": at(0), "updated_at": at(0)},
        ],
        "creator_costs": [
            {
                "cost_id": "cost9",
                "creator_id": "c4",
                "cost_type": "fee",
                "incurred_at": at(51),
                "amount": "2.50",
                "currency": "USD",
                "updated_at": at(60),
            }
        ],
        "fx_rates_daily": [
            {**_rate("USD", day, "0.99", "EUR"), "updated_at": at(20)},
            {**_rate("USD", day + timedelta(days=1), "0.11", "EUR"), "updated_at": at(0)},
        ],
        "products": [
            {"product_id": "p5", "sku": "SKU5b", "title": "Renamed", "updated_at": at(40)},
        ],
        "customers": [],
        "identity_links": [],
        "campaign_exposures": [],
        "orders": [],
        "order_lines": [],
        "refunds": [],
        "refund_lines": [],
    }


def _person(first: Rows, luck: random.Random, number: int) -> Row:
    """Who somebody is, in one of the ways in which shops know people."""
    kind = number % 9
    person: Row = {"name": f"u{number}", "kind": kind, "accounts": [], "devices": [f"d{number}"]}
    if kind in {0, 1, 2, 3, 7}:
        person["accounts"].append({"customer_id": f"k{number}"})
    if kind == 1:  # two accounts that share an address
        person["accounts"][0]["email"] = f"u{number}@example.com"
        person["accounts"].append({"customer_id": f"k{number}b", "email": f"U{number}@Example.com"})
    if kind == 2:  # two accounts that a link joins, or that only seem one
        person["accounts"].append({"customer_id": f"k{number}b"})
        links = {
            0: {},
            1: {"is_revoked": True},
            2: {"confidence": "probable"},
        }
        first["identity_links"].append(
            {
                "left_type": "customer",
                "left_id": f"k{number}",
                "right_type": "customer",
                "right_id": f"k{number}b",
                "link_type": "alias",
                "first_seen_at": at(luck.randint(0, 30)),
                "updated_at": at(30),
                **links[number // 9 % 3],
            }
        )
    if kind == 3:  # an account and its user
        person["accounts"][0]["user_id"] = f"u{number}"
        person["accounts"].append({"user_id": f"u{number}"})
    if kind == 4:  # a guest with an address
        person["accounts"].append({"email": f"guest{number}@example.com"})
    if kind == 5:  # a device and nothing else
        person["accounts"].append({})
    if kind == 6:  # a user without an account
        person["accounts"].append({"user_id": f"u{number}"})
    if kind == 7:  # shares a device with the one before in the house
        person["devices"].append(f"house{number // 18}")
    if kind == 8:  # a user who orders as a guest, too
        person["accounts"] += [
            {"user_id": f"u{number}", "email": f"u{number}@example.com"},
            {"email": f"u{number}@example.com"},
        ]
    if kind in {0, 1} and luck.random() < 0.7:
        first["customers"].append(
            {
                **person["accounts"][0],
                **({"created_at": at(luck.randint(-30, 40))} if luck.random() < 0.8 else {}),
                "updated_at": at(41),
            }
        )
    dense = luck.random() < 0.3
    person["days"] = (20, 24) if dense else (0, DAYS - 1)
    person["currency"] = luck.choice(["EUR", "EUR", "EUR", "USD", "USD", "CHF", "JPY", "GBP"])
    return person


def _moment(luck: random.Random, days: tuple[int, int]) -> float:
    return luck.randint(4 * days[0], 4 * days[1] + 3) / 4


def _live(first: Rows, later: Rows, luck: random.Random, person: Row) -> None:
    for _ in range(luck.choice([0, 1, 2, 4])):
        _touch(first, luck, person)
    if luck.random() < 0.3:
        campaign = luck.choice(["spring", "summer", "shown", "shown-by"])
        whom = luck.choice([*person["accounts"], {"anonymous_id": person["devices"][0]}])
        whom = {name: value for name, value in whom.items() if name != "user_id"}
        first["campaign_exposures"].append(
            {
                "campaign_id": campaign,
                "exposed_at": at(_moment(luck, person["days"])),
                **(whom or {"anonymous_id": person["devices"][0]}),
                **({"creator_id": "c2"} if campaign != "shown" else {}),
            }
        )
    for _ in range(luck.choice([0, 1, 2, 3, 5, 7])):
        days = (DAYS - 15, DAYS) if person["currency"] == "GBP" else person["days"]
        day = min(_moment(luck, days), DAYS + 0.25)
        who = luck.choice(person["accounts"])
        if not who or luck.random() < 0.5:
            who = {**who, "anonymous_id": luck.choice(person["devices"])}
        _buy(first, later, luck, who, day, person["currency"])


def _touch(first: Rows, luck: random.Random, person: Row) -> None:
    name = f"t{len(first['link_clicks']) + len(first['activity_events'])}"
    day = _moment(luck, person["days"])
    device = luck.choice(person["devices"])
    users = [one["user_id"] for one in person["accounts"] if "user_id" in one]
    if luck.random() < 0.7:
        link = luck.choice(first["tracked_links"])["link_id"]
        click = {
            "click_id": name,
            "link_id": link,
            "clicked_at": at(day),
            "anonymous_id": device,
            **({"is_bot": True} if luck.random() < 0.1 else {}),
        }
        first["link_clicks"].append(click)
        if luck.random() < 0.3:  # within half a minute it is the same click, a second later not
            first["link_clicks"] += [
                {**click, "click_id": f"{name}-{seconds}", "clicked_at": at(day + seconds / 86400)}
                for seconds in (30, 61)
            ]
        return
    first["activity_events"].append(
        {
            "event_id": name,
            "event_type": "page_view",
            "platform": "web",
            "occurred_at": at(day),
            "anonymous_id": device,
            **({"user_id": users[0]} if users and luck.random() < 0.6 else {}),
        }
    )


def _money(value: Decimal | float, currency: str) -> str:
    places = "1" if currency == "JPY" else "0.01"
    return str(Decimal(value).quantize(Decimal(places)))


def _buy(
    first: Rows, later: Rows, luck: random.Random, who: Row, day: float, currency: str
) -> None:
    name = f"o{len(first['orders'])}"
    if luck.random() < 0.08:
        currency = luck.choice(["EUR", "USD"])
    gross = Decimal(luck.randint(500, 20_000)) / 100
    discount = luck.choice([None, Decimal(0), gross / 10])
    order: Row = {
        "order_id": name,
        "ordered_at": at(day),
        "updated_at": at(day + 1),
        **who,
        "currency": currency,
        "gross_amount": _money(gross, currency),
        **({} if discount is None else {"discount_amount": _money(discount, currency)}),
        **luck.choice([{}, {}, {"shipping_amount": "4.00"}, {"tax_amount": "1.00"}]),
        **luck.choice([{}, {}, {"is_test": True}, {"is_test": False}, {}, {}]),
        **luck.choice([{}, {}, {"financial_status": "pending"}, {"financial_status": "paid"}]),
        **luck.choice([{}, {}, {}, {"channel": "Store"}, {"channel": "online"}]),
        **luck.choice([{}, {"platform": "web"}, {"platform": "ios"}]),
        **luck.choice([{}, {}, {}, {}, {"cancelled_at": at(day + 0.5)}]),
        "discount_codes": luck.choice(
            [[], [], luck.sample(WRITTEN, 1), luck.sample(WRITTEN, 1), luck.sample(WRITTEN, 2)]
        ),
    }
    if luck.random() < 0.3:
        owed = Decimal(order["gross_amount"]) - Decimal(order.get("discount_amount", 0))
        extra = Decimal(order.get("shipping_amount", 0)) + Decimal(order.get("tax_amount", 0))
        order["total_amount"] = str(owed + extra)
    if states := luck.random() < 0.12:
        order |= {"refunded_amount": "2.00", "returned_amount": "1.00"}
    older = {
        **order,
        "updated_at": at(day),
        "ordered_at": at(max(day - 1, 0)),
        "gross_amount": "999.00",
        "discount_codes": ["ONE"],
    }
    older.pop("total_amount", None)
    versions = luck.choice([[order]] * 4 + [[older, order], [order, older]])
    if luck.random() < 0.1:  # two changes of one moment: the higher revision counts
        versions = [{**order, "revision": 2}, {**older, "updated_at": order["updated_at"]}]
    first["orders"].append(versions[0])
    later["orders"] += versions[1:]
    if not states:  # no line could say what came back
        _lines(first, later, luck, order)
    _refund(first, later, luck, order, day)
    _arrive(first, luck, order, day)
    if luck.random() < 0.12:
        first["order_discount_codes"].append(
            {
                "order_id": name,
                "code": luck.choice(WRITTEN),
                "amount": "1.00",
                "code_source": luck.choice(["order", "coupon_match"]),
            }
        )


def _lines(first: Rows, later: Rows, luck: random.Random, order: Row) -> None:
    left = Decimal(order["gross_amount"]) - Decimal(order.get("discount_amount", 0))
    count = luck.choice([0, 1, 1, 2, 3])
    for number in range(count):
        part = left if number == count - 1 else left / 2
        net = _money(part, order["currency"])
        left -= Decimal(net)
        product = luck.choice(["p0", "p1", "p2", "p3", "p6", "p7", None])
        line: Row = {
            "order_id": order["order_id"],
            "line_id": str(number),
            "quantity": luck.choice([0, 1, 1, 2]),
            "net_amount": net,
            "updated_at": at(1),
            **({} if product is None else {"product_id": product}),
            **({"sku": luck.choice(["A", "B"])} if product != "p7" else {}),
            **({} if luck.random() < 0.2 else {"currency": order["currency"]}),
            **luck.choice([{}, {"discount_amount": "0.50"}]),
            **luck.choice([{}, {"unit_amount": "3.3300"}]),
            **luck.choice([{}, {"current_quantity": 0}]),
            **luck.choice([{}, {}, {}, {"is_gift_card": True}]),
        }
        first["order_lines"].append(line)
        if luck.random() < 0.1:
            later["order_lines"].append({**line, "quantity": 3, "updated_at": at(2)})


def _refund(first: Rows, later: Rows, luck: random.Random, order: Row, day: float) -> None:
    if luck.random() < 0.6 or order["currency"] == "JPY":
        return
    is_young = day >= DAYS - MATURITY_DAYS
    if order["currency"] == "CHF" and not is_young:
        return
    for part in range(luck.choice([1, 1, 2])):
        age = luck.choice([0, 0.25, 1, 2, 3, 6, 9, 12, 18, 19, 20, 20.75, 21, 25])
        if order["currency"] == "USD":  # nobody gives back on the day: nothing of it is developed
            age = max(age, 1)
        if int(day) + age > DAYS + 0.5:
            continue
        goods = Decimal(luck.randint(100, 400)).quantize(Decimal(1)) / 100
        returned = luck.choice([None, None, goods, goods, Decimal(0)])
        amount = goods if returned is None else goods + 1
        refund: Row = {
            "refund_id": f"r-{order['order_id']}-{part}",
            "order_id": order["order_id"],
            "refunded_at": at(int(day) + age),
            "amount": str(amount),
            "currency": order["currency"],
            "updated_at": at(1),
            **({} if returned is None else {"returned_sales_amount": str(returned)}),
        }
        first["refunds"].append(refund)
        returned = goods if returned is None else returned
        if luck.random() < 0.15:
            changed = {"amount": "9.99", "returned_sales_amount": str(returned)}
            later["refunds"].append({**refund, **changed, "updated_at": at(2)})
        lines = [one for one in first["order_lines"] if one["order_id"] == order["order_id"]]
        if lines and returned:
            of = luck.sample(lines, min(len(lines), 2))
            shares = [returned - (len(of) - 1) / Decimal(2), Decimal("0.50")]
            for line, share in zip(of, shares, strict=False):
                first["refund_lines"].append(
                    {
                        "refund_id": refund["refund_id"],
                        "order_id": order["order_id"],
                        "line_id": line["line_id"],
                        "quantity": 1,
                        "amount": str(share),
                    }
                )


MARKS: list[Row] = [
    {},
    {"utm_source": "newsletter"},
    {"utm_source": "google"},
    {"utm_source": "google", "utm_medium": "cpc"},
    {"utm_source": "odd"},
    {"referrer_host": "l.instagram.com"},
    {"referrer_host": "blog.example"},
    *({"utm_source": "ig", "utm_campaign": f"by-{creator}"} for creator in ("c2", "c4", "c5")),
]


def _arrive(first: Rows, luck: random.Random, order: Row, day: float) -> None:
    """The visits that the shop remembers, and the event of the purchase."""
    if luck.random() < 0.4:
        for role, age in luck.choice(
            [
                [("first", 40), ("last", 0)],
                [("last", 0.25), ("first", 0)],
                [("moment", 1), ("last", 2)],
                [("last", 3), ("last", 3.25)],
                [("first", 1)],
                [("last", 30)],
                [("last", 29.75)],
            ]
        ):
            first["order_touches"].append(
                {
                    "order_id": order["order_id"],
                    "touch_role": role,
                    "touch_at": at(day - age),
                    **luck.choice(MARKS),
                    **luck.choice([{}, {}, {"is_journey_ready": True}]),
                    **({"is_journey_ready": False} if luck.random() < 0.1 else {}),
                }
            )
    if luck.random() < 0.15:
        first["activity_events"].append(
            {
                "event_id": f"bought-{order['order_id']}",
                "event_type": "purchase",
                "platform": "web",
                "occurred_at": at(day),
                "anonymous_id": f"till-{order['order_id']}",
                "order_id": order["order_id"],
                "utm": luck.choice([{}, {"source": "facebook"}, {"source": "newsletter"}]),
                **luck.choice([{}, {}, {"channel": "Paid Search"}]),
            }
        )


def _special_orders(first: Rows, later: Rows) -> None:
    """What chance alone would bring too rarely."""

    def order(name: str, day: float, **more: Any) -> Row:
        row = {
            "order_id": name,
            "ordered_at": at(day),
            "updated_at": at(day),
            "currency": "EUR",
            "gross_amount": "40.00",
            "discount_codes": [],
            **more,
        }
        first["orders"].append(row)
        return row

    def refund(name: str, day: float, amount: str, **more: Any) -> None:
        first["refunds"].append(
            {"refund_id": f"r-{name}", "order_id": name, "refunded_at": at(day), "amount": amount}
            | more
        )

    # At the edge of maturity, on both sides of it and of midnight.
    for name, age in (("mature", MATURITY_DAYS), ("green", MATURITY_DAYS - 1)):
        for part, hour in (("dawn", 0), ("dusk", 0.999988)):
            order(f"{name}-{part}", DAYS - 1 - age + hour, customer_id=f"edge-{part}")
            refund(f"{name}-{part}", DAYS - 1 - age + 10, "3.00")
    # Two orders of a person at one instant; an order of the running day; nobody's orders.
    order("tie-b", 33, customer_id="tied")
    order("tie-a", 33, customer_id="tied", currency="USD")
    back = {"refunded_amount": "7.00", "returned_amount": "7.00"}
    order("today", DAYS + 0.25, customer_id="tied", **back)
    order("today-new", DAYS + 0.25, customer_id="fresh")
    order("stranger-1", 15)
    order("stranger-2", 15)
    # Money that is given back before it was sold, and late; a refund of the running day.
    order("early", 30, customer_id="odd", refunded_amount="8.00", returned_amount="8.00")
    refund("early", 29, "5.00")
    order("late", 20, customer_id="odd")
    refund("late", 20 + MATURITY_DAYS + 1, "11.00")
    order("running", 70, customer_id="odd")
    refund("running", DAYS + 0.5, "2.22")
    # Only a test names this customer; a test makes nobody new and links nobody.
    order("test-only", 10, customer_id="tester", is_test=True, discount_codes=["MOVED"])
    order("test-links", 1, customer_id="k0", email="guest4@example.com", is_test=True)
    # A creator whose sales are too young to tell anything.
    order("newcomer", DAYS - 1, customer_id="k9", discount_codes=["NEWCOMER"], currency="USD")
    first["promo_codes"].append({"code": "NEWCOMER", "creator_id": "c8", "valid_from": at(80)})
    # The currency that a later version corrects, and the customer.
    wrong = order("corrected", 25, customer_id="k0", currency="USD")
    later["orders"].append({**wrong, "customer_id": "k9", "currency": "CHF", "updated_at": at(30)})
    # A house device: whoever signed in last has it, the first one also before.
    for name, day, customer in (
        ("house-1", 12, None),
        ("house-2", 14, "k7"),
        ("house-3", 16, None),
        ("house-4", 18, "k16"),
        ("house-5", 18.5, None),
        ("house-8", 20.5, "k7"),
        ("house-9", 21.5, None),
        ("house-6", 22, "k7"),
        ("house-7", 23, None),
    ):
        who = {"customer_id": customer} if customer else {}
        order(name, day, anonymous_id="family", **who)
    first["identity_links"].append(
        {
            "left_type": "visitor",
            "left_id": "family",
            "right_type": "customer",
            "right_id": "k16",
            "link_type": "login",
            "first_seen_at": at(20),
            "last_seen_at": at(21),
        }
    )
    # Two addresses and a user become one person late, through a link that was first taken back.
    link = {
        "left_type": "email",
        "left_id": "guest4@example.com",
        "right_type": "user",
        "right_id": "u6",
        "link_type": "identify",
        "first_seen_at": at(60),
    }
    first["identity_links"].append({**link, "is_revoked": True, "updated_at": at(61)})
    later["identity_links"].append({**link, "updated_at": at(62)})
    first["customers"] += [
        {"customer_id": "never", "created_at": at(3)},
        {"customer_id": "late-address", "email": "guest13@example.com", "created_at": at(70)},
    ]
    later["campaign_exposures"] += [
        {"campaign_id": "shown", "customer_id": "addressed", "exposed_at": at(day)}
        for day in (5, 6)
    ]


def _redeem(first: Rows, luck: random.Random) -> None:
    """Uses of codes that the shop does not write on the order."""
    orders = [row for row in first["orders"] if "customer_id" in row]
    for number, order in enumerate(luck.sample(orders, 40)):
        day = datetime.fromisoformat(order["ordered_at"]).astimezone(ZONE).date()
        row: Row = {
            "redemption_id": f"use{number}",
            "code": luck.choice(["BRAND", "ONE", "twins", "MOVED", "SOON", "NOBODY"]),
            "redeemed_on": day.isoformat(),
            "amount": luck.choice(["1.00", "2.00"]),
        }
        kind = number % 4
        if kind == 0:
            row["order_id"] = order["order_id"]
        else:
            row["customer_id"] = order["customer_id"]
        if kind == 3 and luck.random() < 0.3:
            row["order_id"] = "unknown"
        first["code_redemptions"].append(row)


def _redeem_on_days_of_several_orders(first: Rows) -> None:
    """More of the code's products wins, then more money on them, then the earlier; no test."""
    days: list[list[tuple[str, bool, dict[str, str]]]] = [
        [("a", False, {"p0": "40.00"}), ("b", False, {"p0": "5.00", "p1": "35.00"})],
        [("a", False, {"p0": "5.00", "p5": "35.00"}), ("b", False, {"p1": "40.00"})],
        [("a", False, {"p0": "40.00"}), ("b", False, {"p0": "40.00"})],
        [("a", False, {"p5": "40.00"}), ("b", False, {"p5": "40.00"})],
        [("a", True, {"p5": "40.00"}), ("b", False, {"p5": "40.00"})],
        [("a", True, {"p0": "40.00"}), ("b", False, {"p5": "40.00"})],
    ]
    for day, orders in enumerate(days, start=50):
        for number, (name, is_test, lines) in enumerate(orders):
            first["orders"].append(
                {
                    "order_id": f"several-{day}-{name}",
                    "ordered_at": at(day + number / 4),
                    "customer_id": "redeemer",
                    "is_test": is_test,
                    "currency": "EUR",
                    "gross_amount": "40.00",
                    "discount_codes": [],
                }
            )
            first["order_lines"] += [
                {
                    "order_id": f"several-{day}-{name}",
                    "line_id": product,
                    "product_id": product,
                    "quantity": 1,
                    "net_amount": net,
                    "currency": "EUR",
                }
                for product, net in lines.items()
            ]
        first["code_redemptions"].append(
            {
                "redemption_id": f"several-{day}",
                "code": "BRAND",
                "customer_id": "redeemer",
                "redeemed_on": (START + timedelta(days=day)).date().isoformat(),
            }
        )


def _orphans(first: Rows, later: Rows) -> None:
    """Lines and refunds before their order, and of an order that never comes."""
    for name in ("behind", "lost"):
        first["order_lines"].append(
            {
                "order_id": name,
                "line_id": "1",
                "product_id": f"only-{name}",
                "quantity": 1,
                "net_amount": "5.00",
                "currency": "EUR",
            }
        )
        first["refunds"].append(
            {
                "refund_id": f"r-{name}",
                "order_id": name,
                "refunded_at": at(9),
                "amount": "1.00",
                "currency": "EUR",
            }
        )
    later["orders"].append(
        {
            "order_id": "behind",
            "ordered_at": at(8),
            "customer_id": "k0",
            "currency": "EUR",
            "gross_amount": "5.00",
            "discount_codes": ["moved"],
        }
    )
