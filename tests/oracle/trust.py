"""Trust proxies, anomalies, creator activity, code reviews and engagement by tier, slowly.

Every figure is counted from the delivered rows by loops over people, posts and days, as
docs/metrics says it. What other marts own is taken as published: orders, whose they are, default
credit, touches and person-days.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from statistics import mean, median, stdev
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

ZONE = ZoneInfo("Europe/Berlin")
TIERS = (("nano", 0, 1_000), ("micro", 1_000, 10_000), ("mid", 10_000, 100_001))

Row = dict[str, Any]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local_day(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), ZONE).astimezone(UTC)


@dataclass
class Rules:
    """The vars the world was built with."""

    proxies: dict[str, Row]
    peers: int
    refund_days: int
    age_days: int = 7
    reply_hours: int = 48
    return_days: int = 28
    run_posts: int = 10
    repeat_posts: int = 3


@dataclass
class World:
    """What was delivered, and what other marts made of orders and people.

    Creators are named by their key; posts, comments and counters are one dict a row.
    """

    through: date
    rules: Rules
    posts: list[Row] = field(default_factory=list)
    comments: list[Row] = field(default_factory=list)
    counters: list[Row] = field(default_factory=list)
    followers: dict[str, list[tuple[datetime, int]]] = field(default_factory=dict)
    surveys: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    credits: list[Row] = field(default_factory=list)
    touches: list[Row] = field(default_factory=list)
    won: dict[str, str] = field(default_factory=dict)
    visits: set[tuple[str, date]] = field(default_factory=set)
    codes: list[Row] = field(default_factory=list)
    order_touches: list[Row] = field(default_factory=list)

    def post(self, post_id: str) -> Row:
        return next(post for post in self.posts if post["post_id"] == post_id)

    def creators(self) -> list[str]:
        return sorted(
            {post["creator"] for post in self.posts} | {c["creator"] for c in self.credits}
        )


def read(
    deliveries: Iterable[Any], marts: duckdb.DuckDBPyConnection, rules: Rules, through: date
) -> World:
    """Collect the world.

    Args:
        deliveries: Of the small world.
        marts: A connection with `marts` and `intermediate` to read what is not ours from.
        rules: The vars.
        through: Last complete day.
    """
    world = World(through=through, rules=rules)
    rows: dict[str, list[Row]] = defaultdict(list)
    for delivery in deliveries:
        rows[delivery.entity] += delivery.rows

    def key(creator: str | None) -> str | None:
        return None if creator is None else f"drops:small:{creator}"

    for row in rows["posts"]:
        hashtags = {tag.lstrip("#") for tag in row["hashtags"]}
        tells = bool(row["has_paid_label"]) or "ad" in hashtags
        posted = instant(row["posted_at"])
        world.posts.append(
            {
                "post_id": row["post_id"],
                "creator": key(row["platform_user_id"].removeprefix("ig-")),
                "posted": posted,
                "day": local_day(posted),
                "tells": tells,
                "is_sponsored": row["campaign_id"] is not None or tells,
            }
        )
    world.posts.sort(key=lambda post: (post["posted"], post["post_id"]))
    for row in rows["comments"]:
        creator = world.post(row["post_id"])["creator"]
        world.comments.append(
            {
                **row,
                "creator": creator,
                "at": instant(row["commented_at"]),
                "is_own": bool(row.get("is_creator")) or key(row["commenter"]) == creator,
                "is_question": row["text"].endswith("?"),
            }
        )
    for row in rows["post_metric_snapshots"]:
        world.counters.append({**row, "at": instant(row["observed_at"])})
    for row in rows["creator_follower_snapshots"]:
        creator = key(row["platform_user_id"].removeprefix("ig-"))
        assert creator is not None
        counted = (instant(row["observed_at"]), row["follower_count"])
        world.followers.setdefault(creator, []).append(counted)
    for counts in world.followers.values():
        counts.sort()
    for row in rows["survey_responses"]:
        world.surveys.append(
            {**row, "creator": key(row["creator_id"]), "at": instant(row["asked_at"])}
        )
    for row in rows["order_touches"]:
        world.order_touches.append({**row, "at": instant(row["touch_at"])})
    # Of the versions of one code from one moment on, the newest says whose it is.
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted(rows["promo_codes"], key=lambda row: str(row.get("updated_at", ""))):
        newest[row["code"].upper(), row["valid_from"]] = row
    for (code, start), row in newest.items():
        end = row.get("valid_to")
        world.codes.append(
            {
                "code": code,
                "creator": key(row["creator_id"]),
                "from": instant(start),
                "to": instant(end) if end else None,
            }
        )
    listed = {row["order_id"]: row["discount_codes"] for row in rows["orders"]}
    for row in _table(marts, "select * from marts_db.marts.fct_orders"):
        codes = {code.upper() for code in listed[row["order_key"].split(":")[-1]]}
        world.orders.append({**row, "ordered_at": utc(row["ordered_at"]), "codes": sorted(codes)})
    for row in _table(
        marts, "select * from marts_db.marts.fct_attribution_credits where is_default"
    ):
        if row["creator_key"] is not None:
            world.credits.append({**row, "creator": row["creator_key"]})
    for row in _table(
        marts, "select * from intermediate.int_creator_touches__unioned where is_click"
    ):
        world.touches.append({**row, "at": utc(row["touch_at"])})
    for row in _table(marts, "select * from marts_db.marts.dim_customers"):
        if str(row["acquiring_creator_key"]).startswith("drops:"):
            world.won[row["person_key"]] = row["acquiring_creator_key"]
    for row in _table(marts, "select person_key, activity_date from "
                      "intermediate.int_person_days__aggregated"):  # fmt: skip
        world.visits.add((row["person_key"], row["activity_date"]))
    return world


def _table(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


# -- followers and tiers ----------------------------------------------------------------------


def followers_at(world: World, creator: str, moment: datetime) -> int | None:
    known = [count for seen, count in world.followers.get(creator, []) if seen <= moment]
    return known[-1] if known else None


def tier_at(world: World, creator: str, moment: datetime) -> str:
    count = followers_at(world, creator, moment)
    if count is None:
        return "unknown"
    return next((name for name, least, below in TIERS if least <= count < below), "macro")


# -- what is counted, and on which day it is known ------------------------------------------


@dataclass(frozen=True)
class Fact:
    """One post, comment, order or answer, counted."""

    measure: str
    creator: str
    known: date
    about: datetime
    numerator: float
    denominator: float


def counter_at_age(world: World, post: Row, metric: str) -> int | None:
    """The last value read on or before the day the post comes of age."""
    limit = post["day"] + timedelta(days=world.rules.age_days)
    told = [
        (row["at"], row["value"])
        for row in world.counters
        if row["post_id"] == post["post_id"]
        and row["metric"] == metric
        and local_day(row["at"]) <= limit
    ]
    return max(told)[1] if told else None


def facts(world: World) -> list[Fact]:
    found = [*_post_facts(world), *_comment_facts(world), *_order_facts(world)]
    return [fact for fact in found if fact.known <= world.through]


def _post_facts(world: World) -> Iterable[Fact]:
    for post in world.posts:
        known = post["day"] + timedelta(days=world.rules.age_days)
        value = {name: counter_at_age(world, post, name) for name in
                 ("views", "reach", "likes", "comments", "shares", "saves")}  # fmt: skip
        told = [value[name] for name in ("likes", "comments", "shares", "saves")]
        engaged = None if all(one is None for one in told) else sum(one or 0 for one in told)
        audience = followers_at(world, post["creator"], post["posted"])
        side = "sponsored_engagement" if post["is_sponsored"] else "organic_engagement"
        for measure, part, whole in (
            ("engagement_by_follower", engaged, audience),
            ("engagement_by_reach", engaged, value["reach"]),
            ("engagement_by_view", engaged, value["views"]),
            (side, engaged, audience),
            ("save_rate", value["saves"], value["reach"]),
            ("share_rate", value["shares"], value["reach"]),
        ):
            if part is not None and whole:
                yield Fact(measure, post["creator"], known, post["posted"], part, whole)
        if post["is_sponsored"]:
            yield Fact("disclosure_rate", post["creator"], post["day"], post["posted"],
                       float(post["tells"]), 1)  # fmt: skip


def _comment_facts(world: World) -> Iterable[Fact]:
    wait = timedelta(hours=world.rules.reply_hours)
    for comment in world.comments:
        if comment["is_own"]:
            continue
        replies = [
            reply["at"]
            for reply in world.comments
            if reply.get("parent_comment_id") == comment["comment_id"]
            and reply["is_own"]
            and comment["at"] <= reply["at"]
        ]
        answered = bool(replies) and min(replies) <= comment["at"] + wait
        posted = world.post(comment["post_id"])["posted"]
        known = local_day(comment["at"] + wait)
        for measure in ("reply_rate", *(["question_reply_rate"] if comment["is_question"] else [])):
            yield Fact(measure, comment["creator"], known, posted, float(answered), 1)


def _order_facts(world: World) -> Iterable[Fact]:
    rules = world.rules
    for order in world.orders:
        creator = world.won.get(order["person_key"])
        if creator is None or order["cancelled_at"] is not None:
            continue
        if order["customer_order_number"] > 1:
            yield Fact("full_price_rate", creator, order["order_date"], order["ordered_at"],
                       float(order["discount_amount"] == 0), 1)  # fmt: skip
            continue
        until = order["order_date"] + timedelta(days=rules.return_days)
        came_back = any(
            person == order["person_key"] and order["order_date"] < day <= until
            for person, day in world.visits
        )
        at_discount = any(
            other["person_key"] == order["person_key"]
            and other["ordered_at"] > order["ordered_at"]
            and other["order_date"] <= until
            and other["discount_amount"] > 0
            and other["cancelled_at"] is None
            for other in world.orders
        )
        yield Fact("undiscounted_return_rate", creator, until, order["ordered_at"],
                   float(came_back and not at_discount), 1)  # fmt: skip
    by_key = {order["order_key"]: order for order in world.orders}
    for credit in world.credits:
        order = by_key[credit["order_key"]]
        until = order["order_date"] + timedelta(days=rules.refund_days)
        refunded = order["first_refunded_on_date"]
        yield Fact("refund_rate", credit["creator"], until, order["ordered_at"],
                   float(refunded is not None and refunded <= until), 1)  # fmt: skip
        for answer in world.surveys:
            if f"drops:small:{answer['order_id']}" == order["order_key"]:
                yield Fact("survey_named_rate", credit["creator"], local_day(answer["at"]),
                           order["ordered_at"], float(answer["creator"] == credit["creator"]),
                           1)  # fmt: skip


def repeat_commenters(world: World, creator: str, as_of: date) -> tuple[int, int] | None:
    """Of the last ten posts that are of age: commenters on three or more, and all."""
    rules = world.rules
    aged = timedelta(days=rules.age_days)
    posts = [post for post in world.posts if post["creator"] == creator]
    window = timedelta(days=rules.proxies["repeat_commenter_rate"]["window_days"])
    while len(posts) >= rules.run_posts:
        last = posts[-1]["day"] + aged
        if as_of - window < last <= as_of:
            run = posts[-rules.run_posts :]
            seen: dict[str, set[str]] = defaultdict(set)
            for comment in world.comments:
                if (
                    not comment["is_own"]
                    and any(comment["post_id"] == post["post_id"] for post in run)
                    and local_day(comment["at"]) <= last
                ):
                    seen[comment["commenter"]].add(comment["post_id"])
            if seen:
                often = [who for who, where in seen.items() if len(where) >= rules.repeat_posts]
                return len(often), len(seen)
        posts.pop()
    return None


# -- fct_creator_trust_weekly ------------------------------------------------------------------


def weeks(world: World, first: date) -> list[tuple[date, date]]:
    """Monday and last complete day of every week."""
    start = first - timedelta(days=first.weekday())
    found = []
    while start <= world.through:
        found.append((start, min(start + timedelta(days=6), world.through)))
        start += timedelta(days=7)
    return found


@dataclass(frozen=True)
class Proxy:
    """One proxy of a creator's week."""

    numerator: float
    denominator: float
    raw: float | None


