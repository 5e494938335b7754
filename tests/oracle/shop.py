"""What the delivered files of a shop say, once read: newest versions, people, codes, channels.

Written from docs/sources, docs/metrics, docs/adr and the descriptions of the models, with plain
loops over the rows of `tests.worlds.purchases`. Times are aware, money is Decimal.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.pseudonyms import Pseudonyms

Row = dict[str, Any]

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
Touch = tuple[datetime, str, str, str | None]
"""Moment, key, creator (or `ambiguous`) and campaign of a click."""

PAST = datetime(1970, 1, 1, tzinfo=UTC)
FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
UNATTRIBUTED, AMBIGUOUS = "unattributed", "ambiguous"

KEYS = {
    "orders": ("order_id",),
    "order_lines": ("order_id", "line_id"),
    "order_touches": ("order_id", "touch_role", "touch_at"),
    "order_discount_codes": ("order_id", "code"),
    "refunds": ("refund_id",),
    "refund_lines": ("refund_id", "order_id", "line_id"),
    "customers": ("customer_id",),
    "identity_links": ("left_type", "left_id", "right_type", "right_id", "link_type"),
    "campaigns": ("campaign_id",),
    "campaign_exposures": ("campaign_id", "customer_id", "anonymous_id", "email", "exposed_at"),
    "promo_codes": ("code", "valid_from"),
    "promo_code_products": ("code", "product_id"),
    "code_redemptions": ("redemption_id",),
    "products": ("product_id",),
    "creators": ("creator_id",),
    "creator_accounts": ("platform", "platform_user_id"),
    "creator_follower_snapshots": ("platform", "platform_user_id", "observed_at"),
    "creator_costs": ("cost_id",),
    "fx_rates_daily": ("currency", "rate_date", "reporting_currency"),
    "tracked_links": ("link_id",),
    "link_clicks": ("click_id",),
    "activity_events": ("event_id",),
    "posts": ("platform", "post_id"),
}
"""The fields that say which record a row is a version of."""


@dataclass(frozen=True)
class Rules:
    """The settings a result depends on."""

    account: str
    master: bytes
    timezone: str
    through: date
    today: date
    week_start: str = "monday"
    reporting_currency: str = ""
    default_currency: str = "EUR"
    maturity_days: int = 60
    staleness_days: int = 7
    window_days: int = 30
    ages_days: tuple[int, ...] = (30, 60, 90, 365)

    def day(self, at: datetime) -> date:
        """The business day of an instant."""
        return at.astimezone(ZoneInfo(self.timezone)).date()


def instant(text: str) -> datetime:
    """A delivered time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def seed(name: str) -> list[dict[str, str]]:
    """The rows of a seed: settings, not results."""
    with (SEEDS / f"{name}.csv").open() as lines:
        return list(csv.DictReader(lines))


def code_of(text: str) -> str:
    """A code in the form in which codes are compared."""
    return text.strip().upper()


def newest(rows: Iterable[tuple[str, Row]]) -> dict[str, list[Row]]:
    """Entity → one row a record: the latest `updated_at` wins, then the highest `revision`."""
    best: dict[str, dict[tuple[Any, ...], tuple[Any, Row]]] = {entity: {} for entity in KEYS}
    for entity, row in rows:
        values = []
        for field in KEYS[entity]:
            value = row.get(field)
            if field == "code" and value is not None:
                value = code_of(value)
            if field.endswith(("_at", "_from")) and value is not None:
                value = instant(value)
            values.append(value)
        updated = instant(row["updated_at"]) if row.get("updated_at") else PAST
        rank = (updated, row.get("revision", -1))
        known = best[entity].get(tuple(values))
        if known is None or rank > known[0]:
            best[entity][tuple(values)] = (rank, row)
    return {entity: [row for _, row in found.values()] for entity, found in best.items()}


