"""Trust proxies, slowly: what is counted, on which day it is known, and creators' weeks of it.

Every figure is counted from the delivered rows by loops over people, posts and days, as
docs/metrics says it. What other marts own is taken as published: orders, whose they are, default
credit, touches and person-days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import mean, stdev
from typing import Any

import duckdb

from tests.oracle.activity import weeks
from tests.oracle.creators import ZONE, Roster, instant, local_day, newest, ours, utc
from tests.oracle.engagement import Metrics, comments, engagements

Row = dict[str, Any]


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), ZONE)


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
    """What was delivered, and what other marts made of orders and people; one dict a row.

    Creators are named by their key.
    """

    through: date
    rules: Rules
    roster: Roster
    metrics: Metrics
    comments: list[Row] = field(default_factory=list)
    surveys: list[Row] = field(default_factory=list)
    orders: dict[str, Row] = field(default_factory=dict)
    credits: list[Row] = field(default_factory=list)
    touches: list[Row] = field(default_factory=list)
    won: dict[str, str] = field(default_factory=dict)
    customers: set[str] = field(default_factory=set)
    visits: set[tuple[str, date]] = field(default_factory=set)
    codes: list[Row] = field(default_factory=list)
    order_touches: list[Row] = field(default_factory=list)

    def posts_of(self, creator: str, platform: str = "all") -> list[Row]:
        """In the order in which they went up."""
        return [
            {**post, "key": key}
            for key, post in self.roster.posts.items()
            if post["creator"] == creator and platform in ("all", post["platform"])
        ]


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
    roster = Roster(deliveries)
    rows = roster.rows
    world = World(through, rules, roster, Metrics(roster), comments(roster))
    for row in newest(rows["survey_responses"], "response_id"):
        world.surveys.append(
            {**row, "creator": ours(row["creator_id"]), "at": instant(row["asked_at"])}
        )
    for row in rows["order_touches"]:
        world.order_touches.append({**row, "at": instant(row["touch_at"])})
    # Of the versions of one code from one moment on, the newest says whose it is.
    codes = [{**row, "code": row["code"].upper()} for row in rows["promo_codes"]]
    for row in newest(codes, "code", "valid_from"):
        end = row.get("valid_to")
        world.codes.append(
            {
                "code": row["code"],
                "creator": ours(row["creator_id"]),
                "from": instant(row["valid_from"]),
                "to": instant(end) if end else None,
            }
        )
    listed = {ours(row["order_id"]): row["discount_codes"] for row in rows["orders"]}
    for row in _table(marts, "select * from marts_db.marts.fct_orders"):
        world.orders[row["order_key"]] = {
            **row,
            "ordered_at": utc(row["ordered_at"]),
            "codes": sorted({code.upper() for code in listed[row["order_key"]]}),
        }
    for row in _table(
        marts, "select * from marts_db.marts.fct_attribution_credits where is_default"
    ):
        if row["creator_key"] is not None:
            world.credits.append(row)
    for row in _table(marts, "select * from intermediate.int_creator_touches__unioned"):
        world.touches.append({**row, "at": utc(row["touch_at"])})
    for row in _table(marts, "select * from marts_db.marts.dim_customers"):
        world.customers.add(row["customer_key"])
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


def owners(world: World, code: str, moment: datetime) -> set[str | None]:
    """Whose the code was then."""
    return {
        row["creator"]
        for row in world.codes
        if row["code"] == code
        and row["from"] <= moment
        and (row["to"] is None or moment < row["to"])
    }


# -- what is counted, and on which day it is known ------------------------------------------


@dataclass(frozen=True)
class Fact:
    """One post, comment, order or answer, counted; or ten posts in a row.

    Attributes:
        units: Posts, comments, orders or customers it is of.
        is_last: Of the runs of one day, the last.
        is_disjoint: Shares no post with another fact of its measure.
    """

    measure: str
    creator: str
    platform: str
    known: date
    about: datetime
    numerator: float
    denominator: float
    units: int = 1
    is_last: bool = True
    is_disjoint: bool = True


def facts(world: World) -> list[Fact]:
    found = [
        *_post_facts(world),
        *_comment_facts(world),
        *_run_facts(world),
        *_order_facts(world),
    ]
    return [fact for fact in found if fact.known <= world.through]


def _post_facts(world: World) -> Iterable[Fact]:
    linked = {
        f"{row.get('platform')}::{row['post_id']}"
        for row in newest(world.roster.rows["tracked_links"], "link_id")
        if row.get("post_id")
    }
    for key, post in world.roster.posts.items():
        creator, platform = post["creator"], post["platform"]
        if creator is None:
            continue
        known = post["day"] + timedelta(days=world.rules.age_days)
        value = world.metrics.at_age(key, known)
        engaged = engagements(value)
        side = "sponsored_engagement" if post["is_sponsored"] else "organic_engagement"
        for measure, part, whole in (
            ("engagement_by_follower", engaged, post["followers"]),
            ("engagement_by_reach", engaged, value.get("reach")),
            ("engagement_by_view", engaged, value.get("views")),
            (side, engaged, post["followers"]),
            ("save_rate", value.get("saves"), value.get("reach")),
            ("share_rate", value.get("shares"), value.get("reach")),
        ):
            if part is not None and whole is not None and whole > 0:
                yield Fact(measure, creator, platform, known, post["posted"], part, whole)
        if post["is_sponsored"] or key in linked:
            yield Fact("disclosure_rate", creator, platform, post["day"], post["posted"],
                       float(post["tells"]), 1)  # fmt: skip


def _comment_facts(world: World) -> Iterable[Fact]:
    wait = timedelta(hours=world.rules.reply_hours)
    for comment in world.comments:
        if comment["is_own"] or comment["is_ignored"] or comment["creator"] is None:
            continue
        replies = [
            reply["at"]
            for reply in world.comments
            if reply.get("parent_comment_id") == comment["comment_id"]
            and reply["platform"] == comment["platform"]
            and reply["is_own"]
            and comment["at"] <= reply["at"]
        ]
        answered = bool(replies) and min(replies) <= comment["at"] + wait
        posted = world.roster.posts[comment["post"]]["posted"]
        known = local_day(comment["at"] + wait)
        for measure in ("reply_rate", *(["question_reply_rate"] if comment["is_question"] else [])):
            yield Fact(measure, comment["creator"], comment["platform"], known, posted,
                       float(answered), 1)  # fmt: skip


def _run_facts(world: World) -> Iterable[Fact]:
    """Of ten posts in a row on a platform: commenters on three or more, and all."""
    rules = world.rules
    size = rules.run_posts
    for creator in world.roster.creators():
        for platform in {post["platform"] for post in world.posts_of(creator)}:
            posts = world.posts_of(creator, platform)
            for end in range(size, len(posts) + 1):
                run = {post["key"] for post in posts[end - size : end]}
                known = posts[end - 1]["day"] + timedelta(days=rules.age_days)
                seen: dict[str, set[str]] = defaultdict(set)
                for comment in world.comments:
                    if (
                        comment["post"] in run
                        and not comment["is_own"]
                        and not comment["is_ignored"]
                        and local_day(comment["at"]) <= known
                    ):
                        seen[comment["commenter"].lstrip("@").lower()].add(comment["post"])
                often = [who for who, where in seen.items() if len(where) >= rules.repeat_posts]
                last = end == len(posts) or posts[end]["day"] != posts[end - 1]["day"]
                if seen:
                    yield Fact("repeat_commenter_rate", creator, platform, known,
                               posts[end - 1]["posted"], len(often), len(seen), units=size,
                               is_last=last, is_disjoint=end % size == 0)  # fmt: skip


def _order_facts(world: World) -> Iterable[Fact]:
    rules = world.rules
    orders = world.orders.values()
    for order in orders:
        creator = world.won.get(order["person_key"])
        if creator is None or order["cancelled_at"] is not None:
            continue
        if order["customer_order_number"] > 1:
            yield Fact("full_price_rate", creator, "all", order["order_date"], order["ordered_at"],
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
            for other in orders
        )
        yield Fact("undiscounted_return_rate", creator, "all", until, order["ordered_at"],
                   float(came_back and not at_discount), 1)  # fmt: skip
    for credit in world.credits:
        order = world.orders[credit["order_key"]]
        until = order["order_date"] + timedelta(days=rules.refund_days)
        refunded = order["first_refunded_on_date"]
        yield Fact("refund_rate", credit["creator_key"], "all", until, order["ordered_at"],
                   float(refunded is not None and refunded <= until), 1)  # fmt: skip
        for answer in world.surveys:
            if f"drops:small:{answer['order_id']}" == order["order_key"]:
                yield Fact("survey_named_rate", credit["creator_key"], "all",
                           local_day(answer["at"]), order["ordered_at"],
                           float(answer["creator"] == credit["creator_key"]), 1)  # fmt: skip


# -- fct_creator_trust_weekly ------------------------------------------------------------------


@dataclass(frozen=True)
class Proxy:
    """One proxy of a creator's week."""

    numerator: float
    denominator: float
    raw: float | None