def proxies(world: World, first: date) -> dict[tuple[str, date, str], Proxy]:
    counted = facts(world)
    found: dict[tuple[str, date, str], Proxy] = {}
    for monday, as_of in weeks(world, first):
        for creator in world.creators():
            for name, rule in world.rules.proxies.items():
                proxy = _proxy(world, counted, creator, as_of, name, rule)
                if proxy is not None:
                    found[creator, monday, name] = proxy
    return found


def _proxy(
    world: World, counted: list[Fact], creator: str, as_of: date, name: str, rule: Row
) -> Proxy | None:
    since = as_of - timedelta(days=rule["window_days"])

    def of(measure: str) -> list[Fact]:
        return [
            fact
            for fact in counted
            if fact.measure == measure and fact.creator == creator and since < fact.known <= as_of
        ]

    if name == "repeat_commenter_rate":
        told = repeat_commenters(world, creator, as_of)
        if told is None:
            return None
        enough = told[1] >= rule["minimum_count"]
        return Proxy(*told, told[0] / told[1] if enough else None)
    if name == "sponsored_organic_ratio":
        sides = [of("sponsored_engagement"), of("organic_engagement")]
        if not all(sides):
            return None
        rates = [sum(f.numerator for f in s) / sum(f.denominator for f in s) for s in sides]
        enough = min(len(side) for side in sides) >= rule["minimum_unit_count"] and rates[1] > 0
        return Proxy(*rates, rates[0] / rates[1] if enough else None)
    mine = of(name)
    if not mine:
        return None
    part, whole = sum(fact.numerator for fact in mine), sum(fact.denominator for fact in mine)
    enough = whole >= rule["minimum_count"] and len(mine) >= rule["minimum_unit_count"]
    return Proxy(part, whole, part / whole if enough else None)


