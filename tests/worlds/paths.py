"""A shop in which everything about attribution meets: ties, edges of windows, ambiguous marks.

Times lie on a coarse grid, so touches of one instant and touches exactly a window before an order
come about by themselves; a microsecond is added or taken here and there. Devices belong to one
person each, as `tests.oracle.attribution` assumes. What happens around the orders, and what others
say of them, is added by `tests.worlds.partners`.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.worlds import partners
from tests.worlds.small import Delivery

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 86
AS_OF = START + timedelta(days=DAYS)
THROUGH = (AS_OF - timedelta(days=1)).date()
WINDOWS = [7, 14, 28, 30, 90]

CONFIG = f"""
as_of = {AS_OF.isoformat()}
threads = 2
memory_limit = "1GiB"
reporting_currency = "EUR"

[sources.drops]
kind = "drops"
folder = "drops"
account = "small"
currency = "EUR"

[dbt_vars]
attribution_windows_days = {WINDOWS}
contribution_margin_rate = 0.5
"""

Rows = dict[str, list[dict[str, Any]]]


def _at(day: float, microseconds: int = 0) -> str:
    moment = START + timedelta(days=day, microseconds=microseconds)
    return moment.isoformat(timespec="microseconds")


def _link(creator: str, first: float, last: float | None, **marks: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "link_id": f"l-{creator}-{marks['utm_campaign']}",
        "creator_id": creator,
        "valid_from": _at(first),
        **marks,
    }
    return row if last is None else {**row, "valid_to": _at(last)}


def _tags(marks: dict[str, str]) -> dict[str, str]:
    return {k.removeprefix("utm_"): v for k, v in marks.items() if k.startswith("utm_")}


def rows(seed: int = 11, people: int = 120) -> Rows:
    """Entity → delivered rows."""
    luck = random.Random(seed)
    creators = [f"c{number}" for number in range(4)]
    found: Rows = {
        "creators": [
            {"creator_id": creator, "status": "active", "consent_basis": "contract", **customer}
            for creator, customer in (
                *((creator, {}) for creator in creators[:2]),
                # two of one customer, and one who never ordered
                *((creator, {"customer_id": "cust-u5"}) for creator in creators[2:]),
                # whose code nobody uses
                ("c4", {}),
                ("c7", {"customer_id": partners.QUIET}),
            )
        ],
        "tracked_links": [
            # c3's says no platform.
            *(
                _link(creator, -100, None, utm_source="ig", utm_campaign=creator, **platform)
                for creator, platform in (
                    *(("c0", {"platform": "instagram"}), ("c1", {"platform": "tiktok"})),
                    *(("c2", {"platform": "facebook"}), ("c3", {})),
                )
            ),
            # Marks that move from one to another with both in between, and a link that ends.
            *(
                _link(creator, *days, utm_source="ig", utm_campaign="moved", platform=platform)
                for creator, days, platform in (
                    ("c0", (-100, 40), "instagram"),
                    ("c1", (30, None), "instagram"),
                )
            ),
            _link("c2", -100, 28, utm_source="facebook", utm_campaign="ends", platform="facebook"),
        ],
        "promo_codes": [
            {"code": "MOVED", "creator_id": "c0", "valid_from": _at(-100), "valid_to": _at(42)},
            {"code": "MOVED", "creator_id": "c1", "valid_from": _at(42)},
            {"code": "BOTH", "creator_id": "c2", "valid_from": _at(-100), "valid_to": _at(80)},
            {"code": "BOTH", "creator_id": "c3", "valid_from": _at(20), "valid_to": _at(80)},
            {"code": "ONE", "creator_id": "c3", "valid_from": _at(-100)},
            {"code": "UNUSED", "creator_id": "c4", "valid_from": _at(-100)},
        ],
        "link_clicks": [],
        "activity_events": [],
        "orders": [],
        "order_touches": [],
        # c2 never says how many follow, c9 is paid and does nothing.
        "creator_accounts": [
            {"platform": "instagram", "platform_user_id": f"ig-{creator}", "creator_id": creator}
            for creator in (*creators, "c4")
        ],
        "creator_follower_snapshots": [
            {
                "platform": "instagram",
                "platform_user_id": f"ig-{creator}",
                "observed_at": _at(day),
                "follower_count": count,
                "follower_precision": "exact",
                "method": "profile",
            }
            for creator, day, count in (
                *(("c0", 0, 500), ("c0", 30, 1_500), ("c1", 21, 20_000), ("c4", 0, 200_000)),
                # when its code has ended
                ("c0", 50, 12_000),
                *(("c3", 1, 999), ("c3", 42, 1_000)),
                # at noon, and for some hours of a day
                *(("c3", 60.5, 10_000), ("c3", 70.25, 500), ("c3", 70.5, 1_200)),
            )
        ],
        "posts": [
            {
                "platform": "instagram",
                "post_id": f"post-{creator}",
                "creator_id": creator,
                "posted_at": _at(8),
                "format": "image",
            }
            for creator in (*creators, "c4")
        ],
        # Around the days on which tiers change; c2 has no tier, c1 not yet, c3 not on some days.
        "post_metrics_daily": [
            {
                "platform": "instagram",
                "post_id": f"post-{creator}",
                "metric_date": _at(day)[:10],
                "metric_tz": "UTC",
                "metric": "reach",
                "value": value,
            }
            for creator, day, value in (
                *(("c0", 10, 4_000), ("c0", 29, 500), ("c0", 30, 70), ("c0", 31, 8)),
                *(("c1", 20, 900), ("c1", 21, 3_000), ("c2", 12, 60), ("c3", 41, 2_000)),
                *(("c3", 42, 300), ("c3", 59, 40), ("c3", 60, 5_000), ("c3", 70, 6)),
                *(("c0", 52, 700), ("c4", 9, 80), ("c4", 33, 90), ("c4", 60, 100)),
            )
        ],
        "creator_costs": [
            {
                "cost_id": f"cost{number}",
                "creator_id": creator,
                "cost_type": "fee",
                "incurred_at": _at(day),
                "amount": amount,
                "currency": currency,
            }
            for number, (creator, day, amount, currency) in enumerate(
                (
                    *(("c0", 10, "100.00", "EUR"), ("c0", 11, "0.50", "EUR")),
                    *(("c1", 83, "50.00", "EUR"), ("c9", 20.5, "25", "EUR")),
                    # before the noon at which it grows, and in dollars beside c9 and alone
                    *(("c3", 60.25, "12.00", "EUR"), ("c2", 20.5, "3.00", "USD")),
                    ("c2", 60, "7.00", "USD"),
                    # beside sales in dollars alone
                    ("c1", 65, "9.00", "EUR"),
                )
            )
        ],
    }
    for number in range(people):
        _live(found, luck, f"u{number}")
    partners.add(found, random.Random(seed + 1), start=START, as_of=AS_OF)
    found["survey_responses"] = [
        {
            "response_id": f"s{number}",
            "order_id": order["order_id"],
            "asked_at": order["ordered_at"],
            "creator_id": luck.choice(creators),
        }
        for number, order in enumerate(found["orders"])
        if luck.random() < 0.5
    ]
    # On the day on which c3 grows at noon: a click just before, the page just after it, an order.
    found["link_clicks"].append(
        {
            "click_id": "k-late",
            "link_id": "l-c3-c3",
            "clicked_at": _at(60.5 - 1 / 1440),
            "anonymous_id": "d-late",
        }
    )
    found["activity_events"].append(
        {
            "event_id": "e-late",
            "event_type": "page_view",
            "platform": "web",
            "occurred_at": _at(60.5 + 1 / 1440),
            "anonymous_id": "d-late",
        }
    )
    found["orders"].append(
        {
            "order_id": "o-late",
            "ordered_at": _at(60.25),
            "customer_id": "cust-late",
            "user_id": "late",
            "anonymous_id": "d-other",
            "currency": "EUR",
            "gross_amount": "40.00",
            "discount_amount": "0.00",
            "financial_status": "paid",
            "discount_codes": ["ONE"],
        }
    )
    return found


def _day(luck: random.Random, grid: tuple[int, int, int]) -> float:
    first, last, steps = grid
    return luck.randint(first, last) / steps


def _nudge(luck: random.Random) -> int:
    return luck.choice([0, 0, 0, 0, 1, -1])


def _live(found: Rows, luck: random.Random, person: str) -> None:
    """One person's clicks, visits and orders."""
    device = f"d-{person}"
    # Some keep to a few days or hours, so that their touches tie.
    grid = luck.choice([(0, DAYS - 1, 1), (0, 2 * DAYS - 2, 2), (20, 34, 1)])
    bought = luck.random() < 0.8
    for _ in range(luck.choice([0, 1, 2, 3, 4, 6, 9, 15])):
        day, name = _day(luck, grid), len(found["link_clicks"]) + len(found["activity_events"])
        kind = luck.random()
        signed_in = {"user_id": person} if bought and luck.random() < 0.3 else {}
        if kind < 0.5:
            link = luck.choice(found["tracked_links"])
            click = {
                "click_id": f"k{name}",
                "link_id": link["link_id"],
                "clicked_at": _at(day, _nudge(luck)),
                # its own cookie jar, or none that could be read
                **luck.choice(
                    [{"anonymous_id": device}] * 4 + [{"anonymous_id": f"jar{name}"}, {}]
                ),
            }
            found["link_clicks"].append(click)
            if luck.random() < 0.4:  # the landing page, with and without the click's name
                found["activity_events"].append(
                    {
                        "event_id": f"e{name}-landing",
                        "event_type": "page_view",
                        "platform": "web",
                        "occurred_at": _at(day + 10 / 86400),
                        "anonymous_id": device,
                        "utm": _tags(link),
                        **({"click_id": f"k{name}"} if luck.random() < 0.6 else {}),
                        **signed_in,
                    }
                )
            continue
        source = luck.choice(["newsletter", "google", "facebook", "ig", "ig", "odd", None])
        marks: dict[str, str] = {} if source is None else {"utm_source": source}
        if source == "ig":
            marks["utm_campaign"] = luck.choice(["c0", "c1", "c2", "c3", "moved", "gone"])
        elif source == "facebook" and luck.random() < 0.5:
            marks["utm_campaign"] = "ends"
        for page in range(luck.choice([1, 1, 2, 3])):
            found["activity_events"].append(
                {
                    "event_id": f"e{name}-{page}",
                    "event_type": luck.choice(["page_view", "product_view"]),
                    "platform": "web",
                    "occurred_at": _at(day + page * 29 / 1440, _nudge(luck)),
                    "anonymous_id": device,
                    "utm": _tags(marks),
                    **signed_in,
                }
            )
    for _ in range(luck.choice([1, 1, 2, 3]) if bought else 0):
        _buy(found, luck, person, device, _day(luck, grid))


