"""What the clickers of a creator and week did next, person by person.

Written from docs/metrics/creator_funnel.md and sessions.md, on the worlds of `tests.worlds.paths`
in UTC. Touches and orders come from `tests.oracle.attribution`, sessions from
`tests.oracle.stickiness`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from tests.oracle import estimates, stickiness
from tests.oracle.attribution import (
    Rows,
    all_touches,
    instant,
    is_left_out,
    key,
    orders,
    owners,
    touches as path_touches,
)

Week = tuple[str, date]

GAP = timedelta(minutes=30)


def week(at: datetime) -> date:
    """The Monday of an instant's week."""
    return at.date() - timedelta(days=at.weekday())


def events(rows: Rows) -> list[stickiness.Event]:
    """What persons did, each with its person."""
    people = owners(rows)
    return [
        stickiness.Event(
            person=people[row["anonymous_id"]],
            at=instant(row["occurred_at"]),
            kind=row["event_type"],
            is_bot=bool(row.get("is_bot")),
            is_internal=bool(row.get("is_internal")),
        )
        for row in rows["activity_events"]
    ]


def openings(rows: Rows) -> list[stickiness.Touch]:
    """The touches that may open a session.

    A page whose marks repeat the creator of the touch before it, within a gap, says nothing new:
    what it opens was opened by that touch. What a shop remembers of an order is told by events.
    """
    people = owners(rows)
    found: dict[str, list[stickiness.Touch]] = defaultdict(list)
    clicked: dict[str, str] = {}
    for person, mine in all_touches(rows).items():
        for touch in mine:
            if touch.party[0] == "channel" or touch.key.startswith("visit:"):
                continue
            clicked[touch.key] = touch.party[1]
            found[person].append(
                stickiness.Touch(person, touch.at, touch.party[1], touch.key, is_act=True)
            )
    for row in rows["activity_events"]:
        creator = clicked.get(f"click:{key(row['click_id'])}") if "click_id" in row else None
        if creator and not is_left_out(row):
            person, at = people[row["anonymous_id"]], instant(row["occurred_at"])
            name = f"visit:{key(row['event_id'])}"
            found[person].append(stickiness.Touch(person, at, creator, name))
    kept: list[stickiness.Touch] = []
    for mine in found.values():
        mine.sort(key=lambda touch: (touch.at, touch.key))
        for before, touch in zip([None, *mine[:-1]], mine, strict=True):
            is_click = touch.key.startswith("click:")
            is_new = before is None or before.creator != touch.creator
            if is_click or is_new or touch.at - before.at > GAP:
                kept.append(touch)
    return kept


def funnel(rows: Rows, *, through: date, window_days: int) -> dict[Week, dict[str, Any]]:
    """Creator and week of the click → what is counted of it.

    Args:
        through: The last day that is known in full.
    """
    window = timedelta(days=window_days)
    everything = [event for event in events(rows) if event.is_counted]
    sessions = stickiness.sessions(everything, openings(rows), stickiness.Rules(gap=GAP))
    bought: dict[str, list[datetime]] = defaultdict(list)
    for order in orders(rows):
        bought[order.person].append(order.at)
    clicks: dict[Week, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for person, mine in path_touches(rows).items():
        for touch in mine:
            if touch.party[0] == "creator":
                clicks[touch.party[1], week(touch.at)][person].append(touch.at)

    def did(person: str, kind: str, start: datetime) -> bool:
        return any(
            event.person == person and event.kind == kind and start <= event.at < start + window
            for event in everything
        )

    found: dict[Week, dict[str, Any]] = {}
    for (creator, monday), clickers in clicks.items():
        begun = viewed = filled = 0
        opened: list[str] = []
        order_count = at_once = 0
        waited: list[timedelta] = []
        for person, mine in clickers.items():
            start = min(mine)
            by_creator = [
                one
                for one in sessions
                if one.person == person
                and one.creator == creator
                and one.touched is not None
                and week(one.touched) == monday
            ]
            opened += [person] * len(by_creator)
            begun += bool(by_creator)
            viewed += did(person, "product_view", start)
            filled += did(person, "add_to_cart", start)
            mine_bought = sorted(at for at in bought[person] if start <= at < start + window)
            order_count += len(mine_bought)
            if mine_bought:
                waited.append(mine_bought[0] - start)
                ends = [one.end for one in sessions if one.person == person and one.end >= start]
                at_once += bool(ends) and mine_bought[0] <= min(ends) + GAP
        # The last of the week has been followed as long as anybody.
        is_mature = monday + timedelta(days=7) + window <= through + timedelta(days=1)
        counts = {
            "product_view_person_count": viewed,
            "cart_person_count": filled,
            "ordered_person_count": len(waited),
            "order_count": order_count,
            "first_session_ordered_person_count": at_once,
            "click_to_product_view_rate": viewed / len(clickers),
            "click_to_cart_rate": filled / len(clickers),
            "click_to_order_rate": len(waited) / len(clickers),
            "first_session_order_rate": at_once / len(waited) if waited else None,
            "median_minutes_to_order": median(one / timedelta(minutes=1) for one in waited)
            if waited
            else None,
        }
        found[creator, monday] = {
            "creator_key": creator,
            "click_week_start_date": monday,
            "window_days": window_days,
            "is_mature": is_mature,
            "click_count": sum(len(mine) for mine in clickers.values()),
            "clicker_count": len(clickers),
            "session_count": len(opened),
            "session_person_count": begun,
            "click_to_session_rate": begun / len(clickers),
            **(counts if is_mature else dict.fromkeys(counts)),
        }
    return found


RATES = {
    "click_to_session_rate": ("session_person_count", "clicker_count"),
    "click_to_product_view_rate": ("product_view_person_count", "clicker_count"),
    "click_to_cart_rate": ("cart_person_count", "clicker_count"),
    "click_to_order_rate": ("ordered_person_count", "clicker_count"),
    "first_session_order_rate": ("first_session_ordered_person_count", "ordered_person_count"),
}
"""Rate → what is counted of what."""


def estimated(
    weeks: dict[Week, dict[str, Any]], cells: dict[Week, estimates.Cell]
) -> dict[Week, dict[str, Any]]:
    """Creator and week → the four columns of every rate's estimate, among the week's creators.

    Args:
        weeks: What `funnel` counted.
        cells: Platform and tier of the creator at the first click of the week.
    """
    found: dict[Week, dict[str, Any]] = {
        place: {
            f"{rate}_{part}": "insufficient" if part == "reliability" else None
            for rate in RATES
            for part in ("shrunk", "ci_low", "ci_high", "reliability")
        }
        for place in weeks
    }
    for monday in {monday for _, monday in weeks}:
        for rate, (events, chances) in RATES.items():
            units = {
                place: (cells[place], row[events], row[chances])
                for place, row in weeks.items()
                if place[1] == monday and row[events] is not None and row[chances] is not None
            }
            for place, (shrunk, low, high, label) in estimates.of_rates(units).items():
                found[place] |= {
                    f"{rate}_shrunk": shrunk,
                    f"{rate}_ci_low": low,
                    f"{rate}_ci_high": high,
                    f"{rate}_reliability": label,
                }
    return found


def first_clicks(rows: Rows) -> dict[Week, datetime]:
    """Creator and week → the first click of it."""
    found: dict[Week, datetime] = {}
    for mine in path_touches(rows).values():
        for touch in mine:
            if touch.party[0] == "creator":
                place = touch.party[1], week(touch.at)
                found[place] = min(touch.at, found.get(place, touch.at))
    return found
