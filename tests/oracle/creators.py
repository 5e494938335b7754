"""Creators, their accounts, followers, tiers and posts, slowly: from the delivered rows by loops.

For `dim_creators`, `dim_creator_tiers` and `dim_posts`, and for every oracle that asks who somebody
is or how large. Creators have our key; accounts and posts are `<platform>::<id>`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.pseudonyms import Pseudonyms
from tests.conftest import KEY

ZONE = ZoneInfo("Europe/Berlin")
LEADING = "setae"
SCHEMES = {
    "setae": (("nano", 0), ("micro", 1_000), ("mid", 10_000), ("macro", 100_001)),
    "industry": (
        *(("below_nano", 0), ("nano", 1_000), ("micro", 10_000), ("mid", 50_000)),
        *(("macro", 500_000), ("mega", 1_000_001)),
    ),
}
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
STALE = timedelta(days=7)
TICK = timedelta(microseconds=1)
DISCLOSING = {"ad", "ads", "advertisement", "sponsored", "paidpartnership", "werbung", "anzeige",
              "reklame", "publicidad", "publicite"}  # fmt: skip
NAMING = ("creator_accounts", "promo_codes", "tracked_links", "posts", "activity_events",
          "campaign_exposures", "creator_costs", "affiliate_conversions",
          "survey_responses")  # fmt: skip

Row = dict[str, Any]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def local_day(moment: datetime) -> date:
    return moment.astimezone(ZONE).date()


def naive(moment: datetime | None) -> datetime | None:
    """As the marts write it."""
    return None if moment is None else moment.astimezone(UTC).replace(tzinfo=None)


def utc(moment: datetime) -> datetime:
    """As the marts mean it."""
    return moment.replace(tzinfo=UTC)


def ours(kind: str | None) -> str | None:
    """Our key of one of the world's own ids."""
    return None if kind is None else f"drops:small:{kind}"


