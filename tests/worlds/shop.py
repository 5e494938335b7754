"""A shop made by hand: sixty orders in May 2026, one each twelve hours, with one edge case each.

Written in the format of the shop's own database (`shop/*.parquet`), which the loopback Shopify
serves. Order `n` (1 to 60) has the id `order(n)`, was made at `made(n)`, paid 60 s later, has one
or two lines and is plain unless it is named below. More orders than sixty repeat the plain one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
END = datetime(2026, 6, 10, tzinfo=UTC)
"""After everything in the shop of sixty orders."""

PARTLY_REFUNDED = 7
"""One of two lines goes back on day 10; the refund is seen 60 s after updatedAt moved."""
NOT_READY = 12
"""Its journey is ready two days after the order, and updatedAt does not move."""
CANCELLED = 15
TEST = 18
GUEST = 20
LOWER_CASE, MIXED_CASE, UPPER_CASE = 21, 22, 23
"""One code as typed: with a blank before it and small, Mira10, and as it is printed."""
FREE = 25
"""A code of 100 %: total 0."""
TWO_CODES = 27
"""TOM5 took 5.00 off and MIRA10 7.50."""
EDITED = 30
REFUNDED = 33
"""All of it, in two refunds."""
UNPAID = 36
"""Paid two days later."""
AUTOMATIC = 39
"""3.00 off without a code."""
POS = 42
"""Sold over the counter: no visit."""
TIED = (45, 46, 47)
"""All three tagged in one second."""

TAGGED_AT = START + timedelta(days=28)
REFUND_AT = START + timedelta(days=10)

EMAIL = "canary.{n}@mail.example"
NAME = "Canary Person{n}"
PHONE = "+491517248{n:04d}"
STREET = "{n} Canary Street"


def order(number: int) -> int:
    """The id of order `number`."""
    return 5_000_000_000 + number


def customer(number: int) -> int:
    """The id of customer `number`."""
    return 7_000_000_000 + number


def made(number: int) -> datetime:
    """When order `number` was made."""
    return START + timedelta(hours=12 * (number - 1))


MONEY = pa.decimal128(18, 2)
TIME = pa.timestamp("us", "UTC")
TEXT, WHOLE, FLAG = pa.string(), pa.int64(), pa.bool_()

SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    "orders": {
        "order_id": WHOLE,
        "name": TEXT,
        "created_at": TIME,
        "processed_at": TIME,
        "paid_at": TIME,
        "cancelled_at": TIME,
        "customer_id": WHOLE,
        "email": TEXT,
        "phone": TEXT,
        "is_test": FLAG,
        "currency": TEXT,
        "subtotal": MONEY,
        "discounts": MONEY,
        "shipping": MONEY,
        "tax": MONEY,
        "total": MONEY,
        "taxes_included": FLAG,
        "source_name": TEXT,
        "ship_country": TEXT,
        "ship_name": TEXT,
        "ship_address": TEXT,
        "note": TEXT,
        "journey_ready_at": TIME,
        "customer_order_index": WHOLE,
    },
    "order_lines": {
        "line_id": WHOLE,
        "order_id": WHOLE,
        "position": WHOLE,
        "product_id": WHOLE,
        "sku": TEXT,
        "title": TEXT,
        "quantity": WHOLE,
        "unit_amount": MONEY,
        "discount_amount": MONEY,
        "net_amount": MONEY,
        "is_gift_card": FLAG,
    },
    "order_codes": {"order_id": WHOLE, "code": TEXT, "amount": MONEY},
    "order_visits": {
        "order_id": WHOLE,
        "role": TEXT,
        "occurred_at": TIME,
        "landing_page": TEXT,
        "referrer_url": TEXT,
        "source": TEXT,
        "source_type": TEXT,
        "referral_code": TEXT,
        "utm_source": TEXT,
        "utm_medium": TEXT,
        "utm_campaign": TEXT,
        "utm_content": TEXT,
        "utm_term": TEXT,
    },
    "refunds": {
        "refund_id": WHOLE,
        "order_id": WHOLE,
        "created_at": TIME,
        "visible_at": TIME,
        "total_amount": MONEY,
        "note": TEXT,
    },
    "refund_lines": {
        "refund_line_id": WHOLE,
        "refund_id": WHOLE,
        "line_id": WHOLE,
        "quantity": WHOLE,
        "subtotal": MONEY,
        "is_restocked": FLAG,
    },
    "order_updates": {"order_id": WHOLE, "updated_at": TIME, "reason": TEXT},
    "customers": {
        "customer_id": WHOLE,
        "email": TEXT,
        "first_name": TEXT,
        "last_name": TEXT,
        "phone": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
        "accepts_marketing": FLAG,
        "country": TEXT,
    },
    "products": {
        "product_id": WHOLE,
        "title": TEXT,
        "product_type": TEXT,
        "vendor": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
    },
    "variants": {
        "variant_id": WHOLE,
        "product_id": WHOLE,
        "sku": TEXT,
        "price": MONEY,
        "unit_cost": MONEY,
    },
    "discount_codes": {
        "discount_id": WHOLE,
        "title": TEXT,
        "code": TEXT,
        "starts_at": TIME,
        "ends_at": TIME,
        "kind": TEXT,
        "value": MONEY,
        "usage_limit": WHOLE,
        "created_at": TIME,
        "updated_at": TIME,
    },
}

Rows = dict[str, list[dict[str, Any]]]

PRICES = {1: "40.00", 2: "25.00", 3: "12.50"}
CODES = {
    LOWER_CASE: [(" mira10", "6.50")],
    MIXED_CASE: [("Mira10", "6.50")],
    UPPER_CASE: [("MIRA10", "6.50")],
    FREE: [("FREE100", "65.00")],
    TWO_CODES: [("TOM5", "5.00"), ("MIRA10", "7.50")],
}
"""Codes by order, and what each took off."""


def write_shop(folder: Path, orders: int = 60) -> Path:
    """Write the shop's database of `orders` orders into `folder`; gives `folder`."""
    rows: Rows = {name: [] for name in SCHEMAS}
    _shelf(rows)
    for number in range(1, 41):
        rows["customers"].append(
            {
                "customer_id": customer(number),
                "email": EMAIL.format(n=number),
                "first_name": "Canary",
                "last_name": f"Person{number}",
                "phone": PHONE.format(n=number),
                "created_at": START + timedelta(hours=number - 1),
                "updated_at": START + timedelta(hours=number + 100),
                "accepts_marketing": number % 2 == 0,
                "country": "DE" if number % 3 else "AT",
            }
        )
    for number in range(1, orders + 1):
        _order(rows, number)
    folder.mkdir(parents=True, exist_ok=True)
    for name, columns in SCHEMAS.items():
        schema = pa.schema(list(columns.items()))
        pq.write_table(pa.Table.from_pylist(rows[name], schema), folder / f"{name}.parquet")
    return folder


