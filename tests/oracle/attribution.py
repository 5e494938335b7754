"""Who is credited with an order, worked out slowly and plainly from the delivered rows.

Written from docs/metrics/attribution_credit.md, not from the models, with exact fractions and no
cleverness: every order looks at every touch of its person. It knows the worlds of
`tests.worlds.paths`, in which a device belongs to one person only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, getcontext
from fractions import Fraction
from itertools import combinations, pairwise
from math import factorial
from typing import Any

getcontext().prec = 60

Party = tuple[str, str]
Rows = dict[str, list[dict[str, Any]]]

UNATTRIBUTED: Party = ("unattributed", "unattributed")
AMBIGUOUS: Party = ("ambiguous", "ambiguous")
DIRECT: Party = ("channel", "direct")
UNITS = 10**12

CHANNELS = {
    "newsletter": "email",
    "google": "organic_search",
    "facebook": "organic_social",
    "ig": "organic_social",
}
"""utm_source → channel, as far as the worlds use it."""

PLATFORMS = {"google": "google", "facebook": "facebook", "ig": "instagram"}
"""utm_source → the platform it names."""


@dataclass(frozen=True)
class Touch:
    """Something a person did that says who brought it."""

    at: datetime
    key: str
    party: Party
    is_visit: bool
    platform: str | None = None


@dataclass(frozen=True)
class Order:
    """An order that is no test, with its person, the owner of its codes and net sales in cents."""

    key: str
    person: str
    customer: str
    at: datetime
    code: Party | None
    currency: str
    cents: int
    stand_in: Party


def instant(text: str) -> datetime:
    """A delivered time."""
    return datetime.fromisoformat(text)


def key(entity_id: str) -> str:
    """Our key of a record of the world's account."""
    return f"drops:small:{entity_id}"


def is_left_out(row: dict[str, Any]) -> bool:
    """Bots, the brand's own people, and tests of the shop."""
    return bool(row.get("is_bot") or row.get("is_internal") or row.get("is_test"))


def touches(rows: Rows) -> dict[str, list[Touch]]:
    """The path touches of every person, in order."""
    return {person: _distinct(mine) for person, mine in all_touches(rows).items()}


def all_touches(rows: Rows) -> dict[str, list[Touch]]:
    """Every touch of a person that is an act, also pages that go on a visit."""
    people = owners(rows)
    links = {row["link_id"]: row for row in rows["tracked_links"]}
    found: dict[str, list[Touch]] = defaultdict(list)
    known_clicks = set()
    previous: dict[tuple[str, str | None], datetime] = {}
    landings = _landings(rows)
    for row in sorted(
        rows["link_clicks"], key=lambda row: (instant(row["clicked_at"]), key(row["click_id"]))
    ):
        link, at = links[row["link_id"]], instant(row["clicked_at"])
        # Repetitions of a click on one link within 30 seconds are out.
        same = (row["link_id"], row.get("anonymous_id"))
        repeated = (
            same[1] is not None
            and same in previous
            and at - previous[same] <= timedelta(seconds=30)
        )
        previous[same] = at
        if not _valid(link, at):
            continue
        known_clicks.add(row["click_id"])
        device = landings.get(row["click_id"], row.get("anonymous_id"))
        if not repeated and not is_left_out(row) and device is not None:
            found[people[device]].append(
                Touch(
                    at,
                    f"click:{key(row['click_id'])}",
                    ("creator", key(link["creator_id"])),
                    False,
                    link.get("platform"),
                )
            )
    for row in rows["activity_events"]:
        if row.get("click_id") in known_clicks or is_left_out(row):
            continue
        tags = {f"utm_{name}": value for name, value in row.get("utm", {}).items()}
        at = instant(row["occurred_at"])
        party = _party(tags, at, rows)
        if party is not None:
            found[people[row["anonymous_id"]]].append(
                Touch(at, f"event:{key(row['event_id'])}", party, True, _platform(tags, at, rows))
            )
    buyers = {row["order_id"]: row["user_id"] for row in rows["orders"] if not is_left_out(row)}
    for row in rows["order_touches"]:
        if row["order_id"] not in buyers:
            continue
        at = instant(row["touch_at"])
        party = _party(row, at, rows)
        if party is None and not row.get("utm_source"):
            party = DIRECT
        if party is not None:
            text = at.replace(tzinfo=None).isoformat(sep=" ")
            found[buyers[row["order_id"]]].append(
                Touch(
                    at,
                    f"visit:{key(row['order_id'])}:{row['touch_role']}:{text}",
                    party,
                    True,
                    _platform(row, at, rows),
                )
            )
    return found


