"""A small shop with six creators over eight weeks, as a list of deliveries.

Made by a seeded generator and meant for properties ("any order of delivery ends in the same
tables"), not for expected numbers: those are worked by hand in the tests that state them. It has
what makes order matter: late files, the same file twice, an order in two versions, a code that
changed hands, lines before their order, a person who signs in on a second device, a refund weeks
after its order, an event in two files, and rows that break the contract.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.worlds import content

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 56
AS_OF = START + timedelta(days=DAYS)

CONFIG = f"""
as_of = {AS_OF.isoformat()}
business_timezone = "Europe/Berlin"
reporting_currency = "USD"
threads = 2
memory_limit = "1GiB"

[sources.drops]
kind = "drops"
folder = "drops"
account = "small"
currency = "EUR"
# One broken row in so small a file is far beyond what a real feed may have.
small_reject_minimum_count = 50

[dbt_vars]
segment_min_person_count = 2
"""


CAUSES = {
    "late days": ("late.ndjson", "marked.ndjson"),
    "late clicks": ("clicks-late.ndjson",),
    "merged people": ("alias.ndjson",),
    "a merge revoked": ("mistaken-1.ndjson",),
    "a late code": ("codes-late.ndjson",),
    "a moved code": ("codes-moved.ndjson",),
    "moved links": ("marks-2.ndjson", "moved.ndjson"),
    "an earlier first order": ("orders-found.ndjson",),
    "a late follower count": ("followers-late.ndjson",),
    "refunds": ("refunds.ndjson", "orders-changed.ndjson"),
    "a later rate": ("rates-2.ndjson",),
}
"""What makes rows of long ago be computed anew, and the files that bring it."""


@dataclass(frozen=True)
class Delivery:
    """One file somebody drops."""

    entity: str
    name: str
    rows: tuple[dict[str, Any], ...]
    raw_lines: tuple[str, ...] = ()

    def write(self, folder: Path, *, prefix: str = "") -> Path:
        """Write it below a drop folder; the suffix of the name decides the form."""
        path = folder / self.entity / f"{prefix}{self.name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        text += "".join(line + "\n" for line in self.raw_lines)
        data = text.encode()
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        return path


def _at(day: float) -> str:
    return (START + timedelta(days=day)).isoformat(timespec="seconds")


def deliveries(seed: int = 7) -> list[Delivery]:
    """All files of the world, in the order in which they would normally come."""
    luck = random.Random(seed)
    creators = [f"c{number}" for number in range(6)]
    people = [f"u{number}" for number in range(24)]
    files = _dimensions(creators)
    events: list[dict[str, Any]] = []
    clicks: list[dict[str, Any]] = []
    orders: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    refunds: list[dict[str, Any]] = []
    for person in people:
        devices = [f"{person}-phone", f"{person}-laptop"]
        for visit in sorted(luck.uniform(0, DAYS - 0.1) for _ in range(luck.randint(2, 9))):
            device = luck.choice(devices)
            creator = luck.choice([*creators, None])
            if creator is not None:
                clicks.append(
                    {
                        "click_id": f"k{len(clicks)}",
                        "link_id": f"l-{creator}",
                        "clicked_at": _at(visit),
                        "anonymous_id": device,
                    }
                )
            for step in range(luck.randint(1, 4)):
                event: dict[str, Any] = {
                    "event_id": f"e{len(events)}",
                    "event_type": luck.choice(["page_view", "product_view", "search"]),
                    "occurred_at": _at(visit + step / 1440),
                    "anonymous_id": device,
                    "platform": luck.choice(["web", "ios"]),
                }
                if luck.random() < 0.5:
                    event["user_id"] = person
                events.append(event)
            if luck.random() < 0.35:
                number = len(orders)
                gross = luck.randint(10, 90)
                orders.append(
                    {
                        "order_id": f"o{number}",
                        "ordered_at": _at(visit + 0.01),
                        "updated_at": _at(visit + 0.01),
                        "customer_id": f"cust-{person}",
                        "user_id": person,
                        "anonymous_id": device,
                        "currency": "EUR",
                        "gross_amount": f"{gross}.00",
                        "discount_amount": "2.50",
                        "total_amount": f"{gross - 2.5:.2f}",
                        "financial_status": "paid",
                        "discount_codes": [luck.choice(["ANA10", "ben5", "NOBODY"])]
                        if luck.random() < 0.5
                        else [],
                    }
                )
                lines.append(
                    {
                        "order_id": f"o{number}",
                        "line_id": "1",
                        "product_id": f"p{luck.randint(0, 3)}",
                        "quantity": 1,
                        "net_amount": f"{gross - 2.5:.2f}",
                        "discount_amount": "2.50",
                        "currency": "EUR",
                    }
                )
                if luck.random() < 0.25:
                    refunds.append(
                        {
                            "refund_id": f"r{number}",
                            "order_id": f"o{number}",
                            "refunded_at": _at(min(visit + 15, DAYS - 0.05)),
                            "amount": "5.00",
                            "currency": "EUR",
                        }
                    )
    files += _weekly("activity_events", events, "occurred_at", suffix=".ndjson.gz")
    files += _weekly("link_clicks", clicks, "clicked_at")
    files += _weekly("orders", orders, "ordered_at")
    files += [
        Delivery("order_lines", "lines-1.ndjson", tuple(lines[::2])),
        Delivery("order_lines", "lines-2.ndjson", tuple(lines[1::2])),
        Delivery("refunds", "refunds.ndjson", tuple(refunds)),
    ]
    published = content.rows(START, creators, orders, seed)
    files += [
        Delivery(entity, f"{entity}-content{half}.ndjson", tuple(rows[half::2]))
        for entity, rows in published.items()
        for half in range(2)
    ]
    changed = [
        {**order, "updated_at": _at(DAYS - 1), "financial_status": "partially_refunded"}
        for order in orders[::4]
    ]
    files.append(Delivery("orders", "orders-changed.ndjson", tuple(changed)))
    late = [
        {
            "event_id": f"late{number}",
            "event_type": "page_view",
            "occurred_at": _at(number * 3.5),
            "anonymous_id": f"{people[number]}-phone",
            "platform": "web",
        }
        for number in range(12)
    ]
    files.append(
        Delivery(
            "activity_events",
            "late.ndjson",
            (*late, events[0]),
            raw_lines=(
                '{"event_id":"bad1","event_type":"page_view","occurred_at":"2026-03-05T10:00:00"}',
                "{not json",
            ),
        )
    )
    files += _repairs(people, orders)
    return files


def _repairs(people: list[str], orders: list[dict[str, Any]]) -> list[Delivery]:
    """What changes who is credited with orders that came before: one file for each cause."""
    marks = {"utm_source": "ig", "utm_campaign": "spring"}
    return [
        # Clicks that come weeks late, and visits by marks whose link moves to another creator.
        Delivery(
            "link_clicks",
            "clicks-late.ndjson",
            tuple(
                {
                    "click_id": f"late{number}",
                    "link_id": f"l-c{number % 6}",
                    "clicked_at": _at(number * 4.5 + 1),
                    "anonymous_id": f"{person}-laptop",
                }
                for number, person in enumerate(people[::2])
            ),
        ),
        Delivery(
            "activity_events",
            "marked.ndjson",
            tuple(
                {
                    "event_id": f"marked{number}",
                    "event_type": "page_view",
                    "occurred_at": _at(number * 2.2),
                    "anonymous_id": f"{person}-phone",
                    "utm": [
                        {"source": "ig", "campaign": "spring"},
                        {"source": "newsletter", "medium": "email"},
                        {"source": "google"},
                    ][number % 3],
                }
                for number, person in enumerate(people)
            ),
        ),
        *(
            Delivery(
                "tracked_links",
                f"marks-{version}.ndjson",
                (
                    {
                        "link_id": "l-spring",
                        "creator_id": creator,
                        "valid_from": _at(first),
                        "updated_at": _at(version),
                        **marks,
                    },
                ),
            )
            for version, creator, first in ((1, "c3", 0), (2, "c4", 10))
        ),
        Delivery(
            "tracked_links",
            "moved.ndjson",
            (
                {
                    "link_id": "l-c5",
                    "slug": "c5",
                    "creator_id": "c4",
                    "platform": "tiktok",
                    "valid_from": _at(0),
                    "updated_at": _at(40),
                },
            ),
        ),
        # A code whose owner was wrong from the beginning.
        Delivery(
            "promo_codes",
            "codes-moved.ndjson",
            (
                {
                    "code": "BEN5",
                    "creator_id": "c3",
                    "valid_from": _at(0),
                    "updated_at": _at(50),
                },
            ),
        ),
        # Two customers turn out to be one person, and an order from before anybody's first.
        Delivery(
            "identity_links",
            "alias.ndjson",
            (
                {
                    "left_type": "customer",
                    "left_id": f"cust-{people[2]}",
                    "right_type": "customer",
                    "right_id": f"cust-{people[3]}",
                    "link_type": "alias",
                    "first_seen_at": _at(30),
                    "confidence": "deterministic",
                },
            ),
        ),
        # Two more were taken for one, until somebody saw that they are not.
        *(
            Delivery(
                "identity_links",
                f"mistaken-{version}.ndjson",
                (
                    {
                        "left_type": "customer",
                        "left_id": f"cust-{people[4]}",
                        "right_type": "customer",
                        "right_id": f"cust-{people[5]}",
                        "link_type": "alias",
                        "first_seen_at": _at(20),
                        "updated_at": _at(20 + 20 * version),
                        "confidence": "deterministic",
                        "is_revoked": version == 1,
                    },
                ),
            )
            for version in range(2)
        ),
        # Between two counts that put a creator at the edge of a tier it was far below.
        Delivery(
            "creator_follower_snapshots",
            "followers-late.ndjson",
            (
                {
                    "platform": "instagram",
                    "platform_user_id": "ig-c1",
                    "observed_at": _at(12),
                    "follower_count": 700,
                    "follower_precision": "exact",
                    "method": "profile",
                },
            ),
        ),
        Delivery(
            "orders",
            "orders-found.ndjson",
            tuple(
                {**order, "order_id": f"found{number}", "ordered_at": _at(0.2 + number)}
                for number, order in enumerate(orders[:3])
            ),
        ),
        Delivery(
            "order_touches",
            "visits.ndjson",
            tuple(
                {
                    "order_id": order["order_id"],
                    "touch_role": role,
                    "touch_at": order["ordered_at"],
                    **(marks if number % 2 else {}),
                }
                for number, order in enumerate(orders[::5])
                for role in ("first", "last")
            ),
        ),
        Delivery(
            "survey_responses",
            "answers.ndjson",
            tuple(
                {
                    "response_id": f"s{number}",
                    "order_id": order["order_id"],
                    "asked_at": order["ordered_at"],
                    "creator_id": f"c{number % 6}",
                }
                for number, order in enumerate(orders[::3])
            ),
        ),
        Delivery(
            "platform_claims",
            "claims.ndjson",
            tuple(
                {
                    "claim_id": f"pc{day}",
                    "platform": ("instagram", "google")[day % 2],
                    "claim_date": (START + timedelta(days=day)).date().isoformat(),
                    "conversions": 2,
                    "value": "90.00",
                    "window_days": 7,
                    "is_view_through": day % 3 == 0,
                }
                for day in range(0, DAYS, 4)
            ),
        ),
    ]


def _weekly(
    entity: str, rows: list[dict[str, Any]], column: str, suffix: str = ".ndjson"
) -> list[Delivery]:
    weeks: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        age = datetime.fromisoformat(row[column]) - START
        weeks.setdefault(age.days // 14, []).append(row)
    return [
        Delivery(entity, f"{entity}-{week}{suffix}", tuple(chunk))
        for week, chunk in sorted(weeks.items())
    ]


def _dimensions(creators: list[str]) -> list[Delivery]:
    followers = (400, 990, 5_000, 99_999, 100_001, None)
    codes = [
        {
            "code": "ANA10",
            "creator_id": "c0",
            "valid_from": _at(0),
            "valid_to": _at(28),
            "discount_type": "percent",
        },
        # The code changed hands half-way.
        {
            "code": "ana10",
            "creator_id": "c1",
            "valid_from": _at(28),
            "discount_type": "percent",
        },
    ]
    return [
        Delivery(
            "creators",
            "creators.ndjson",
            tuple(
                {
                    "creator_id": creator,
                    "status": "active",
                    "consent_basis": "contract",
                    "display_handle": f"@{creator}",
                    "niche": "food",
                }
                for creator in creators
            ),
        ),
        Delivery(
            "creator_accounts",
            "accounts.ndjson",
            tuple(
                {
                    "platform": "instagram",
                    "platform_user_id": f"ig-{creator}",
                    "creator_id": creator,
                    "handle": creator,
                }
                for creator in creators
            ),
        ),
        Delivery(
            "creator_follower_snapshots",
            "followers.ndjson",
            tuple(
                {
                    "platform": "instagram",
                    "platform_user_id": f"ig-{creator}",
                    "observed_at": _at(day),
                    "follower_count": count + day,
                    "follower_precision": "exact",
                    "method": "profile",
                }
                for creator, count in zip(creators, followers, strict=True)
                if count is not None
                for day in range(0, DAYS, 5)
            ),
        ),
        Delivery(
            "tracked_links",
            "links.ndjson",
            tuple(
                {
                    "link_id": f"l-{creator}",
                    "slug": creator,
                    "creator_id": creator,
                    "platform": "instagram",
                    "valid_from": _at(0),
                }
                for creator in creators
            ),
        ),
        Delivery("promo_codes", "codes.ndjson", tuple(codes)),
        # Mapped late: nobody knew whose code this was until the fourth week.
        Delivery(
            "promo_codes",
            "codes-late.ndjson",
            ({"code": "BEN5", "creator_id": "c2", "valid_from": _at(0)},),
        ),
        Delivery(
            "products",
            "products.ndjson",
            tuple({"product_id": f"p{number}", "title": f"Thing {number}"} for number in range(4)),
        ),
        # A rate serves for a week or until the next; of most days there is none.
        *(
            Delivery(
                "fx_rates_daily",
                f"rates-{number}.ndjson",
                (
                    {
                        "currency": "EUR",
                        "reporting_currency": "USD",
                        "rate_date": _at(day)[:10],
                        "rate": rate,
                    },
                ),
            )
            for number, day, rate in ((1, 6, "1.25"), (2, 9, "1.5"))
        ),
    ]