def _shelf(rows: Rows) -> None:
    for number, price in PRICES.items():
        rows["products"].append(
            {
                "product_id": number,
                "title": f"Product {number}",
                "product_type": "skincare" if number < 3 else "tools",
                "vendor": "Setae Goods",
                "created_at": START - timedelta(days=100),
                "updated_at": START - timedelta(days=90),
            }
        )
        rows["variants"].append(
            {
                "variant_id": 100 + number,
                "product_id": number,
                "sku": f"SKU-{number}",
                "price": Decimal(price),
                "unit_cost": Decimal("9.00") if number == 1 else None,
            }
        )
    for number, (code, kind, value) in enumerate(
        [
            ("MIRA10", "percentage", "10.00"),
            ("TOM5", "fixed", "5.00"),
            ("FREE100", "percentage", "100.00"),
        ],
        start=1,
    ):
        rows["discount_codes"].append(
            {
                "discount_id": number,
                "title": f"Creators: {code}",
                "code": code,
                "starts_at": START - timedelta(days=5),
                "ends_at": START + timedelta(days=20) if code == "TOM5" else None,
                "kind": kind,
                "value": Decimal(value),
                "usage_limit": None,
                "created_at": START - timedelta(days=6),
                "updated_at": START - timedelta(days=6),
            }
        )