def _buy(found: Rows, luck: random.Random, person: str, device: str, day: float) -> None:
    name = f"o{len(found['orders'])}"
    found["orders"].append(
        {
            "order_id": name,
            "ordered_at": _at(day),
            "customer_id": f"cust-{person}",
            "user_id": person,
            "anonymous_id": device,
            "currency": "EUR",
            "gross_amount": f"{luck.randint(0, 10 ** luck.choice([4, 4, 6, 8])) / 100:.2f}",
            "discount_amount": "0.00",
            "financial_status": "paid",
            "discount_codes": luck.choice(
                [[], [], [], ["moved"], ["BOTH"], ["ONE"], ["ONE", "moved"], ["NOBODY"]]
            ),
        }
    )
    if luck.random() < 0.3:
        for role, age in (("first", luck.choice([0, 7, 20])), ("last", luck.choice([0, 0.01]))):
            source = luck.choice([None, "newsletter", "google", "ig"])
            visit = {"order_id": name, "touch_role": role, "touch_at": _at(day - age)}
            if source:
                visit["utm_source"] = source
            if source == "ig":
                visit["utm_campaign"] = luck.choice(["c0", "moved"])
            found["order_touches"].append({**visit, "is_journey_ready": True})


def deliveries(world: Rows) -> list[Delivery]:
    """One file an entity."""
    return [
        Delivery(entity, f"{entity}.ndjson", tuple(content))
        for entity, content in world.items()
        if content
    ]