def _landings(rows: Rows) -> dict[str, str]:
    """Click → the device of the first visit that names it."""
    named = [row for row in rows["activity_events"] if row.get("click_id") and not is_left_out(row)]
    named.sort(key=lambda row: (instant(row["occurred_at"]), key(row["event_id"])), reverse=True)
    return {row["click_id"]: row["anonymous_id"] for row in named}


def owners(rows: Rows) -> dict[str, str]:
    """Device → the person who ever signed in on it, else the device itself."""
    found = {}
    for entity in ("link_clicks", "activity_events", "orders"):
        for row in rows[entity]:
            if "anonymous_id" not in row:
                continue
            found.setdefault(row["anonymous_id"], row["anonymous_id"])
            # A bot signs nobody in, and a test order says nothing of a device.
            if row.get("user_id") and not row.get("is_bot") and not row.get("is_test"):
                found[row["anonymous_id"]] = row["user_id"]
    return found


def _valid(row: dict[str, Any], at: datetime) -> bool:
    ends = row.get("valid_to")
    return instant(row["valid_from"]) <= at and (ends is None or at < instant(ends))


def _links(marks: dict[str, Any], at: datetime, rows: Rows) -> list[dict[str, Any]]:
    """The tracked links that carry the marks and are valid then."""
    return [
        link
        for link in rows["tracked_links"]
        if link.get("utm_campaign")
        and link["utm_source"] == marks.get("utm_source")
        and link["utm_campaign"] == marks.get("utm_campaign")
        and _valid(link, at)
    ]


def _platform(marks: dict[str, Any], at: datetime, rows: Rows) -> str | None:
    """The platform of the links that carry the marks; without any, the one utm_source names."""
    links = _links(marks, at, rows)
    if not links:
        return PLATFORMS.get(marks.get("utm_source") or "")
    platforms = {link.get("platform") for link in links}
    return platforms.pop() if len(platforms) == 1 else None


def _party(marks: dict[str, Any], at: datetime, rows: Rows) -> Party | None:
    if not marks.get("utm_source"):
        return None
    creators = {link["creator_id"] for link in _links(marks, at, rows)}
    if len(creators) == 1:
        return ("creator", key(creators.pop()))
    if creators:
        return AMBIGUOUS
    channel = CHANNELS.get(marks["utm_source"])
    return ("channel", channel) if channel else None


def _distinct(all_touches: list[Touch]) -> list[Touch]:
    """Without the pages that go on a visit of the same party."""
    kept = []
    seen: dict[Party, datetime] = {}
    for touch in sorted(all_touches, key=lambda touch: (touch.at, touch.key)):
        goes_on = touch.party in seen and touch.at - seen[touch.party] <= timedelta(minutes=30)
        seen[touch.party] = touch.at
        if not (touch.is_visit and goes_on):
            kept.append(touch)
    return kept


def orders(rows: Rows) -> list[Order]:
    """The orders with the owners of their codes."""
    found = []
    last_visits: dict[str, dict[str, Any]] = {}
    for row in rows["order_touches"]:
        known = last_visits.get(row["order_id"])
        if row["touch_role"] == "last" and (
            known is None or instant(row["touch_at"]) > instant(known["touch_at"])
        ):
            last_visits[row["order_id"]] = row
    for row in rows["orders"]:
        if is_left_out(row):
            continue
        at = instant(row["ordered_at"])
        claims = [
            {
                code["creator_id"]
                for code in rows["promo_codes"]
                if code["code"].upper() == text.upper() and _valid(code, at)
            }
            for text in row["discount_codes"]
        ]
        everyone = set().union(*claims) if claims else set()
        code: Party | None = None
        if len(everyone) == 1:
            code = ("creator", key(everyone.pop()))
        elif everyone:
            code = AMBIGUOUS
        visit = last_visits.get(row["order_id"])
        channel = CHANNELS.get(visit.get("utm_source") or "") if visit else None
        net = sales(row) - sum(returned for _, returned in returns(rows, row["order_id"]))
        stand_in: Party = ("channel", channel) if channel else UNATTRIBUTED
        if visit and (_party(visit, instant(visit["touch_at"]), rows) or ("", ""))[0] != "channel":
            stand_in = UNATTRIBUTED
        found.append(
            Order(
                key=key(row["order_id"]),
                person=row["user_id"],
                customer=row["customer_id"],
                at=at,
                code=code,
                currency=row["currency"],
                cents=int(net * 100),
                stand_in=stand_in,
            )
        )
    return found