def _order(rows: Rows, number: int) -> None:
    at, identifier = made(number), order(number)
    special = number if number <= 60 else 0
    guest = special == GUEST
    buyer = (number - 1) % 40 + 1
    codes = [(code, Decimal(amount)) for code, amount in CODES.get(special, [])]
    off = sum((amount for _, amount in codes), Decimal("0.00"))
    if special == AUTOMATIC:
        off = Decimal("3.00")
    # Two lines: product 1 once and product 2 once, 65.00 together; two codes meet 75.00.
    quantities = {1: 1, 2: 1} if special != TWO_CODES else {2: 3}
    gross = sum((Decimal(PRICES[one]) * many for one, many in quantities.items()), Decimal())
    left = off
    lines = list(quantities.items())
    for position, (product, quantity) in enumerate(lines):
        amount = Decimal(PRICES[product]) * quantity
        last = position == len(lines) - 1
        share = left if last else (off * amount / gross).quantize(Decimal("0.01"))
        left -= share
        rows["order_lines"].append(
            {
                "line_id": identifier * 10 + position,
                "order_id": identifier,
                "position": position,
                "product_id": product,
                "sku": f"SKU-{product}",
                "title": f"Product {product}",
                "quantity": quantity,
                "unit_amount": Decimal(PRICES[product]),
                "discount_amount": share,
                "net_amount": amount - share,
                "is_gift_card": False,
            }
        )
    shipping = Decimal("0.00") if special == FREE else Decimal("4.90")
    cancelled = at + timedelta(hours=3) if special == CANCELLED else None
    paid = at + (timedelta(days=2) if special == UNPAID else timedelta(seconds=60))
    rows["orders"].append(
        {
            "order_id": identifier,
            "name": f"#{1000 + number}",
            "created_at": at,
            "processed_at": at,
            "paid_at": paid,
            "cancelled_at": cancelled,
            "customer_id": None if guest else customer(buyer),
            "email": EMAIL.format(n=buyer) if not guest else "canary.guest@mail.example",
            "phone": PHONE.format(n=buyer),
            "is_test": special == TEST,
            "currency": "EUR",
            "subtotal": gross - off,
            "discounts": off,
            "shipping": shipping,
            "tax": Decimal("0.00"),
            "total": gross - off + shipping,
            "taxes_included": False,
            "source_name": "pos" if special == POS else "web",
            "ship_country": "DE",
            "ship_name": NAME.format(n=buyer),
            "ship_address": STREET.format(n=buyer),
            "note": None,
            "journey_ready_at": at + timedelta(days=2 if special == NOT_READY else 0),
            "customer_order_index": None if guest else (number - 1) // 40,
        }
    )
    rows["order_codes"].extend(
        {"order_id": identifier, "code": code, "amount": amount} for code, amount in codes
    )
    updates = [(at, "created"), (paid, "paid")]
    if special != POS:
        _visits(rows, number)
    if cancelled is not None:
        updates.append((cancelled, "cancel"))
    if special == EDITED:
        updates.append((at + timedelta(hours=5), "edit"))
    if special in TIED:
        updates.append((TAGGED_AT, "tag"))
    if special == PARTLY_REFUNDED:
        updates.append((REFUND_AT, "refund"))
        _refund(rows, number, 1, REFUND_AT, 60, [(0, "40.00")])
    if special == REFUNDED:
        for part, line in ((1, (0, "40.00")), (2, (1, "25.00"))):
            when = at + timedelta(days=part)
            updates.append((when, "refund"))
            extra = "4.90" if part == 2 else "0.00"
            _refund(rows, number, part, when, 0, [line], extra)
    rows["order_updates"].extend(
        {"order_id": identifier, "updated_at": when, "reason": reason} for when, reason in updates
    )


def _visits(rows: Rows, number: int) -> None:
    for role, days in (("first", 3), ("last", 0)):
        rows["order_visits"].append(
            {
                "order_id": order(number),
                "role": role,
                "occurred_at": made(number) - timedelta(days=days, minutes=20),
                "landing_page": "https://shop.example/?utm_source=instagram&utm_content=mira",
                "referrer_url": "https://www.instagram.com/" if role == "first" else None,
                "source": "instagram" if role == "first" else "direct",
                "source_type": "AFFILIATE" if role == "first" else None,
                "referral_code": None,
                "utm_source": "instagram" if role == "first" else None,
                "utm_medium": "social" if role == "first" else None,
                "utm_campaign": "spring" if role == "first" else None,
                "utm_content": "mira" if role == "first" else None,
                "utm_term": None,
            }
        )


def _refund(
    rows: Rows,
    number: int,
    part: int,
    at: datetime,
    late: int,
    lines: list[tuple[int, str]],
    extra: str = "0.00",
) -> None:
    identifier = order(number) * 10 + part
    subtotal = sum((Decimal(amount) for _, amount in lines), Decimal())
    rows["refunds"].append(
        {
            "refund_id": identifier,
            "order_id": order(number),
            "created_at": at,
            "visible_at": at + timedelta(seconds=late),
            "total_amount": subtotal + Decimal(extra),
            "note": None,
        }
    )
    for position, amount in lines:
        rows["refund_lines"].append(
            {
                "refund_line_id": identifier * 10 + position,
                "refund_id": identifier,
                "line_id": order(number) * 10 + position,
                "quantity": 1,
                "subtotal": Decimal(amount),
                "is_restocked": True,
            }
        )