def z_scores(
    world: World, found: dict[tuple[str, date, str], Proxy], as_of: dict[date, date]
) -> dict[tuple[str, date, str], float]:
    groups: dict[tuple[date, str, str], dict[str, float]] = defaultdict(dict)
    for (creator, monday, name), proxy in found.items():
        if proxy.raw is not None:
            tier = tier_at(world, creator, end_of(as_of[monday]))
            groups[monday, name, tier][creator] = round(proxy.raw, 5)
    scores = {}
    for (monday, name, _), values in groups.items():
        if len(values) >= world.rules.peers and len(set(values.values())) > 1:
            centre, spread = mean(values.values()), stdev(values.values())
            for creator, value in values.items():
                scores[creator, monday, name] = (value - centre) / spread
    return scores


def growth(world: World, creator: str, monday: date, as_of: date, rule: Row) -> Row:
    """Days judged, highest unexplained z score, and unexplained days with their followers."""
    last: dict[date, int] = {}
    for seen, count in world.followers.get(creator, []):
        last[local_day(seen)] = count
    deltas = {
        day: count - last[day - timedelta(days=1)]
        for day, count in last.items()
        if day - timedelta(days=1) in last
    }
    posted = {post["day"] for post in world.posts if post["creator"] == creator}
    judged, scores, jumps = 0, [], []
    for day in sorted(deltas):
        if not monday <= day <= as_of:
            continue
        before = [
            delta
            for other, delta in deltas.items()
            if day - timedelta(days=rule["baseline_days"]) <= other < day
        ]
        if len(before) < rule["minimum_days"]:
            continue
        judged += 1
        middle = median(before)
        spread = max(1.4826 * median(abs(delta - middle) for delta in before), 1)
        if any(day - timedelta(days=back) in posted for back in range(rule["post_days"] + 1)):
            continue
        score = (deltas[day] - middle) / spread
        scores.append(score)
        if score >= rule["z_limit"] and deltas[day] >= rule["minimum_followers"]:
            jumps.append(deltas[day])
    if not judged:
        return {"days": None, "z": None, "jumps": None, "followers": None}
    return {
        "days": judged,
        "z": max(scores) if scores else None,
        "jumps": len(jumps),
        "followers": sum(jumps) if jumps else None,
    }