@dataclass(frozen=True)
class Span:
    """A range of a code."""

    key: str
    code: str
    creator: str | None
    campaign: str | None
    start: datetime
    end: datetime | None
    validity: str
    row: Row

    def holds(self, at: datetime) -> bool:
        """Whether the range holds at a moment: its start is in, its end is out."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True)
class OrderCode:
    """A code on an order."""

    code: str
    step: str
    strength: int
    spans: tuple[Span, ...]

    @property
    def owners(self) -> set[str]:
        """Those who own it at the moment of the order."""
        return {span.creator for span in self.spans if span.creator is not None}


class Shop:
    """The delivered rows, with what the definitions make of them."""

    def __init__(self, rows: Iterable[tuple[str, Row]], rules: Rules) -> None:
        self.rules = rules
        self.rows = newest(rows)
        self._pseudonyms = Pseudonyms(rules.master)
        self._channels = {row["channel_key"] for row in seed("channels")}
        self._channel_rules = sorted(
            seed("channel_rules"), key=lambda rule: int(rule["rule_order"])
        )
        self.orders = {row["order_id"]: row for row in self.rows["orders"]}
        # What belongs to an order that has not come waits for it.
        for entity in ("order_lines", "order_touches", "order_discount_codes", "refunds"):
            self.rows[entity] = [one for one in self.rows[entity] if one["order_id"] in self.orders]
        refunds = {row["refund_id"] for row in self.rows["refunds"]}
        self.rows["refund_lines"] = [
            one for one in self.rows["refund_lines"] if one["refund_id"] in refunds
        ]
        self._find_people()
        self.spans = self._spans()
        self._lines: dict[str, list[Row]] = defaultdict(list)
        for line in self.rows["order_lines"]:
            self._lines[line["order_id"]].append(line)
        self._uses = self._redemptions()
        self.touches = self._creator_touches()

    # -- keys ---------------------------------------------------------------------------------

    def key(self, *parts: Any) -> str:
        """Our key of a record of the account."""
        return ":".join(("drops", self.rules.account, *map(str, parts)))

    def keyed(self, row: Row, field: str) -> str | None:
        """Our key of what a row names, None where it names nothing."""
        return self.key(row[field]) if row.get(field) is not None else None

    def pid(self, kind: str, value: str) -> str:
        """The pseudonym of an id."""
        classes = {"visitor": "device"}
        scope = "" if kind == "email" else f"drops:{self.rules.account}"
        found = self._pseudonyms.make(classes.get(kind, kind), scope, value)
        assert found is not None
        return found

    def customer_key(self, row: Row) -> str | None:
        """Our key of the customer a row names."""
        name = row.get("customer_id")
        return None if name is None else self.key(self.pid("customer", name))

    # -- people -------------------------------------------------------------------------------

    def identity(self, kind: str, row: Row, field: str | None = None) -> str | None:
        """An identity a row names: its kind and pseudonym."""
        names = {
            "customer": "customer_id",
            "user": "user_id",
            "email": "email",
            "visitor": "anonymous_id",
        }
        value = row.get(field or names[kind])
        return None if value is None else f"{kind}:{self.pid(kind, value)}"

    def _find_people(self) -> None:
        self._seen: dict[str, datetime] = {}
        links: list[tuple[str, str]] = []
        self._sign_ins: dict[str, list[tuple[datetime, str]]] = defaultdict(list)

        def see(identity: str | None, at: datetime | None) -> None:
            if identity is not None:
                known = self._seen.get(identity, FUTURE)
                self._seen[identity] = min(known, at or FUTURE)

        def link(one: str | None, other: str | None, at: datetime | None) -> None:
            if one is None or other is None or one == other:
                return
            if one.startswith("visitor:"):
                one, other = other, one
            see(one, at)
            see(other, at)
            if not other.startswith("visitor:"):
                links.append((one, other))
            elif at is not None:
                self._sign_ins[other].append((at, one))

        for row in self.rows["identity_links"]:
            if row.get("is_revoked") or row.get("confidence") == "probable":
                continue
            sides = [
                self.identity(row[f"{side}_type"], row, f"{side}_id") for side in ("left", "right")
            ]
            link(sides[0], sides[1], instant(row["first_seen_at"]))
            if row.get("last_seen_at"):
                link(sides[0], sides[1], instant(row["last_seen_at"]))
        for row in self.rows["customers"]:
            at = instant(row["created_at"]) if row.get("created_at") else None
            for kind in ("customer", "email", "user"):
                see(self.identity(kind, row), at)
            link(self.identity("customer", row), self.identity("email", row), at)
            link(self.identity("customer", row), self.identity("user", row), at)
        for row in self.rows["orders"]:
            at = instant(row["ordered_at"])
            found = [self.identity(kind, row) for kind in ("customer", "user", "email")]
            device = self.identity("visitor", row)
            for identity in (*found, device):
                see(identity, at)
            if row.get("is_test"):  # a test links nobody
                continue
            known = [identity for identity in found if identity is not None]
            for identity in known[1:]:
                link(known[0], identity, at)
            if known:
                link(known[0], device, at)
        for entity, time in (("activity_events", "occurred_at"), ("link_clicks", "clicked_at")):
            for row in self.rows[entity]:
                user, device = self.identity("user", row), self.identity("visitor", row)
                see(user, instant(row[time]))
                see(device, instant(row[time]))
                if not row.get("is_bot"):
                    link(user, device, instant(row[time]))
        for row in self.rows["campaign_exposures"]:
            for kind in ("customer", "visitor", "email"):
                see(self.identity(kind, row), instant(row["exposed_at"]))
        for row in self.rows["code_redemptions"]:
            see(self.identity("customer", row), None)
        self._person = self._merged(links)

    def _merged(self, links: list[tuple[str, str]]) -> dict[str, str]:
        """Identity → the oldest member of its group, devices left out."""
        group = {one: {one} for one in self._seen if not one.startswith("visitor:")}
        for one, other in links:
            union = group[one] | group[other]
            for member in union:
                group[member] = union
        return {
            one: min(members, key=lambda member: (self._seen[member], member))
            for one, members in group.items()
        }

    def person(self, identity: str, at: datetime) -> str:
        """Who is behind an identity at a moment."""
        if not identity.startswith("visitor:"):
            return self._person[identity]
        signs = sorted(self._sign_ins.get(identity, []))
        if not signs:
            return identity
        before = [one for when, one in signs if when <= at]
        return self._person[before[-1] if before else signs[0][1]]

    def buyer(self, order: Row) -> str:
        """The person who bought; who names nobody is a stranger, each a person of its own."""
        for kind in ("customer", "user", "email", "visitor"):
            identity = self.identity(kind, order)
            if identity is not None:
                return self.person(identity, instant(order["ordered_at"]))
        return f"order:{self.key(order['order_id'])}"

    # -- codes --------------------------------------------------------------------------------

    def _spans(self) -> list[Span]:
        campaigns = {row["campaign_id"]: row for row in self.rows["campaigns"]}
        found = []
        for row in self.rows["promo_codes"]:
            code, start = code_of(row["code"]), instant(row["valid_from"])
            campaign = campaigns.get(row.get("campaign_id"), {})
            campaign_end = instant(campaign["ends_at"]) if campaign.get("ends_at") else None
            starts = [
                instant(other["valid_from"])
                for other in self.rows["promo_codes"]
                if code_of(other["code"]) == code and instant(other["valid_from"]) > start
            ]
            ends = [end for end in (min(starts, default=None), campaign_end) if end is not None]
            end, validity = min(ends, default=None), "open"
            if row.get("valid_to"):
                end, validity = instant(row["valid_to"]), "code"
            elif end is not None and end == campaign_end:
                validity = "campaign"
            stamp = start.replace(tzinfo=None).isoformat(sep=" ")
            found.append(
                Span(
                    self.key(code, stamp),
                    code,
                    self.keyed(row, "creator_id"),
                    self.keyed(row, "campaign_id"),
                    start,
                    end,
                    validity,
                    row,
                )
            )
        return found

    def _redemptions(self) -> dict[str, list[tuple[str, str]]]:
        """Order → code and step of the redemptions that were found to be of it."""
        products: dict[str, set[str]] = defaultdict(set)
        for row in self.rows["promo_code_products"]:
            products[code_of(row["code"])].add(row["product_id"])
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in self.rows["code_redemptions"]:
            code, named = code_of(row["code"]), row.get("order_id")
            if named is not None:
                if named in self.orders:
                    found[named].append((code, "order_id"))
                continue
            day = date.fromisoformat(row["redeemed_on"])
            candidates = []
            for order in self.orders.values():
                if order.get("customer_id") is None or order.get("is_test"):
                    continue
                at = instant(order["ordered_at"])
                if order["customer_id"] == row.get("customer_id") and self.rules.day(at) == day:
                    lines = [
                        line
                        for line in self._lines[order["order_id"]]
                        if line.get("product_id") in products[code]
                    ]
                    kinds = len({line["product_id"] for line in lines})
                    worth = sum(Decimal(line["net_amount"]) for line in lines)
                    rank = (-kinds, -worth, at, self.key(order["order_id"]))
                    candidates.append((rank, order["order_id"]))
            if not candidates:
                continue
            rank, best = min(candidates)
            if rank[0] < 0:
                found[best].append((code, "product_match"))
            elif len(candidates) == 1:
                found[best].append((code, "only_order_of_day"))
        return found

    def codes(self, order: Row) -> list[OrderCode]:
        """The codes on an order, each once by its strongest mention; the deciding one first."""
        strength = {"stated": 2, "order_id": 3, "product_match": 4, "only_order_of_day": 5}
        mentions: dict[str, tuple[int, str]] = {}

        def mention(code: str, step: str, rank: int) -> None:
            mentions[code] = min(mentions.get(code, (9, "")), (rank, step))

        for text in order.get("discount_codes") or []:
            mention(code_of(text), "stated", 2)
        for row in self.rows["order_discount_codes"]:
            if row["order_id"] == order["order_id"]:
                mention(code_of(row["code"]), "stated", 1)
        for code, step in self._uses[order["order_id"]]:
            mention(code, step, strength[step])
        at = instant(order["ordered_at"])
        found = []
        for code, (rank, step) in mentions.items():
            spans = tuple(span for span in self.spans if span.code == code and span.holds(at))
            found.append(OrderCode(code, step, rank, spans))
        return sorted(found, key=lambda one: (not one.owners, one.strength, one.code))

    def code_owner(self, order: Row) -> str | None:
        """The creator whose codes the order carries, `ambiguous` with two, None without."""
        owners = set().union(*(code.owners for code in self.codes(order)))
        if len(owners) > 1:
            return AMBIGUOUS
        return next(iter(owners), None)

    # -- channels -----------------------------------------------------------------------------

    def marked(self, marks: Row, at: datetime) -> set[str]:
        """The creators whose links carry these marks at a moment."""
        names = [f"utm_{part}" for part in ("source", "medium", "campaign", "content", "term")]
        return {
            self.key(link["creator_id"])
            for link in self.rows["tracked_links"]
            if link.get("utm_campaign")
            and all((link.get(name) or "") == (marks.get(name) or "") for name in names)
            and instant(link["valid_from"]) <= at
            and (not link.get("valid_to") or at < instant(link["valid_to"]))
        }

    def channel(self, order: Row) -> str:
        """The first that is known: stated; a creator's marks; the marks of the last visit."""
        stated = (order.get("channel") or "").lower()
        if stated in self._channels:
            return stated
        visits = [
            (instant(row["touch_at"]), row)
            for row in self.rows["order_touches"]
            if row["order_id"] == order["order_id"]
            and row["touch_role"] in {"last", "moment"}
            and row.get("is_journey_ready", True)
        ]
        if not visits:
            for row in self.rows["activity_events"]:
                if row.get("order_id") == order["order_id"]:
                    marks = {f"utm_{name}": value for name, value in row["utm"].items()}
                    marks |= {"channel": row["channel"]} if row.get("channel") else {}
                    if marks:
                        visits.append((instant(row["occurred_at"]), marks))
        if not visits:
            return "unknown"
        at, marks = max(visits, key=lambda visit: visit[0])
        if self.marked(marks, at):
            return "creator"
        return self._classified(marks)

    def _classified(self, marks: Row) -> str:
        """What the rules of the seed say, the first that fits."""
        fields = {
            "utm_source_pattern": "utm_source",
            "utm_medium_pattern": "utm_medium",
            "utm_campaign_pattern": "utm_campaign",
            "referrer_host_pattern": "referrer_host",
        }
        if marks.get("channel"):
            return str(marks["channel"]).lower().replace(" ", "_")
        if not any(marks.get(field) for field in fields.values()):
            return "direct"
        for rule in self._channel_rules:
            if all(
                not rule[pattern] or re.search(rule[pattern], marks.get(field) or "")
                for pattern, field in fields.items()
            ):
                return rule["channel_key"]
        return "unknown"

    # -- credit -------------------------------------------------------------------------------

    def _creator_touches(self) -> dict[str, list[Touch]]:
        """Person → the clicks that count."""
        links = {row["link_id"]: row for row in self.rows["tracked_links"]}
        found: dict[str, list[Touch]] = defaultdict(list)
        previous: dict[tuple[str, str], datetime] = {}
        for row in sorted(
            self.rows["link_clicks"],
            key=lambda row: (instant(row["clicked_at"]), self.key(row["click_id"])),
        ):
            at, link = instant(row["clicked_at"]), links[row["link_id"]]
            device = (row["link_id"], row["anonymous_id"])
            repeats = device in previous and at - previous[device] <= timedelta(seconds=30)
            previous[device] = at
            ended = link.get("valid_to") and at >= instant(link["valid_to"])
            if repeats or row.get("is_bot") or ended or at < instant(link["valid_from"]):
                continue
            identity = self.identity("visitor", row)
            assert identity is not None
            found[self.person(identity, at)].append(
                (
                    at,
                    f"click:{self.key(row['click_id'])}",
                    self.key(link["creator_id"]),
                    self.keyed(link, "campaign_id"),
                )
            )
        for row in self.rows["order_touches"]:
            order, at = self.orders[row["order_id"]], instant(row["touch_at"])
            creators = self.marked(row, at)
            if not creators or order.get("is_test") or not row.get("is_journey_ready", True):
                continue
            stamp = at.replace(tzinfo=None).isoformat(sep=" ")
            name = f"visit:{self.key(row['order_id'])}:{row['touch_role']}:{stamp}"
            party = creators.pop() if len(creators) == 1 else AMBIGUOUS
            campaigns = {
                self.keyed(link, "campaign_id")
                for link in self.rows["tracked_links"]
                if link.get("utm_campaign") == row["utm_campaign"] and link.get("campaign_id")
            }
            campaign = campaigns.pop() if len(campaigns) == 1 else None
            found[self.buyer(order)].append((at, name, party, campaign))
        return found

    def acquirer(self, order: Row) -> tuple[str, datetime]:
        """Whom the default model credits: a code wins, else the last creator click in the window.

        Returns:
            Creator, `ambiguous` or `unattributed`, and when the credit was earned.
        """
        at = instant(order["ordered_at"])
        owner = self.code_owner(order)
        if owner is not None:
            return owner, at
        window = timedelta(days=self.rules.window_days)
        on_path = [
            touch
            for touch in self.touches.get(self.buyer(order), [])
            if at - window < touch[0] <= at
        ]
        if not on_path:
            return UNATTRIBUTED, at
        last = max(on_path, key=lambda touch: touch[:2])
        return last[2], last[0]
