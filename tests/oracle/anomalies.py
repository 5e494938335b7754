"""What is out of the ordinary with a creator's followers and comments, slowly, a week at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, timedelta
from statistics import median
from typing import Any

from tests.oracle.creators import local_day
from tests.oracle.trust import World

Row = dict[str, Any]


def growth(world: World, creator: str, monday: date, as_of: date, rule: Row) -> Row:
    """Days judged, highest unexplained z score, and unexplained days with their followers."""
    judged, scores, jumps = 0, [], []
    posted = {post["day"] for post in world.posts_of(creator)}
    for account in world.roster.accounts_of(creator):
        last: dict[date, int] = {}
        for seen, count, source in world.roster.counts.get(account, []):
            if source == "exact":
                last[local_day(seen)] = count
        deltas = {
            day: count - last[day - timedelta(days=1)]
            for day, count in last.items()
            if day - timedelta(days=1) in last
        }
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
    for post in world.posts_of(creator):
        if not since < post["day"] <= as_of:
            continue
        said = [
            comment
            for comment in world.comments
            if comment["post"] == post["key"]
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