def proxies(world: World, first: date) -> dict[tuple[str, date, str], Proxy]:
    """Creator, Monday and proxy → the proxy."""
    counted = facts(world)
    found: dict[tuple[str, date, str], Proxy] = {}
    for monday, as_of in weeks(first, world.through):
        for creator in world.roster.creators():
            mine = [fact for fact in counted if fact.creator == creator]
            for name, rule in world.rules.proxies.items():
                proxy = _proxy(mine, as_of, name, rule)
                if proxy is not None:
                    found[creator, monday, name] = proxy
    return found


def _proxy(counted: list[Fact], as_of: date, name: str, rule: Row) -> Proxy | None:
    since = as_of - timedelta(days=rule["window_days"])

    def of(measure: str) -> list[Fact]:
        return [fact for fact in counted if fact.measure == measure and since < fact.known <= as_of]

    if name == "sponsored_organic_ratio":
        sides = [of("sponsored_engagement"), of("organic_engagement")]
        if not all(sides):
            return None
        rates = [sum(f.numerator for f in s) / sum(f.denominator for f in s) for s in sides]
        enough = min(len(side) for side in sides) >= rule["minimum_unit_count"] and rates[1] > 0
        return Proxy(*rates, rates[0] / rates[1] if enough else None)
    mine = of(name)
    if name == "repeat_commenter_rate":
        # Runs overlap: of each platform only the latest counts.
        mine = [
            one
            for one in mine
            if one.is_last
            and one.known == max(run.known for run in mine if run.platform == one.platform)
        ]
    if not mine:
        return None
    part, whole = sum(fact.numerator for fact in mine), sum(fact.denominator for fact in mine)
    units = sum(fact.units for fact in mine)
    enough = whole >= rule["minimum_count"] and units >= rule["minimum_unit_count"]
    return Proxy(part, whole, part / whole if enough else None)


def z_scores(
    world: World, found: dict[tuple[str, date, str], Proxy], as_of: dict[date, date]
) -> dict[tuple[str, date, str], float]:
    groups: dict[tuple[date, str, str, str], dict[str, float]] = defaultdict(dict)
    for (creator, monday, name), proxy in found.items():
        if proxy.raw is not None:
            moment = end_of(as_of[monday])
            tier = world.roster.tier_at(creator, moment)
            platform = world.roster.main_platform(creator, moment)
            groups[monday, name, platform, tier][creator] = round(proxy.raw, 5)
    scores = {}
    for (monday, name, _, _), values in groups.items():
        if len(values) >= world.rules.peers and len(set(values.values())) > 1:
            centre, spread = mean(values.values()), stdev(values.values())
            for creator, value in values.items():
                scores[creator, monday, name] = (value - centre) / spread
    return scores
