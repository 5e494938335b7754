"""What networks, platforms and customers say of the orders of `tests.worlds.paths`, on every edge.

Product views, carts and orders exactly where a window or a session's gap ends; bots, the brand's
own people and tests of the shop; goods that come back at, before and after the lock of a
commission; claims in several currencies, by click and by view; and customers who refer one another
in chains, in rings, twice, and at one instant with an order.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

Rows = dict[str, list[dict[str, Any]]]

WINDOW = timedelta(days=30)
_TICK = timedelta(microseconds=1)
_GAP = timedelta(minutes=30)

DOLLARS = {"u7": 0, "u49": 0, "u51": 40}
"""Who pays in another currency, and from which day on."""

OTHERS = 52
"""From this number on people refer one another by chance, before it as it is written."""

QUIET = "cust-quiet"
"""A creator who refers customers and never ordered anything."""


def add(found: Rows, luck: random.Random, *, start: datetime, as_of: datetime) -> None:
    """Put all of it into a world of paths."""
    _Partners(found, luck, start, as_of).add()


class _Partners:
    def __init__(self, found: Rows, luck: random.Random, start: datetime, as_of: datetime) -> None:
        self._found = found
        self._luck = luck
        self._start = start
        self._as_of = as_of

    def add(self) -> None:
        self._visit()
        self._meet()
        self._pay()
        self._return()
        self._convert()
        self._claim()
        self._refer()

    def _day(self, day: float, microseconds: int = 0) -> datetime:
        return self._start + timedelta(days=day, microseconds=microseconds)

    def _visit(self) -> None:
        """Steps after a click, orders after a step, and what nobody should count."""
        luck, events = self._luck, self._found["activity_events"]
        buyers = {row["anonymous_id"]: row["user_id"] for row in self._found["orders"]}
        clicks = [
            row for row in self._found["link_clicks"] if row.get("anonymous_id", "").startswith("d")
        ]
        for number, click in enumerate(clicks):
            device, clicked = click["anonymous_id"], datetime.fromisoformat(click["clicked_at"])
            edges = [
                timedelta(0),
                -_TICK,
                timedelta(hours=2),
                timedelta(days=9, hours=2),
                WINDOW - _TICK,
                WINDOW,
            ]
            for kind in ("product_view", "add_to_cart"):
                at = clicked + luck.choice(edges)
                if luck.random() < 0.4 and at < self._as_of:
                    events.append(
                        {
                            "event_id": f"step{number}-{kind}",
                            "event_type": kind,
                            "platform": "web",
                            "occurred_at": _text(at),
                            "anonymous_id": device,
                            **luck.choice([{}, {}, {}, {"is_bot": True}, {"is_internal": True}]),
                        }
                    )
            ways = [*edges, _GAP, _GAP + _TICK, timedelta(days=3)]
            way = luck.choice(ways)
            if device in buyers and luck.random() < 0.25 and clicked + way < self._as_of:
                if way in (_GAP, _GAP + _TICK):  # a session that ends at the click
                    self._page(f"end{number}", device, clicked)
                self._order(f"after{number}", buyers[device], clicked + way)
            if luck.random() < 0.05:
                self._found["link_clicks"].append(
                    {**click, "click_id": f"bot{number}", "is_bot": True}
                    | {"clicked_at": _text(clicked + timedelta(hours=5))}
                )
                events.append(  # a preview that follows the link from elsewhere, before the person
                    {
                        "event_id": f"preview{number}",
                        "event_type": "page_view",
                        "platform": "web",
                        "occurred_at": _text(clicked + timedelta(seconds=1)),
                        "anonymous_id": luck.choice(clicks)["anonymous_id"],
                        "click_id": click["click_id"],
                        "is_bot": True,
                    }
                )

    def _order(self, order: str, user: str, at: datetime) -> None:
        self._found["orders"].append(
            {
                "order_id": order,
                "ordered_at": _text(at),
                "customer_id": f"cust-{user}",
                "user_id": user,
                "anonymous_id": f"d-{user}",
                "currency": "EUR",
                "gross_amount": f"{self._luck.randint(500, 9_000) / 100:.2f}",
                "discount_amount": "0.00",
                "financial_status": "paid",
                "discount_codes": [],
            }
        )

    def _page(self, event: str, device: str, at: datetime) -> None:
        self._found["activity_events"].append(
            {
                "event_id": event,
                "event_type": "page_view",
                "platform": "web",
                "occurred_at": _text(at),
                "anonymous_id": device,
            }
        )

    def _click(self, click: str, link: str, user: str, at: datetime) -> None:
        self._found["link_clicks"].append(
            {
                "click_id": click,
                "link_id": link,
                "clicked_at": _text(at),
                "anonymous_id": f"d-{user}",
            }
        )

    def _meet(self) -> None:
        """What chance does not bring about."""
        # The only clicker of a creator comes back and orders when the window is just over.
        self._found["tracked_links"].append(
            {
                "link_id": "l-c7",
                "creator_id": "c7",
                "valid_from": _text(self._start),
                "utm_source": "ig",
                "utm_campaign": "c7",
                "platform": "instagram",
            }
        )
        self._click("lonely", "l-c7", "u120", self._day(12.4))
        self._page("lonely", "d-u120", self._day(12.4) + WINDOW)
        self._order("lonely", "u120", self._day(12.4) + WINDOW)
        # Two links of one creator, on two platforms, at one instant.
        for number, link in enumerate(("l-c1-c1", "l-c1-moved")):
            self._click(f"both{number}", link, "u9", self._day(66.4))
        self._order("both", "u9", self._day(66.6))

    def _pay(self) -> None:
        for row in self._found["orders"]:
            first = DOLLARS.get(row["user_id"])
            if first is not None and row["ordered_at"] >= _text(self._day(first)):
                row["currency"] = "USD"
            if self._luck.random() < 0.2:
                row["discount_amount"] = str(
                    (Decimal(row["gross_amount"]) / 10).quantize(Decimal("0.01"))
                )
        for row in self._luck.sample(self._found["orders"], 9):
            row["is_test"] = True

    def _return(self) -> None:
        luck = self._luck
        self._found["refunds"] = []
        for row in self._found["orders"]:
            ordered = datetime.fromisoformat(row["ordered_at"])
            for number in range(luck.choice([0, 0, 0, 1, 2])):
                at = ordered + timedelta(days=luck.choice([0, 3, 10, 14, 20]))
                if at >= self._as_of:
                    continue
                cents = int(Decimal(row["gross_amount"]) * 100) // 4
                refund = {
                    "refund_id": f"back-{row['order_id']}-{number}",
                    "order_id": row["order_id"],
                    "refunded_at": _text(at),
                    "amount": f"{cents / 100:.2f}",
                    "currency": row["currency"],
                }
                if luck.random() < 0.5:
                    refund["returned_sales_amount"] = f"{luck.randint(0, cents) / 100:.2f}"
                self._found["refunds"].append(refund)

    def _convert(self) -> None:
        """What networks say of orders, of tests and of orders that nobody knows."""
        luck = self._luck
        backs: dict[str, list[datetime]] = {}
        for row in self._found["refunds"]:
            backs.setdefault(row["order_id"], []).append(datetime.fromisoformat(row["refunded_at"]))
        orders = [row for row in self._found["orders"] if luck.random() < 0.7]
        orders += [
            {"order_id": f"unknown{number}", "ordered_at": _text(self._day(3 * number))}
            for number in range(12)
        ]
        self._found["affiliate_conversions"] = made = []
        for number, order in enumerate(orders):
            happened = datetime.fromisoformat(order["ordered_at"])
            locks = [
                happened + timedelta(days=14),
                happened + timedelta(days=30),
                self._day(27),  # the first instant of a month, and the last before it
                self._day(27, -1),
                self._as_of,
                self._as_of + _TICK,
                *(back for back in backs.get(order["order_id"], [])),
                *(back - _TICK for back in backs.get(order["order_id"], [])),
            ]
            currency = luck.choice([None, "EUR", order.get("currency", "USD")])
            row: dict[str, Any] = {
                "conversion_id": f"conv{number}",
                "order_id": order["order_id"],
                "network": luck.choice(["impact", "impact", "awin"]),
                "state": luck.choice(
                    ["approved", "approved", "approved", "pending", "reversed", "denied"]
                ),
                "event_at": _text(happened),
                "sale_amount": luck.choice([None, f"{luck.randint(100, 9_999) / 100:.2f}"]),
                "commission_amount": f"{luck.randint(0, 999) / 100:.2f}",
                **({"currency": currency} if currency else {}),
            }
            creator = luck.choice(["c0", "c0", "c1", "c2", "c3", "c8", None])
            if creator:
                row["creator_id"] = creator
            if luck.random() < 0.8:
                row["locked_at"] = _text(luck.choice(locks))
            made.append(row)

    def _claim(self) -> None:
        luck = self._luck
        self._found["platform_claims"] = [
            {
                "claim_id": f"claim{number}",
                "platform": luck.choice(
                    ["meta", "meta", "meta", "instagram", "tiktok_ads", "google", "pinterest"]
                ),
                "claim_date": self._day(luck.randint(15, 84)).date().isoformat(),
                "conversions": luck.choice([None, 1, 2, "2.5", 7]),
                "value": luck.choice([None, "12.30", "100.00", "7.05"]),
                "window_days": luck.choice([None, 1, 7, 28, 90]),
                **luck.choice([{}, {"currency": "EUR"}, {"currency": "EUR"}, {"currency": "USD"}]),
                **luck.choice(
                    [{}, {"is_view_through": False}, {"is_view_through": True, "window_days": 90}]
                ),
            }
            for number in range(170)
        ]

    def _refer(self) -> None:
        luck = self._luck
        made: list[dict[str, Any]] = []

        def refer(one: str | None, other: str | None, at: datetime) -> None:
            made.append(
                {
                    "referral_id": f"ref{len(made)}",
                    "referrer_customer_id": one and (one if one == QUIET else f"cust-{one}"),
                    "referred_customer_id": other and f"cust-{other}",
                    "referred_at": _text(at),
                }
            )

        # A chain, a ring, and those below the ring.
        for day, (one, other) in enumerate((("u5", "u8"), ("u8", "u11"), ("u11", "u14"))):
            refer(one, other, self._day(10 + day))
        for one, other in (
            *(("u20", "u21"), ("u21", "u22"), ("u22", "u20")),
            *(("u22", "u23"), ("u23", "u24")),
        ):
            refer(one, other, self._day(30))
        # Referred twice, twice at one instant, by themselves, by somebody nobody knows.
        refer("u32", "u31", self._day(41))
        refer("u30", "u31", self._day(40))
        refer("u34", "u35", self._day(33))
        refer("u33", "u35", self._day(33))
        refer("u40", "u40", self._day(20))
        refer("u41", "u40", self._day(21))
        refer(None, "u42", self._day(20))
        refer("u43", "u42", self._day(22))
        # Who referred nobody that is known, was too late with all, or is only known by it.
        refer("u44", None, self._day(22))
        refer("u8", None, self._day(27))
        refer("u8", None, self._day(27, -1))
        refer("u45", "u31", self._day(42))
        refer("u14", "u31", self._day(43))
        refer(QUIET, "u46", self._day(12))
        refer("gone", "u47", self._day(12))
        # Who pays in dollars, in dollars and euros, and beside somebody who pays in euros.
        refer("u10", "u7", self._day(5))
        refer("u12", "u51", self._day(6))
        refer("u15", "u49", self._day(6))
        refer("u15", "u13", self._day(6))
        # Just observed for the window, and just not.
        refer("u48", "new1", self._as_of - WINDOW)
        refer("u48", "new2", self._as_of - WINDOW + _TICK)
        # At an order, just after it, a window before it and a little more; all of other people.
        others = [row for row in self._found["orders"] if int(row["user_id"][1:]) >= OTHERS]
        for order in luck.sample(others, 45):
            ordered = datetime.fromisoformat(order["ordered_at"])
            before = luck.choice(
                [timedelta(0), -_TICK, _TICK, WINDOW - _TICK, WINDOW, timedelta(days=40)]
            )
            refer(f"u{luck.randint(OTHERS, 119)}", order["user_id"], ordered - before)
        self._found["referrals"] = made


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