def sales(row: dict[str, Any]) -> Decimal:
    """What an order sold: gross less discount."""
    return Decimal(row["gross_amount"]) - Decimal(row["discount_amount"])


def returns(rows: Rows, order_id: str) -> list[tuple[datetime, Decimal]]:
    """When goods of an order came back and for how much; all of a refund where it is not told."""
    return [
        (instant(row["refunded_at"]), Decimal(row.get("returned_sales_amount") or row["amount"]))
        for row in rows["refunds"]
        if row["order_id"] == order_id
    ]


def paths(rows: Rows, days: int) -> dict[str, list[Touch]]:
    """The touches in the window of every order."""
    everything = touches(rows)
    return {
        order.key: [
            touch
            for touch in everything.get(order.person, [])
            if order.at - timedelta(days=days) < touch.at <= order.at
        ]
        for order in orders(rows)
    }


def weights(model: str, order: Order, path: list[Touch]) -> dict[Party, Fraction]:
    """What each party earns of an order, in parts of one."""
    if model in {"code", "code_then_last_touch"} and order.code:
        return {order.code: Fraction(1)}
    if model == "code":
        return {UNATTRIBUTED: Fraction(1)}
    if model == "code_then_last_touch":
        creators = [touch for touch in path if touch.party[0] != "channel"]
        others = [touch for touch in path if touch.party != DIRECT]
        if creators:
            return {creators[-1].party: Fraction(1)}
        if others:
            return {others[-1].party: Fraction(1)}
        return {order.stand_in: Fraction(1)}
    if not path:
        return {order.stand_in: Fraction(1)}
    parts = [Fraction(0)] * len(path)
    if model == "first_touch":
        parts[0] = Fraction(1)
    elif model == "last_touch":
        parts[-1] = Fraction(1)
    elif model == "last_non_direct":
        known = [number for number, touch in enumerate(path) if touch.party != DIRECT]
        parts[known[-1] if known else -1] = Fraction(1)
    elif model == "linear":
        parts = [Fraction(1, len(path))] * len(path)
    elif model == "position_based":
        if len(path) == 1:
            parts = [Fraction(1)]
        elif len(path) == 2:
            parts = [Fraction(1, 2)] * 2
        else:
            middle = Fraction(20, 100) / (len(path) - 2)
            parts = [Fraction(2, 5), *[middle] * (len(path) - 2), Fraction(2, 5)]
    elif model == "time_decay":
        ages = [(order.at - touch.at) / timedelta(microseconds=1) for touch in path]
        halves = [Decimal(age) / Decimal(7 * 86_400_000_000) for age in ages]
        raw = [Fraction(Decimal(2) ** -half) for half in halves]
        parts = [part / sum(raw) for part in raw]
    elif model == "shapley":
        return shapley({touch.party for touch in path})
    else:
        raise AssertionError(model)
    found: dict[Party, Fraction] = defaultdict(Fraction)
    for touch, part in zip(path, parts, strict=True):
        found[touch.party] += part
    return {party: part for party, part in found.items() if part}


def shapley(parties: set[Party]) -> dict[Party, Fraction]:
    """By enumerating coalitions: an order is won when all parties of its path are in."""
    count = len(parties)
    found: dict[Party, Fraction] = {}
    for party in parties:
        others = parties - {party}
        value = Fraction(0)
        for size in range(count):
            for coalition in combinations(sorted(others), size):
                gain = int({*coalition, party} >= parties) - int(set(coalition) >= parties)
                chance = Fraction(factorial(size) * factorial(count - size - 1), factorial(count))
                value += gain * chance
        found[party] = value
    return found


