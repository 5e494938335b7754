"""What platforms report of posts, slowly: metrics by day, and `fct_creator_engagement_daily`.

Clicks are taken as other marts count them: touches, one dict a row.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

from tests.oracle.creators import ZONE, Roster, instant, local_day, newest

Row = dict[str, Any]

PARTS = ("likes", "comments", "shares", "saves")
COUNTS = {"view": "views", "reach": "reach", "like": "likes", "comment": "comments",
          "share": "shares", "save": "saves", "follow": "follows"}  # fmt: skip
SCOPES = ("organic", None, "total")


class Metrics:
    """Post, day and metric → the day's value; an average is no count and has none."""

    def __init__(self, roster: Roster) -> None:
        self.posts = roster.posts
        self.days: dict[str, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        self.zones: dict[str, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._say_differences(roster)
        self._say_days(roster)

    def _say_days(self, roster: Roster) -> None:
        """Where the platform gives days, these and no differences."""
        told: dict[tuple[str, date, str], str] = {}
        for row in newest(roster.rows["post_metrics_daily"],
                          "platform", "post_id", "metric_date", "metric"):  # fmt: skip
            post, day = (
                f"{row['platform']}::{row['post_id']}",
                date.fromisoformat(row["metric_date"]),
            )
            if post in self.posts:
                self.days[post][day][row["metric"]] = row["value"]
                told[post, day, row["metric"]] = row["metric_tz"]
        for post, days in self.days.items():
            for day, values in days.items():
                self.zones[post][day] = {
                    told.get((post, day, metric), ZONE.key) for metric in values
                }

    def _say_differences(self, roster: Roster) -> None:
        """The day's last reading less the last of an earlier day; organic before a total."""
        last: dict[tuple[str, str, str | None], dict[date, tuple[Any, int]]] = defaultdict(dict)
        for row in newest(roster.rows["post_metric_snapshots"],
                          "platform", "post_id", "metric", "observed_at"):  # fmt: skip
            post, seen = f"{row['platform']}::{row['post_id']}", instant(row["observed_at"])
            if post in self.posts and row["metric"] != "avg_watch_s":
                counter = last[post, row["metric"], row.get("scope")]
                day = local_day(seen)
                counter[day] = max(counter.get(day, (seen, row["value"])), (seen, row["value"]))
        for scope in reversed(SCOPES):
            for (post, metric, said), counter in last.items():
                if said != scope:
                    continue
                before = 0
                for day in sorted(counter):
                    self.days[post][day][metric] = counter[day][1] - before
                    before = counter[day][1]

    def at_age(self, post: str, limit: date) -> dict[str, int]:
        """What the post got until the end of a day, metric by metric."""
        found: dict[str, int] = defaultdict(int)
        for day, values in self.days.get(post, {}).items():
            if day <= limit:
                for metric, value in values.items():
                    found[metric] += value
        return dict(found)


def engagements(values: dict[str, int]) -> int | None:
    """The parts that were said; where none was, the platform's own total."""
    told = [values[part] for part in PARTS if part in values]
    return sum(told) if told else values.get("total_interactions")


def daily(roster: Roster, metrics: Metrics, touches: list[Row]) -> dict[Any, Row]:
    """`fct_creator_engagement_daily` by creator, day and platform."""
    clicks: dict[Any, int] = defaultdict(int)
    for touch in touches:
        if touch["creator_key"] is not None and touch["touch_type"] == "link_click":
            where = touch["platform"] or "other"
            clicks[touch["creator_key"], touch["touch_date"], where] += 1
    reported: dict[Any, list[str]] = defaultdict(list)
    for key, post in roster.posts.items():
        for day in metrics.days.get(key, {}):
            reported[post["creator"], day, post["platform"]].append(key)
    replies: dict[Any, int] = defaultdict(int)
    for comment in comments(roster):
        post = roster.posts[comment["post"]]
        cell = post["creator"], local_day(comment["at"]), post["platform"]
        replies[cell] += comment["is_own"]
    return {
        cell: _day(cell, reported[cell], roster, metrics, replies.get(cell), clicks[cell])
        for cell in {*reported, *replies, *clicks}
        if cell[0] is not None
    }


def _day(
    cell: Any, posts: list[str], roster: Roster, metrics: Metrics, replies: int | None, clicks: int
) -> Row:
    creator, day, platform = cell
    zones = set().union(*(metrics.zones[post][day] for post in posts))
    found: Row = {
        "creator_key": creator,
        "activity_date": day,
        "platform": platform,
        "metric_tz": None if not zones else zones.pop() if len(zones) == 1 else "mixed",
        "reply_count": replies,
        "click_count": clicks,
    }
    for name, metric in COUNTS.items():
        told = [values[metric] for post in posts if metric in (values := metrics.days[post][day])]
        found[f"{name}_count"] = sum(told) if told else None
    for kind, wanted in (("", None), ("sponsored_", True), ("organic_", False)):
        mine = [
            post for post in posts if wanted is None or roster.posts[post]["is_sponsored"] == wanted
        ]
        found[f"{kind}post_count"] = len(mine)
        engaged = {post: engagements(metrics.days[post][day]) for post in mine}
        told = [value for value in engaged.values() if value is not None]
        found[f"{kind}engagement_count"] = sum(told) if told else None
        for base in ("follower", "reach", "view"):
            pairs = [
                (engaged[post], whole)
                for post in mine
                if (
                    whole := roster.posts[post]["followers"]
                    if base == "follower"
                    else metrics.days[post][day].get(COUNTS[base])
                )
                is not None
                and engaged[post] is not None
            ]
            rate = f"{kind}engagement_by_{base}"
            part, whole = (sum(pair[side] or 0 for pair in pairs) for side in (0, 1))
            found[f"{rate}_numerator_count"] = part if pairs else None
            found[f"{rate}_denominator_count"] = whole if pairs else None
            found[f"{rate}_ratio"] = part / whole if pairs and whole > 0 else None
    return found


def comments(roster: Roster) -> list[Row]:
    """Comments under known posts, with who wrote them: the creator by word or by handle."""
    found = []
    for row in newest(roster.rows["comments"], "platform", "comment_id"):
        post = f"{row['platform']}::{row['post_id']}"
        if post not in roster.posts:
            continue
        handle = roster.accounts.get(roster.posts[post]["account"] or "", {}).get("handle")
        found.append(
            {
                **row,
                "post": post,
                "creator": roster.posts[post]["creator"],
                "at": instant(row["commented_at"]),
                "is_own": bool(row.get("is_creator"))
                or (handle is not None and row["commenter"].lstrip("@").lower() == handle),
                "is_question": "?" in row["text"],
                "is_ignored": bool(row.get("is_hidden")) or "www." in row["text"],
            }
        )
    return found
