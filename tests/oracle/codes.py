"""`fct_code_integrity_weekly`, slowly: uses of codes and what stands around them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.oracle.trust import World, owners

Row = dict[str, Any]


def code_uses(world: World, coupon_hosts: set[str]) -> list[Row]:
    uses = []
    for order in world.orders.values():
        for code in order["codes"]:
            if not any(row["code"] == code for row in world.codes):
                continue
            whose = owners(world, code, order["ordered_at"])
            owner = whose.pop() if len(whose) == 1 else None
            clicks = [
                touch
                for touch in world.touches
                if touch["is_click"]
                and not touch["is_repeat"]
                and touch["person_key"] == order["person_key"]
                and order["ordered_at"] - timedelta(days=30) < touch["at"] <= order["ordered_at"]
            ]
            visits = [
                touch
                for touch in world.order_touches
                if f"drops:small:{touch['order_id']}" == order["order_key"]
            ]
            uses.append(
                {
                    "code": code,
                    "owner": owner,
                    "day": order["order_date"],
                    "at": order["ordered_at"],
                    "clicked": any(owner in (None, touch["creator_key"]) for touch in clicks),
                    "late": any(
                        touch["at"] > order["ordered_at"] - timedelta(seconds=60)
                        for touch in clicks
                    ),
                    "coupon": any(
                        host == touch["referrer_host"]
                        or touch["referrer_host"].endswith(f".{host}")
                        for touch in visits
                        for host in coupon_hosts
                    ),
                    "old": order["customer_order_number"] > 1,
                    "after_post": any(
                        post["creator"] == owner
                        and order["ordered_at"] - timedelta(days=3)
                        < post["posted"]
                        <= order["ordered_at"]
                        for post in world.roster.posts.values()
                    ),
                }
            )
    return uses


def clamp(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def review(uses: list[Row], code: str, as_of: date, *, least: int, usual: int) -> Row | None:
    """Counts and score of a code's window; every creator here is on one platform."""
    window = [use for use in uses if as_of - timedelta(days=28) < use["day"] <= as_of]
    mine = [use for use in window if use["code"] == code]
    if not mine:
        return None
    has_owner = {
        name: any(use["owner"] for use in window if use["code"] == name)
        for name in {use["code"] for use in window}
    }
    others = [use for use in window if use["code"] != code and has_owner[use["code"]]]
    size = len(mine)
    share = {name: sum(use[name] for use in mine) / size for name in
             ("clicked", "late", "coupon", "old")}  # fmt: skip
    recent = [use for use in mine if use["day"] > as_of - timedelta(days=7)]
    quiet = sum(not use["after_post"] for use in recent)
    spike = quiet / max((size - len(recent)) * 7 / 21, 1)
    parts: list[tuple[float, float]] = [
        (0.15, clamp((spike - 1) / 3)),
        (0.3, clamp(share["coupon"] / 0.2)),
        (0.1, clamp(share["late"] / 0.3)),
    ]
    capture = None
    if len(others) >= usual:
        capture = sum(use["clicked"] for use in others) / len(others)
        old = sum(use["old"] for use in others) / len(others)
        if capture > 0 and has_owner[code]:
            parts.append((0.3, clamp((1 - share["clicked"] - (1 - capture)) / capture)))
        if old < 1:
            parts.append((0.15, clamp((share["old"] - old) / (1 - old) / 0.5)))
    score = sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)
    return {
        "uses": size,
        "quiet": quiet,
        "capture": capture,
        "spike": spike,
        "coupon": share["coupon"],
        "old": share["old"],
        "score": score if size >= least else None,
    }
