"""A few people whose visits lie on every edge there is, delivered in four steps.

Visits begin at midnights and a microsecond around them, over the change of clocks, at one and the
same instant; events follow after exactly the gap and a microsecond more; clicks come before, at and
after what they brought; devices change hands. The second step brings late events and clicks, the
third links that merge users, the fourth revokes one of them. `seen` says in the oracle's words what
is known after each step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.people import People, SignIn
from tests.oracle.stickiness import Event, Touch
from tests.worlds.small import Delivery

ACCOUNT = "edges"
CREATORS = ("c0", "c1", "c2", "c3")
STEPS = ("first", "late", "merged", "revoked")
WAYS: list[dict[str, Any]] = [
    {"utm": {"medium": "email"}},
    {"utm": {"source": "google", "medium": "cpc"}},
    {"channel": "affiliate"},
    {"utm": {"source": "ig", "campaign": "shared"}},
    {"channel": "direct"},
    {"utm": {"campaign": "nobody knows"}},
    {},
]
"""How people come back: three channels, marks of two creators' links, and three ways of nobody."""

_GAP = timedelta(minutes=30)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Seen:
    """What is known after a step, persons resolved.

    Attributes:
        orders: Person, instant and net sales.
    """

    events: list[Event]
    touches: list[Touch]
    orders: list[tuple[str, datetime, int]]