def comment_signs(world: World, creator: str, as_of: date, rule: Row) -> Row:
    """Copies and bursts on the posts of 28 days."""
    since = as_of - timedelta(days=28)
    copies = long = busiest = burst = 0
    for post in world.posts:
        if post["creator"] != creator or not since < post["day"] <= as_of:
            continue
        said = [
            comment
            for comment in world.comments
            if comment["post_id"] == post["post_id"]
            and not comment["is_own"]
            and local_day(comment["at"]) <= as_of
        ]
        for comment in said:
            if len(comment["text"]) >= rule["minimum_characters"]:
                long += 1
                copies += any(
                    other["text"] == comment["text"] and other["commenter"] != comment["commenter"]
                    for other in said
                )
        if len(said) >= rule["burst_minimum"]:
            hours: dict[int, int] = defaultdict(int)
            for comment in said:
                hours[math.floor((comment["at"] - post["posted"]).total_seconds() / 3600)] += 1
            burst += len(said)
            busiest += max(hours.values())
    return {
        "copies": copies if long else None,
        "long": long or None,
        "busiest": busiest if burst else None,
        "burst": burst or None,
    }


# -- fct_creator_activity_weekly -----------------------------------------------------------------


def activity(world: World, creator: str, first: date) -> list[Row]:
    """Weeks of a creator since the first, by calendar."""
    posted = {post["day"] for post in world.posts if post["creator"] == creator}
    sold = defaultdict(list)
    by_key = {order["order_key"]: order for order in world.orders}
    for credit in world.credits:
        if credit["creator"] == creator:
            sold[by_key[credit["order_key"]]["order_date"]].append(credit["credit_amount"])
    found: list[Row] = []
    for monday, as_of in weeks(world, first):
        days = [monday + timedelta(days=n) for n in range(7) if monday + timedelta(days=n) <= as_of]
        posts = sum(post["creator"] == creator and post["day"] in days for post in world.posts)
        was = [week["posts"] > 0 for week in found]
        if posts:
            state = "new" if not any(was) else "returning" if was[-1] else "resurrecting"
        else:
            state = "dormant" if was and was[-1] else "inactive"
        recent = [*(week["posts"] > 0 for week in found[-7:]), posts > 0]
        found.append(
            {
                "monday": monday,
                "posts": posts,
                "state": state,
                "active_of_8": sum(recent),
                "known_of_8": len(recent),
                "orders": sum(len(sold[day]) for day in days),
                "sales": sum((sum(sold[day]) for day in days), start=0),
                "posted": any(day in posted for day in days),
            }
        )
    return found


