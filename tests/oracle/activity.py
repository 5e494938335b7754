"""`fct_creator_activity_weekly`, slowly: a calendar of what each creator posted and sold.

Credits, orders and touches are taken as other marts count them.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from tests.oracle.creators import Roster, local_day, utc

Row = dict[str, Any]

WEEK = timedelta(days=7)
BANDS = (4, 12, 26, 52)


def weeks(first: date, through: date) -> list[tuple[date, date]]:
    """Monday and last complete day of every week."""
    start = first - timedelta(days=first.weekday())
    found = []
    while start <= through:
        found.append((start, min(start + timedelta(days=6), through)))
        start += WEEK
    return found


def weekly(
    roster: Roster,
    creators: dict[Any, Row],
    touches: list[Row],
    ledger: list[Row],
    orders: dict[str, Row],
    first: date,
    through: date,
) -> dict[Any, Row]:
    """`fct_creator_activity_weekly` by creator and Monday."""
    found: dict[Any, Row] = {}
    for creator in (row for row in creators.values() if not row["is_member"]):
        key = creator["creator_key"]
        joined, left = _day(creator["joined_at"]), _day(creator["left_at"])
        seen = _day(creator["first_activity_at"])
        begins = min((day for day in (joined, seen) if day is not None), default=None)
        history: list[Row] = []
        for monday, last in weeks(first, through):
            if begins is None or begins > last:
                continue
            posts = [post for post in roster.posts.values()
                     if post["creator"] == key and monday <= post["day"] <= last]  # fmt: skip
            mine = [
                one
                for one in ledger
                if one["creator_key"] == key and monday <= one["order_date"] <= last
            ]
            currencies = {one["currency_code"] for one in mine}
            earlier = [week["is_active"] for week in history]
            recent = [*history[-7:], {"is_active": bool(posts), "order_count": len(mine)}]
            active = sum(week["is_active"] for week in recent)
            tenure = None if (since := joined or seen) is None or since > last else last - since
            history.append(
                {
                    "creator_key": key,
                    "week_start_date": monday,
                    "as_of_date": last,
                    "lifecycle_status": _status(bool(posts), earlier),
                    "tenure_band_type": _band(tenure),
                    "currency_code": next(iter(currencies)) if len(currencies) == 1 else None,
                    "is_active": bool(posts),
                    "is_in_programme": joined is not None
                    and joined <= last
                    and not (left is not None and left <= last),
                    # days before the first are in no calendar
                    "is_complete": monday >= first and monday + timedelta(days=6) <= through,
                    "post_count": len(posts),
                    "sponsored_post_count": sum(post["is_sponsored"] for post in posts),
                    "active_weeks_8w_count": active,
                    "selling_weeks_8w_count": sum(week["order_count"] > 0 for week in recent),
                    "observed_weeks_8w_count": len(recent),
                    "click_count": sum(
                        touch["is_click"]
                        and not touch["is_repeat"]
                        and touch["creator_key"] == key
                        and monday <= touch["touch_date"] <= last
                        for touch in touches
                    ),
                    "order_count": len(mine),
                    "new_customer_count": sum(
                        orders[one["order_key"]]["is_new_customer"] for one in mine
                    ),
                    "net_sales_amount": sum(one["credit_amount"] for one in mine)
                    if len(currencies) < 2
                    else None,
                    "active_weeks_8w_rate": active / len(recent),
                    "tenure_days": None if tenure is None else tenure.days,
                }
            )
        found |= {(key, week["week_start_date"]): week for week in history}
    return found


def _status(posted: bool, earlier: list[bool]) -> str:
    before = bool(earlier) and earlier[-1]
    if posted:
        return "returning" if before else "resurrecting" if any(earlier) else "new"
    return "dormant" if before else "inactive"


def _band(tenure: timedelta | None) -> str:
    if tenure is None:
        return "not_joined"
    under = [band for band in BANDS if tenure < band * WEEK]
    return f"under_{under[0]}_weeks" if under else f"{BANDS[-1]}_weeks_and_more"


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else local_day(utc(moment))