def newest(rows: Iterable[Row], *key: str) -> list[Row]:
    """Of several versions the one changed last, then the one of the higher revision."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        name = tuple(row[one] for one in key)
        if name not in found or _version(found[name]) < _version(row):
            found[name] = row
    return list(found.values())


def _version(row: Row) -> tuple[datetime, int]:
    changed = row.get("updated_at")
    return instant(changed) if changed else BEGINNING, row.get("revision", 0)


def tier_of(count: int | None, scheme: str) -> str:
    if count is None:
        return "unknown"
    return [name for name, least in SCHEMES[scheme] if count >= least][-1]


class Roster:
    """What was delivered about creators.

    Args:
        deliveries: Of the world; only the newest version of each record counts.
    """

    def __init__(self, deliveries: Iterable[Any]) -> None:
        rows: dict[str, list[Row]] = defaultdict(list)
        for delivery in deliveries:
            rows[delivery.entity] += delivery.rows
        self.rows = rows
        self._pseudonyms = Pseudonyms(KEY)
        self.accounts: dict[str, Row] = {}
        for row in newest(rows["creator_accounts"], "platform", "platform_user_id"):
            account = f"{row['platform']}::{row['platform_user_id']}"
            handle = row.get("handle")
            self.accounts[account] = {
                "platform": row["platform"],
                "creator": ours(row.get("creator_id")),
                "handle": handle.lstrip("@").lower() if handle else None,
            }
        self.counts: dict[str, list[tuple[datetime, int, str]]] = defaultdict(list)
        for row in newest(rows["creator_follower_snapshots"],
                          "platform", "platform_user_id", "observed_at"):  # fmt: skip
            count, is_exact = row["follower_count"], row["follower_precision"] == "exact"
            if count is None:
                low, high = row.get("follower_count_low"), row.get("follower_count_high")
                count = low if high is None else (low + high) // 2
            if count is not None:
                seen = (instant(row["observed_at"]), count, "exact" if is_exact else "rounded")
                self.counts[f"{row['platform']}::{row['platform_user_id']}"].append(seen)
        for counts in self.counts.values():
            counts.sort()
        self.posts = self._posts()

    def pseudonym(self, kind: str, scope: str, value: str | None) -> str | None:
        return None if value is None else self._pseudonyms.make(kind, scope, value)

    # -- followers and tiers ------------------------------------------------------------------

    def followers(self, account: str | None, moment: datetime) -> tuple[int | None, str]:
        """Count and how well it is known; fresh for a week, its last instant included."""
        known = [one for one in self.counts.get(account or "", []) if one[0] <= moment]
        if not known:
            return None, "unknown"
        seen, count, source = known[-1]
        return count, source if moment - seen <= STALE else "stale"

    def accounts_of(self, creator: str, platform: str = "all") -> list[str]:
        return sorted(
            account
            for account, row in self.accounts.items()
            if row["creator"] == creator and platform in ("all", row["platform"])
        )

    def speaker(
        self, creator: str, platform: str, moment: datetime, scheme: str = LEADING
    ) -> tuple[str, str, int | None]:
        """Tier, how well it is known and the count of whoever speaks for the creator.

        The account in the highest tier; of several the one that had more followers when it entered
        the tier (or came to be known as well as it is), then the first by key.
        """
        best: tuple[int, int] = (-1, -1)
        found: tuple[str, str, int | None] = ("unknown", "unknown", None)
        order = [name for name, _ in SCHEMES[scheme]]
        for account in self.accounts_of(creator, platform):
            tier, source, entered = self._range(account, moment, scheme)
            if entered is not None and (order.index(tier), entered) > best:
                best = order.index(tier), entered
                found = tier, source, entered
        return found

    def _moments(self, account: str) -> set[datetime]:
        """When something may change: a count is read, or it grows stale."""
        seen = {moment for moment, _, _ in self.counts.get(account, [])}
        return {BEGINNING} | seen | {moment + STALE + TICK for moment in seen}

    def _range(self, account: str, moment: datetime, scheme: str) -> tuple[str, str, int | None]:
        """An account's tier, its source, and the count when both began to hold."""
        found: tuple[str, str, int | None] = ("unknown", "unknown", None)
        for begins in sorted(self._moments(account)):
            if begins <= moment:
                count, source = self.followers(account, begins)
                tier = tier_of(count, scheme)
                if (tier, source) != found[:2]:
                    found = tier, source, count
        return found

    def tier_at(
        self, creator: str, moment: datetime, platform: str = "all", scheme: str = LEADING
    ) -> str:
        return self.speaker(creator, platform, moment, scheme)[0]

    def main_platform(self, creator: str, moment: datetime) -> str:
        """Of the largest account; without a count the first by name."""
        found, most = "unknown", -2
        for account in self.accounts_of(creator):
            count, _ = self.followers(account, moment)
            if (-1 if count is None else count) > most:
                found = self.accounts[account]["platform"]
                most = -1 if count is None else count
        return found

    def tiers(self) -> dict[tuple[Any, ...], Row]:
        """`dim_creator_tiers` by creator, platform, scheme and beginning."""
        found: dict[tuple[Any, ...], Row] = {}
        for creator in self.creators():
            platforms = {self.accounts[one]["platform"] for one in self.accounts_of(creator)}
            for platform in ("all", *sorted(platforms)):
                moments = {BEGINNING}.union(
                    *(self._moments(account) for account in self.accounts_of(creator, platform))
                )
                for scheme in SCHEMES:
                    ranges: list[Row] = []
                    for moment in sorted(moments):
                        tier, source, count = self.speaker(creator, platform, moment, scheme)
                        if ranges and (tier, source) == (
                            ranges[-1]["tier"],
                            ranges[-1]["tier_source"],
                        ):
                            continue
                        if ranges:
                            ranges[-1] |= {"valid_to_at": naive(moment), "is_current": False}
                        ranges.append(
                            {
                                "creator_key": creator,
                                "platform": platform,
                                "tier_scheme": scheme,
                                "tier": tier,
                                "tier_source": source,
                                "is_leading_scheme": scheme == LEADING,
                                "is_current": True,
                                "follower_count": count,
                                "valid_from_at": naive(moment),
                                "valid_to_at": None,
                            }
                        )
                    for one in ranges:
                        found[creator, platform, scheme, one["valid_from_at"]] = one
        return found

    # -- creators -----------------------------------------------------------------------------

    def creators(self) -> list[str]:
        """Everybody whom a roster lists or any other record names."""
        named = {row.get("creator_id") for entity in NAMING for row in self._versions(entity)}
        named |= {row["creator_id"] for row in self.rows["creators"]}
        return sorted(str(ours(name)) for name in named - {None})

    def _versions(self, entity: str) -> list[Row]:
        """The newest versions of records that may name a creator."""
        keys = {
            "creator_accounts": ("platform", "platform_user_id"),
            "promo_codes": ("code", "valid_from"),
            "tracked_links": ("link_id",),
            "posts": ("platform", "post_id"),
            "creator_costs": ("cost_id",),
            "survey_responses": ("response_id",),
        }
        return newest(self.rows[entity], *keys[entity]) if entity in keys else self.rows[entity]

    def dim_creators(
        self, activity: dict[str, list[datetime]], customers: set[str]
    ) -> dict[Any, Row]:
        """`dim_creators` by key.

        Args:
            activity: Moments of touches and of orders with the creator's code.
            customers: Keys of the customers that exist.
        """
        listed = {str(ours(row["creator_id"])): row for row in
                  newest(self.rows["creators"], "creator_id")}  # fmt: skip
        found: dict[Any, Row] = {}
        for creator in self.creators():
            row = listed.get(creator, {})
            posts = [post for post in self.posts.values() if post["creator"] == creator]
            moments = sorted([*(post["posted"] for post in posts), *activity.get(creator, [])])
            accounts = self.accounts_of(creator)
            last = [self.counts[one][-1][1] for one in accounts if self.counts.get(one)]
            tiers = {scheme: self.tier_at(creator, datetime.max.replace(tzinfo=UTC), scheme=scheme)
                     for scheme in sorted(SCHEMES)}  # fmt: skip
            buyer = self.pseudonym("customer", "drops:small", row.get("customer_id"))
            buys = ours(buyer) in customers
            basis = row.get("consent_basis", "legit_interest")
            found[creator,] = {
                "creator_key": creator,
                "customer_key": ours(buyer) if buys else None,
                "creator_pid": self.pseudonym("handle", row.get("platform", ""), row.get("handle")),
                "source": "drops",
                "display_handle": None
                if basis == "legit_interest"
                else row.get("display_handle", "").lstrip("@") or None,
                "niche": row.get("niche"),
                "status": row.get("status", "prospect"),
                "consent_basis": basis,
                "platforms": ",".join(sorted({self.accounts[one]["platform"] for one in accounts}))
                or None,
                "current_tier_scheme": LEADING,
                "current_tier": tiers[LEADING],
                "current_tiers": "{"
                + ",".join(f'"{scheme}":"{tier}"' for scheme, tier in tiers.items())
                + "}",
                "is_member": False,
                "is_only_named": creator not in listed,
                "is_customer_creator": buys,
                "is_deleted": False,
                "account_count": len(accounts),
                "post_count": len(posts),
                "follower_count": max(last, default=None),
                "agreed_commission_rate": row.get("agreed_commission_rate"),
                "joined_at": _moment(row.get("program_joined_at")),
                "left_at": _moment(row.get("program_left_at")),
                "first_activity_at": naive(moments[0]) if moments else None,
                "last_activity_at": naive(moments[-1]) if moments else None,
            }
        for member in ("unattributed", "ambiguous"):
            found[member,] = {
                **dict.fromkeys(next(iter(found.values()))),
                "creator_key": member,
                "source": "setae",
                "status": "member",
                "current_tier_scheme": LEADING,
                "current_tier": "unknown",
                "is_member": True,
                "is_only_named": False,
                "is_customer_creator": False,
                "is_deleted": False,
                "account_count": 0,
                "post_count": 0,
            }
        return found

    # -- posts --------------------------------------------------------------------------------

    def _posts(self) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for row in newest(self.rows["posts"], "platform", "post_id"):
            named, number = ours(row.get("creator_id")), row.get("platform_user_id")
            account = f"{row['platform']}::{number}" if number else None
            creator = named or self.accounts.get(account or "", {}).get("creator")
            if account is None and named is not None:
                mine = self.accounts_of(named, row["platform"])
                account = mine[0] if len(mine) == 1 else None
            tags = {tag.lstrip("#").lower() for tag in row.get("hashtags") or []}
            tells = bool(row.get("has_paid_label")) or bool(tags & DISCLOSING)
            posted = instant(row["posted_at"])
            found[f"{row['platform']}::{row['post_id']}"] = {
                **row,
                "creator": creator,
                "account": account,
                "posted": posted,
                "day": local_day(posted),
                "tells": tells,
                "is_sponsored": row.get("campaign_id") is not None or tells,
                "followers": self.followers(account, posted)[0],
            }
        return dict(sorted(found.items(), key=lambda item: (item[1]["posted"], item[0])))

    def dim_posts(self) -> dict[Any, Row]:
        """`dim_posts` by key."""
        found: dict[Any, Row] = {}
        for key, post in self.posts.items():
            creator, caption = post["creator"], post.get("caption")
            tier, source = "unknown", "unknown"
            if creator is not None:
                # A creator without an account on the platform is there what she is as a whole.
                scope = post["platform"] if self.accounts_of(creator, post["platform"]) else "all"
                tier, source, _ = self.speaker(creator, scope, post["posted"])
            found[key,] = {
                "post_key": key,
                "creator_key": creator,
                "creator_account_key": post["account"],
                "campaign_key": ours(post.get("campaign_id")),
                "posted_date": post["day"],
                "source": "drops",
                "platform": post["platform"],
                "format": post["format"],
                "unavailable_reason": post.get("unavailable_reason"),
                "tier_scheme": LEADING,
                "tier": tier,
                "tier_source": source,
                "is_sponsored": post["is_sponsored"],
                "has_disclosure": post["tells"],
                "is_available": post.get("is_available", True),
                "is_deleted": False,
                "caption_character_count": len(caption) if caption else None,
                "follower_count": post["followers"],
                "duration_seconds": post.get("duration_s"),
                "posted_at": naive(post["posted"]),
            }
        return found


def _moment(text: str | None) -> datetime | None:
    return naive(instant(text)) if text else None