# -- fct_code_integrity_weekly -------------------------------------------------------------------


def code_uses(world: World, coupon_hosts: set[str]) -> list[Row]:
    uses = []
    for order in world.orders:
        for code in order["codes"]:
            owners = {
                row["creator"]
                for row in world.codes
                if row["code"] == code
                and row["from"] <= order["ordered_at"]
                and (row["to"] is None or order["ordered_at"] < row["to"])
            }
            if not any(row["code"] == code for row in world.codes):
                continue
            owner = owners.pop() if len(owners) == 1 else None
            clicks = [
                touch
                for touch in world.touches
                if touch["person_key"] == order["person_key"]
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
                        for post in world.posts
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


# -- fct_tier_engagement -----------------------------------------------------------------------


def tier_engagement(world: World) -> dict[tuple[str, str], tuple[int, float, float]]:
    """Tier and month (or `all`) → creators, engagements, followers; posts that are of age."""
    found: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in facts(world):
        if fact.measure == "engagement_by_follower":
            tier = tier_at(world, fact.creator, fact.about)
            for period in (local_day(fact.about).strftime("%Y-%m"), "all"):
                found[tier, period].append(fact)
    return {
        cell: (
            len({fact.creator for fact in mine}),
            sum(fact.numerator for fact in mine),
            sum(fact.denominator for fact in mine),
        )
        for cell, mine in found.items()
    }
