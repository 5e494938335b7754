"""What the small world's creators publish, and what is said under it.

Posts with counters at three ages, comments with answers, questions and copies, daily follower
counts with one jump, and answers to the survey. Like the rest of the small world it is made for
properties and for the oracle, not for expected numbers.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

Rows = dict[str, list[dict[str, Any]]]

TEXTS = (
    "Where did you get these?",
    "Does the code still work?",
    "I ordered it and I like it",
    "Such a lovely colour on you",
    "Not for me, sorry",
    "Wow",
)
POST_DAYS = 45.0


def rows(
    start: datetime, creators: Sequence[str], orders: Sequence[dict[str, Any]], seed: int
) -> Rows:
    """Entity → rows, in the order in which they happened."""
    luck = random.Random(seed)
    made: Rows = {
        "posts": [],
        "post_metric_snapshots": [],
        "comments": [],
        "creator_follower_snapshots": [],
        "survey_responses": [],
    }

    def at(day: float) -> str:
        return (start + timedelta(days=day)).isoformat(timespec="seconds")

    for creator in creators[:4]:
        days = sorted(luck.uniform(0, POST_DAYS) for _ in range(14))
        if creator == creators[3]:
            days = [day for day in days if not 12 <= day < 30]  # was silent, and came back
        for number, day in enumerate(days):
            post = f"{creator}-{number}"
            is_sponsored = luck.random() < 0.5
            tells = luck.random() < 0.7
            made["posts"].append(
                {
                    "platform": "instagram",
                    "post_id": post,
                    "platform_user_id": f"ig-{creator}",
                    "posted_at": at(day),
                    "format": luck.choice(["reel", "image"]),
                    "campaign_id": "spring" if is_sponsored else None,
                    "has_paid_label": is_sponsored and tells,
                    "hashtags": ["#ad"] if is_sponsored and tells and luck.random() < 0.3 else [],
                }
            )
            made["post_metric_snapshots"] += _counters(post, day, luck, at)
            made["comments"] += _comments(post, creator, day, luck, at)
    for day in range(40):
        followers = 5_000 + 3 * day + (400 if day >= 30 else 0) + luck.randint(0, 2)
        made["creator_follower_snapshots"].append(
            {
                "platform": "instagram",
                "platform_user_id": "ig-c2",
                "observed_at": at(day + 0.9),
                "follower_count": followers,
                "follower_precision": "exact",
                "method": "profile",
            }
        )
    for order in orders:
        if luck.random() < 0.6:
            named = luck.choice([*creators[:3], None])
            asked = datetime.fromisoformat(order["ordered_at"]) + timedelta(minutes=5)
            made["survey_responses"].append(
                {
                    "response_id": f"s-{order['order_id']}",
                    "order_id": order["order_id"],
                    "asked_at": asked.isoformat(timespec="seconds"),
                    "answer": f"saw it at @{named}" if named else "do not remember",
                    "creator_id": named,
                    "is_unmatched": named is None,
                }
            )
    return made


def _counters(post: str, day: float, luck: random.Random, at: Any) -> list[dict[str, Any]]:
    """Lifetime counters at ages of 1, 7 and 10 days; some posts have no reach, some no saves."""
    final = {
        "views": luck.randint(300, 2_000),
        "reach": luck.randint(200, 1_200),
        "likes": luck.randint(5, 150),
        "comments": luck.randint(0, 12),
        "shares": luck.randint(0, 20),
        "saves": luck.randint(0, 30),
    }
    if luck.random() < 0.3:
        del final["reach"]
    if luck.random() < 0.3:
        del final["saves"]
    return [
        {
            "platform": "instagram",
            "post_id": post,
            "metric": metric,
            "value": int(value * share),
            "observed_at": at(day + age),
        }
        for age, share in ((1, 0.5), (7, 0.9), (10, 1.0))
        for metric, value in final.items()
    ]


def _comments(
    post: str, creator: str, day: float, luck: random.Random, at: Any
) -> list[dict[str, Any]]:
    """Comments of fans and of other creators; the creator answers some, in time or too late."""
    made: list[dict[str, Any]] = []
    fans = [f"fan{number}" for number in range(9)] + ["c0", "c1", "c2"]
    for number in range(luck.randint(0, 7)):
        moment = day + luck.choice([0.01, 0.02, 0.5, 3.0]) + number / 1000
        comment = f"{post}-{number}"
        made.append(
            {
                "platform": "instagram",
                "comment_id": comment,
                "post_id": post,
                "commented_at": at(moment),
                "commenter": luck.choice([fan for fan in fans if fan != creator]),
                "text": luck.choice(TEXTS),
            }
        )
        if luck.random() < 0.4:
            # Who wrote it shows by the handle; half of the feed's rows say it as well.
            made.append(
                {
                    "platform": "instagram",
                    "comment_id": f"{comment}-r",
                    "post_id": post,
                    "parent_comment_id": comment,
                    "commented_at": at(moment + luck.choice([0.1, 2.0, 2.1])),
                    "commenter": creator,
                    "text": "Thank you so much",
                    **({"is_creator": True} if luck.random() < 0.5 else {}),
                }
            )
    return made
