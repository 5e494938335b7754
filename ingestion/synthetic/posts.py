"""Posts and what platforms count on them.

Views follow the followers who are real; engagement per view falls with audience size by the
planted elasticity, and is lower on sponsored posts. Bought followers see and like nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingestion.synthetic.catalogue import Catalogue
from ingestion.synthetic.clock import DAY, SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Floats, Ints, spread
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import Scenario

FORMATS = ("image", "carousel", "reel", "story", "short", "video")
_FORMATS_OF = ((0, 1, 2, 3), (5, 5, 5, 0), (4, 5, 5, 5))
"""Formats of Instagram, TikTok and YouTube, four equally likely ones each."""

SNAPSHOT_AGES = (1, 3, 7, 14, 28)
_AGE_SHARES = np.array([0.55, 0.75, 0.88, 0.95, 1.0])
_ORGANIC_LIFT, _SPONSORED_LIFT = 1.0, 0.8


@dataclass(frozen=True)
class Posts(Columns):
    """One row per post, in the order of creators.

    Attributes:
        account: Position among the accounts.
        has_label: Whether the platform's label says that it is paid.
        tag: Position of a disclosing hashtag; none.
        link: Whether the post has a tracked link of its own.
        followers: Real followers when it was posted.
        views, likes, comments, shares, saves, reach: Lifetime counts after 28 days.
        is_reported: Whether the platform's counts reach the pipeline.
    """

    creator: Ints
    account: Ints
    platform: Ints
    posted: Ints
    format: Ints
    is_sponsored: Bools
    has_label: Bools
    tag: Ints
    campaign: Ints
    has_link: Bools
    followers: Ints
    views: Ints
    likes: Ints
    comments: Ints
    shares: Ints
    saves: Ints
    reach: Ints

    def ids(self) -> Ints:
        """Numbers the platforms know the posts by."""
        return (self.platform + 1) * 10**16 + 79_900_000_000_000 + np.arange(len(self)) * 13


def make(
    scenario: Scenario,
    streams: Streams,
    clock: Clock,
    programme: Programme,
    catalogue: Catalogue,
) -> Posts:
    """All posts of all creators."""
    luck = streams.of("posts")
    creators, accounts = programme.creators, programme.accounts
    counts = luck.poisson(creators.posting * clock.days, len(creators))
    creator, _ = spread(counts)
    size = len(creator)
    posted = clock.at(clock.random_days(luck, size), luck) // SECOND * SECOND
    order = np.lexsort((posted, creator))
    posted = _apart(posted[order], creator)
    keep = posted < clock.end
    creator, posted = creator[keep], posted[keep]
    size = len(creator)
    is_sponsored = luck.chance(scenario.sponsored_share, size) & creators.are_active(
        creator, posted
    )
    second_account = _second_accounts(programme)[creator]
    on_second = luck.chance(0.3, size) & (second_account != NONE)
    account = np.where(on_second, second_account, creator)
    platform = accounts.platform[account]
    day = np.clip(clock.day_of(posted), 0, clock.days - 1)
    total = programme.followers[account, day]
    is_bought = (
        (creators.fraud_day[creator] != NONE) & (day >= creators.fraud_day[creator]) & ~on_second
    )
    real = np.maximum(total - is_bought * creators.bought[creator], 1)
    counted = _counts(scenario, luck, real, is_sponsored)
    campaign = _campaigns(catalogue, posted)
    tells = luck.uniform(size) < creators.disclosure[creator]
    by_label = luck.chance(0.6, size)
    return Posts(
        creator=creator,
        account=account,
        platform=platform,
        posted=posted,
        format=np.array(_FORMATS_OF)[platform, luck.below(4, size)],
        is_sponsored=is_sponsored,
        has_label=is_sponsored & tells & by_label,
        tag=np.where(
            is_sponsored & tells & (~by_label | luck.chance(0.3, size)), luck.below(4, size), NONE
        ),
        campaign=np.where(is_sponsored & luck.chance(0.75, size), campaign, NONE),
        has_link=is_sponsored & luck.chance(0.5, size),
        followers=real,
        **counted,
    )


def _apart(instants: Ints, groups: Ints) -> Ints:
    """No two posts of a creator in the same second."""
    made = instants.copy()
    while True:
        same = np.flatnonzero((made[1:] <= made[:-1]) & (groups[1:] == groups[:-1])) + 1
        if not len(same):
            return made
        made[same] = made[same - 1] + SECOND


def _second_accounts(programme: Programme) -> Ints:
    found = np.full(len(programme.creators), NONE, dtype=np.int64)
    second = np.flatnonzero(~programme.accounts.is_main)
    found[programme.accounts.creator[second]] = second
    return found


def _campaigns(catalogue: Catalogue, posted: Ints) -> Ints:
    starts = catalogue.campaigns.starts
    return np.clip(np.searchsorted(starts, posted, side="right") - 1, 0, len(starts) - 1).astype(
        np.int64
    )


def _counts(
    scenario: Scenario, luck: Luck, followers: Ints, is_sponsored: Bools
) -> dict[str, Ints]:
    size = len(followers)
    lift = np.where(is_sponsored, _SPONSORED_LIFT, _ORGANIC_LIFT)
    views = followers * 0.45 * np.exp(0.5 * luck.normal(size))
    relative = np.power(followers / 1000.0, scenario.engagement_elasticity)
    rate = np.minimum(scenario.engagement_rate * relative * lift, 0.6)
    views_count = luck.poisson(np.maximum(views, 1.0), size)

    def share(of: Floats) -> Ints:
        return luck.poisson(views_count * of, size)

    # Comments are rows of their own, so their number is the world's, not the audience's.
    comments = luck.poisson(
        scenario.comments_per_post * lift * np.power(followers / 1000.0, 0.15), size
    )
    return {
        "views": views_count,
        "likes": share(rate),
        "comments": np.minimum(comments, 40),
        "shares": share(rate * 0.05),
        "saves": share(rate * 0.12),
        "reach": np.rint(views_count * (0.7 + 0.15 * luck.uniform(size))).astype(np.int64),
    }


@dataclass(frozen=True)
class Snapshots(Columns):
    """One row per post, metric and age: the lifetime count as it stood then."""

    post: Ints
    metric: Ints
    value: Ints
    observed: Ints


METRICS = ("views", "likes", "comments", "shares", "reach", "saves")
_NEEDS_TOKEN = ("reach", "saves")


def snapshots(posts: Posts, programme: Programme, clock: Clock) -> Snapshots:
    """Counts at the ages of `SNAPSHOT_AGES`; reach and saves only where a token was granted."""
    has_token = programme.creators.has_token[posts.creator]
    parts = []
    for metric, name in enumerate(METRICS):
        final = getattr(posts, name)
        for age, share in zip(SNAPSHOT_AGES, _AGE_SHARES, strict=True):
            observed = posts.posted + age * DAY
            told = observed < clock.end
            if name in _NEEDS_TOKEN:
                told = told & has_token & (posts.platform != 1)
            rows = np.flatnonzero(told)
            parts.append(
                Snapshots(
                    post=rows,
                    metric=np.full(len(rows), metric, dtype=np.int64),
                    value=np.floor(final[rows] * share).astype(np.int64),
                    observed=observed[rows],
                )
            )
    made = Snapshots.concat(parts)
    made = made.take(np.lexsort((made.metric, made.post, made.observed)))
    withdrawn = _withdrawn(made)
    if withdrawn is not None:
        made.value[withdrawn] = made.value[withdrawn] // 2
    return made


def _withdrawn(made: Snapshots) -> int | None:
    """The one lifetime view count that a platform sets back: the last of the most seen post."""
    rows = np.flatnonzero((made.metric == 0) & (made.value > 1_000))
    if not len(rows):
        return None
    post = made.post[rows[np.argmax(made.value[rows])]]
    return int(rows[made.post[rows] == post][-1])


@dataclass(frozen=True)
class DailyMetrics(Columns):
    """One row per post and day of the vendor; `value` is negative where views were withdrawn."""

    post: Ints
    metric: Ints
    day: Ints
    value: Ints


def daily_metrics(posts: Posts, clock: Clock) -> DailyMetrics:
    """What YouTube tells by day of Los Angeles, for the first 14 days of a post."""
    rows = np.flatnonzero(posts.platform == 2)
    length = 14
    post = np.repeat(rows, length)
    age = np.tile(np.arange(length, dtype=np.int64), len(rows))
    # The vendor's day is nine hours behind, so a post of the morning falls on the day before.
    day = clock.day_of(posts.posted[post] - 9 * 3600 * SECOND) + age
    decay = 0.5**age * 0.5
    parts = []
    for metric, name in enumerate(METRICS[:2]):
        value = np.floor(getattr(posts, name)[post] * decay).astype(np.int64)
        keep = (day < clock.days - 2) & (day >= 0)
        parts.append(
            DailyMetrics(
                post[keep], np.full(int(keep.sum()), metric, dtype=np.int64), day[keep], value[keep]
            )
        )
    made = DailyMetrics.concat(parts)
    views = np.flatnonzero((made.metric == 0) & (made.value == 0))
    if len(views):
        made.value[views[-1]] = -3
    return made