def handed_out(parts: dict[Party, Fraction], units: int) -> dict[Party, int]:
    """Whole units by largest remainder, ties by key."""
    exact = {party: part * units for party, part in parts.items()}
    whole = {party: int(value) for party, value in exact.items()}
    ranked = sorted(exact, key=lambda party: (-(exact[party] - whole[party]), party))
    for party in ranked[: units - sum(whole.values())]:
        whole[party] += 1
    return whole


def ledger(rows: Rows, models: list[str], days: list[int]) -> dict[tuple[str, str, int], Any]:
    """(order, model, window) → party → (share in units of 10^-12, cents)."""
    found = {}
    for window in days:
        on_path = paths(rows, window)
        for order in orders(rows):
            for model in models:
                shares = handed_out(weights(model, order, on_path[order.key]), UNITS)
                cents = handed_out(
                    {party: Fraction(units, UNITS) for party, units in shares.items()}, order.cents
                )
                found[order.key, model, window] = {
                    party: (units, cents[party]) for party, units in shares.items()
                }
    return found


def by_journey(
    on_path: list[list[Touch]], effects: dict[str, Fraction], by_channel: bool
) -> dict[str, Fraction]:
    """Orders credited when each is shared inside its own path, in proportion to the effects."""
    found: dict[str, Fraction] = defaultdict(Fraction)
    for path in on_path:
        parties = {state(touch, by_channel) for touch in path}
        whole = sum(effects[party] for party in parties)
        for party in parties:
            found[party] += effects[party] / whole
    return found


def state(touch: Touch, by_channel: bool) -> str:
    """Name of the chain's state: all creators are one when it is by channel."""
    kind, party = touch.party
    return "creator" if by_channel and kind != "channel" else party


def transitions(rows: Rows, days: int, by_channel: bool) -> Counter[tuple[str, str]]:
    """Steps of all journeys: those of the orders, and of touches that led to none."""
    steps: Counter[tuple[str, str]] = Counter()
    everything = touches(rows)

    def walk(journey: list[Touch], end: str) -> None:
        names = ["(start)", *(state(touch, by_channel) for touch in journey), end]
        steps.update(pairwise(names))

    used = set()
    for path in paths(rows, days).values():
        if path:
            walk(path, "(conversion)")
            used |= {touch.key for touch in path}
    for path in everything.values():
        journey: list[Touch] = []
        for touch in path:
            if touch.key in used or (journey and touch.at - journey[-1].at > timedelta(days=days)):
                if journey:
                    walk(journey, "(null)")
                journey = []
            if touch.key not in used:
                journey.append(touch)
        if journey:
            walk(journey, "(null)")
    return steps


def conversion_rate(steps: Counter[tuple[str, str]], without: str | None = None) -> Fraction:
    """Chance to end in a conversion; whoever meets the removed state ends in nothing."""
    states = sorted({a for a, _ in steps} - {without})
    totals = Counter[str]()
    for (a, _), count in steps.items():
        totals[a] += count
    size = len(states)
    rows = []
    for a in states:
        row = [Fraction(int(a == b)) - Fraction(steps[a, b], totals[a]) for b in states]
        rows.append([*row, Fraction(steps[a, "(conversion)"], totals[a])])
    for pivot in range(size):  # Gauss-Jordan with exact fractions
        swap = next(n for n in range(pivot, size) if rows[n][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for other in range(size):
            if other != pivot and rows[other][pivot]:
                factor = rows[other][pivot]
                rows[other] = [
                    a - factor * b for a, b in zip(rows[other], rows[pivot], strict=True)
                ]
    return rows[states.index("(start)")][-1]


def removal_effects(steps: Counter[tuple[str, str]]) -> dict[str, Fraction]:
    """By really removing each state."""
    base = conversion_rate(steps)
    if not base:
        return {}
    states = {a for a, _ in steps} - {"(start)"}
    return {state: 1 - conversion_rate(steps, state) / base for state in states}