class Visitors:
    """The world of one seed.

    Args:
        timezone: Zone whose midnights are edges.
        first: First day of the visits.
        days: How many days there are.
    """

    def __init__(self, *, seed: int, timezone: str, first: date, days: int) -> None:
        self._luck = random.Random(seed)
        self._zone = ZoneInfo(timezone)
        self._first = first
        self._days = days
        self.rows: list[tuple[str, str, dict[str, Any]]] = []
        self._clicks: set[tuple[str, str, datetime]] = set()
        self._users = [f"u{number}" for number in range(14)]
        self._busy = [self._luck.randrange(days) for _ in range(8)]
        for number, user in enumerate(self._users):
            # u0 and u1 share a device.
            devices = [f"d{number}", "d0" if number < 2 else f"e{number}"]
            for _ in range(self._luck.randint(4, 11)):
                self._visit(user, self._luck.choice(devices), number)
            for _ in range(self._luck.choice([0, 1, 1, 2, 3])):
                self._order(user)
        for number in range(6):
            for _ in range(self._luck.randint(1, 6)):
                self._visit(None, f"a{number}", 20 + number)
        self.links = [("u2", "u3"), ("u4", "u5"), ("u5", "u6")]
        # After everything else, so that the luck of what was there before stays as it was.
        for number in range(12):
            self._return(f"b{number}", number)

    def _start(self, number: int) -> datetime:
        day = self._luck.choice([self._luck.randrange(self._days), self._luck.choice(self._busy)])
        midnight = datetime.combine(
            self._first + timedelta(days=day), datetime.min.time(), self._zone
        )
        start = midnight.astimezone(UTC).replace(tzinfo=None)
        # The other user of a shared device has instants of his own: they never sign in at one.
        start += timedelta(microseconds=500 * (number == 1))
        edge = self._luck.randrange(6)
        if edge == 0:
            return start
        if edge == 1:
            return start - _TICK
        return start + timedelta(
            hours=self._luck.choice([0, 1, 2, 3, 9, 12, 20, 23]),
            minutes=self._luck.randrange(60),
            seconds=number,
        )

    def _add(self, entity: str, row: dict[str, Any], step: str | None = None) -> None:
        late = "late" if self._luck.random() < 0.12 else "first"
        self.rows.append((step or late, entity, row))

    def _click(self, creator: str, device: str, at: datetime) -> str | None:
        # A second click within half a minute is a duplicate and no touch.
        if any(
            other[:2] == (creator, device) and abs(other[2] - at) <= timedelta(seconds=30)
            for other in self._clicks
        ):
            return None
        self._clicks.add((creator, device, at))
        click = f"k{len(self._clicks)}"
        self._add(
            "link_clicks",
            {
                "click_id": click,
                "link_id": f"l-{creator}",
                "clicked_at": _text(at),
                "anonymous_id": device,
            },
        )
        return click

    def _visit(self, user: str | None, device: str, number: int) -> None:
        at = self._start(number)
        click: str | None = None
        creator: str | None = None
        if self._luck.random() < 0.45:
            brings = self._luck.choice(CREATORS)
            way = self._luck.randrange(3)
            if way == 0:
                before = self._luck.choice([timedelta(0), timedelta(seconds=2), _GAP, _GAP + _TICK])
                self._click(brings, device, at - before)
            elif way == 1:  # the visit names its click, whose clock is ahead
                click = self._click(brings, device, at + timedelta(seconds=3))
            else:
                creator = brings
        is_signed_in = user is not None and self._luck.random() < 0.6
        for step in range(self._luck.randint(1, 4)):
            kind = self._luck.choice(["page_view"] * 4 + ["product_view", "search", "other"])
            row: dict[str, Any] = {
                "event_id": f"e{len(self.rows)}",
                "event_type": kind,
                "occurred_at": _text(at),
                "anonymous_id": device,
                "platform": self._luck.choice(["web", "ios"]),
            }
            if is_signed_in:
                row["user_id"] = user
            if step == 0 and click:
                row["click_id"] = click
            if step == 0 and creator:
                row["creator_id"] = creator
            chance = self._luck.random()
            if chance < 0.04:
                row["is_bot"] = True
            elif chance < 0.08:
                row["is_internal"] = True
            self._add("activity_events", row)
            if self._luck.random() < 0.12:
                self._click(self._luck.choice(CREATORS), device, at + timedelta(seconds=1))
            at += self._luck.choice(
                [
                    timedelta(0),
                    timedelta(seconds=4),
                    timedelta(seconds=11),
                    timedelta(minutes=3),
                    _GAP,
                    _GAP + _TICK,
                ]
            )

    def _return(self, device: str, number: int) -> None:
        """Somebody whom a creator brought comes again, each time in a way of WAYS or in none."""
        day = self._luck.randrange(self._days - 30)
        at = datetime.combine(
            self._first + timedelta(days=day), datetime.min.time(), self._zone
        ).astimezone(UTC).replace(tzinfo=None) + timedelta(hours=9, seconds=number)
        ways = [None, *self._luck.sample(WAYS, 3)]
        for visit, way in enumerate(ways):
            # the mark stands on the first page, or on a later one of a visit that goes on
            marked = self._luck.randrange(3)
            for step in range(3):
                row: dict[str, Any] = {
                    "event_id": f"e{len(self.rows)}",
                    "event_type": "page_view",
                    "occurred_at": _text(at),
                    "anonymous_id": device,
                    "platform": "web",
                }
                if visit == 0 and step == 0:
                    row["creator_id"] = CREATORS[number % 2]
                elif way and step == marked:
                    row |= way
                self._add("activity_events", row)
                at += timedelta(minutes=self._luck.choice([1, 4]), seconds=3)
            at += timedelta(days=self._luck.choice([1, 3, 8]))

    def _order(self, user: str) -> None:
        at = self._start(50 + int(user[1:]))
        amount = self._luck.randint(5, 80)
        self._add(
            "orders",
            {
                "order_id": f"o{len(self.rows)}",
                "ordered_at": _text(at),
                "user_id": user,
                "currency": "EUR",
                "gross_amount": f"{amount}.00",
                "discount_amount": "0.00",
                "total_amount": f"{amount}.00",
                "financial_status": "paid",
            },
            "first",
        )

    def deliveries(self, step: str) -> list[Delivery]:
        """The files of one step."""
        files = []
        if step == "first":
            files = [
                Delivery(
                    "creators",
                    "creators.ndjson",
                    tuple(
                        {
                            "creator_id": creator,
                            "status": "active",
                            "consent_basis": "contract",
                            "display_handle": f"@{creator}",
                        }
                        for creator in CREATORS
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
                            "valid_from": "2020-01-01T00:00:00Z",
                        }
                        for creator in CREATORS
                    )
                    + tuple(
                        {
                            "link_id": f"s-{creator}",
                            "slug": f"s-{creator}",
                            "creator_id": creator,
                            "platform": "instagram",
                            "utm_source": "ig",
                            "utm_campaign": "shared",
                            "valid_from": "2020-01-01T00:00:00Z",
                        }
                        for creator in CREATORS[:2]
                    ),
                ),
            ]
        if step in ("merged", "revoked"):
            is_revoked = step == "revoked"
            files.append(
                Delivery(
                    "identity_links",
                    f"links-{step}.ndjson",
                    tuple(
                        {
                            "left_type": "user",
                            "left_id": left,
                            "right_type": "user",
                            "right_id": right,
                            "link_type": "alias",
                            "first_seen_at": "2026-01-01T00:00:00Z",
                            "updated_at": f"2026-05-0{1 + is_revoked}T00:00:00Z",
                            "is_revoked": is_revoked,
                        }
                        for left, right in (self.links[1:2] if is_revoked else self.links)
                    ),
                )
            )
        for entity in ("activity_events", "link_clicks", "orders"):
            rows = tuple(row for when, what, row in self.rows if (when, what) == (step, entity))
            if rows:
                files.append(Delivery(entity, f"{entity}-{step}.ndjson", rows))
        return files

    def seen(self, step: str) -> Seen:
        """What the oracle is told of the steps up to this one."""
        steps = STEPS[: STEPS.index(step) + 1]
        rows = [(entity, row) for when, entity, row in self.rows if when in steps]
        events = [row for entity, row in rows if entity == "activity_events"]
        clicks = {row["click_id"]: row for entity, row in rows if entity == "link_clicks"}
        links = {"first": [], "late": [], "merged": self.links}.get(
            step, [self.links[0], self.links[2]]
        )
        people = People(
            [
                SignIn(row["anonymous_id"], row["user_id"], _instant(row["occurred_at"]))
                for row in events
                if "user_id" in row and not row.get("is_bot")
            ],
            links,
        )

        def person(row: dict[str, Any], at: datetime) -> str:
            if "user_id" in row:
                return people.of_user(row["user_id"])
            return people.of_device(row["anonymous_id"], at)

        seen = Seen([], [], [])
        for row in events:
            at = _instant(row["occurred_at"])
            who = person(row, at)
            event = Event(
                who,
                at,
                row["event_type"],
                row["platform"],
                bool(row.get("is_bot")),
                bool(row.get("is_internal")),
                is_brought=row.get("channel") == "affiliate" or "medium" in row.get("utm", {}),
            )
            seen.events.append(event)
            named = clicks.get(row.get("click_id", ""))
            creator = named["link_id"][2:] if named else row.get("creator_id")
            if row.get("utm", {}).get("campaign") == "shared":
                creator = "ambiguous"
            if creator and event.is_counted:
                key = f"{'visit' if named else 'event'}:drops:{ACCOUNT}:{row['event_id']}"
                seen.touches.append(Touch(who, at, creator, key))
        for row in clicks.values():
            at = _instant(row["clicked_at"])
            key = f"click:drops:{ACCOUNT}:{row['click_id']}"
            seen.touches.append(Touch(person(row, at), at, row["link_id"][2:], key))
        for entity, row in rows:
            if entity == "orders":
                seen.orders.append(
                    (
                        people.of_user(row["user_id"]),
                        _instant(row["ordered_at"]),
                        int(float(row["gross_amount"])),
                    )
                )
        return seen


def _text(at: datetime) -> str:
    return at.replace(tzinfo=UTC).isoformat()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)
