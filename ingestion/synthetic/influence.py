"""Who sees which post, and what that does: clicks, later visits, orders.

A follower sees a sponsored post with some chance, hours after it appeared. Seeing it may bring a
visit by the post's link at once. Seeing it raises the person's visit hazard on the `effect_days`
calendar days after, by a share of the creator's `return_effect` times the person's own hazard;
clicking its link adds the rest of it on the days after the click. So what happens on a day depends
on days before it only. The first exposure to a creator may cause an order, that day or within
three weeks. Processes add up, so the visits that carry a cause are
exactly what would be missing in a world without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ingestion.synthetic.clock import HOUR, MINUTE, SECOND, WEEKDAYS, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Floats, Ints, first_of_each, spread
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.people import Follows, People
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Luck
from ingestion.synthetic.scenario import Scenario

PATH_DAYS = 7
"""So long after an exposure may a visit that would have come anyway take the creator's link."""

ORDER_DAYS = 21
"""A caused order comes on the day of the exposure or on one of the days before this one after."""

SAME_DAY_SHARE = 0.4
_LATER_MEAN_DAYS = 5.0


@dataclass(frozen=True)
class Exposures(Columns):
    """One row per person and post seen, ordered by person and time.

    Attributes:
        row: The person's position in the block.
        seen: When, µs.
        is_first: Whether it is the person's first exposure to the creator.
        clicked: When the link of this post was clicked; none.
    """

    row: Ints
    creator: Ints
    post: Ints
    seen: Ints
    is_first: Bools
    clicked: Ints


class Reach:
    """The sponsored posts of each creator, laid out so that followers meet them all at once."""

    def __init__(self, posts: Posts, creator_count: int) -> None:
        self.posts = posts
        self._sponsored = np.flatnonzero(posts.is_sponsored)
        of = posts.creator[self._sponsored]
        self._from = np.searchsorted(of, np.arange(creator_count), side="left").astype(np.int64)
        to = np.searchsorted(of, np.arange(creator_count), side="right")
        self._count = (to - self._from).astype(np.int64)

    def exposures(
        self, follows: Follows, *, scenario: Scenario, clock: Clock, luck: Luck
    ) -> Exposures:
        """What the followers of a block see."""
        pair, number = spread(self._count[follows.creator])
        is_seen = luck.chance(scenario.see_probability, len(pair))
        pair, number = pair[is_seen], number[is_seen]
        creator = follows.creator[pair]
        post = self._sponsored[self._from[creator] + number]
        delay = np.minimum(5.0 * np.exp(1.2 * luck.normal(len(post))), 72.0)
        seen = self.posts.posted[post] + (delay * HOUR).astype(np.int64) // SECOND * SECOND
        row = follows.row[pair]
        order = np.lexsort((post, seen, row))
        row, creator, post, seen = row[order], creator[order], post[order], seen[order]
        keep = seen < clock.end - HOUR
        row, creator, post, seen = row[keep], creator[keep], post[keep], seen[keep]
        by_pair = np.lexsort((seen, creator, row))
        is_first = np.zeros(len(row), dtype=bool)
        is_first[by_pair] = first_of_each(row[by_pair] * 2**32 + creator[by_pair])
        return Exposures(
            row=row,
            creator=creator,
            post=post,
            seen=seen,
            is_first=is_first,
            clicked=np.full(len(row), NONE, dtype=np.int64),
        )


def last_before(exposures: Exposures, row: Ints, instants: Ints, within: int) -> Ints:
    """For each person and instant the last exposure in the `within` µs before it; none."""
    if not len(exposures):
        return np.full(len(row), NONE, dtype=np.int64)
    # Seconds fit a row and an instant into one sortable number.
    keys = exposures.row * 2**33 + exposures.seen // SECOND
    found = np.searchsorted(keys, row * 2**33 + instants // SECOND, side="left") - 1
    at = np.maximum(found, 0)
    fits = (found >= 0) & (exposures.row[at] == row) & (exposures.seen[at] > instants - within)
    return np.where(fits, at, NONE).astype(np.int64)


def click(
    exposures: Exposures, people: People, *, scenario: Scenario, clock: Clock, luck: Luck
) -> tuple[Exposures, Ints]:
    """Visits a post brings at once: exposures with their click, and the positions that did."""
    chance = np.minimum(scenario.click_probability * people.interest[exposures.row], 0.9)
    does = luck.chance(chance, len(exposures))
    after = (
        exposures.seen
        + 2 * SECOND
        + (luck.exponential(4.0, len(exposures)) * MINUTE).astype(np.int64)
    )
    does &= after < clock.end - HOUR
    clicked = np.where(does, after, exposures.clicked)
    return replace(exposures, clicked=clicked), np.flatnonzero(does)


def mark_paths(exposures: Exposures, taken: Ints, instants: Ints) -> Exposures:
    """Note that visits came by these exposures' links; the first click of an exposure counts."""
    clicked = np.where(exposures.clicked == NONE, 2**62, exposures.clicked)
    np.minimum.at(clicked, taken, instants)
    return replace(exposures, clicked=np.where(clicked == 2**62, NONE, clicked))


def returns(
    exposures: Exposures,
    people: People,
    programme: Programme,
    *,
    scenario: Scenario,
    clock: Clock,
    luck: Luck,
) -> tuple[Ints, Ints]:
    """Visits that exposures add on later days: the exposures behind them, and instants."""
    clicked = np.flatnonzero(exposures.clicked != NONE)
    working = np.concatenate([np.arange(len(exposures), dtype=np.int64), clicked])
    since = clock.day_of(np.concatenate([exposures.seen, exposures.clicked[clicked]]))
    share = scenario.unclicked_effect
    weight = np.where(np.arange(len(working)) < len(exposures), share, 1.0 - share)
    effect = programme.creators.return_effect[exposures.creator[working]] * weight
    busiest = float(WEEKDAYS.max())
    mean = effect * people.hazard[exposures.row[working]] * scenario.effect_days * busiest
    at, _ = spread(luck.poisson(mean, len(working)))
    cause = working[at]
    day = since[at] + 1 + luck.below(scenario.effect_days, len(at))
    # Thinned by how busy the day is, so that the extra hazard has the baseline's rhythm.
    kept = luck.uniform(len(cause)) * busiest < clock.weights[day]
    kept &= day < clock.days
    cause, day = cause[kept], day[kept]
    return cause, clock.at(day, luck, people.owl[exposures.row[cause]])


def caused_orders(
    exposures: Exposures,
    people: People,
    programme: Programme,
    *,
    clock: Clock,
    luck: Luck,
) -> tuple[Ints, Ints]:
    """Orders that first exposures cause: the exposures behind them, and when the visit begins."""
    first = np.flatnonzero(exposures.is_first)
    chance = order_chances(people, programme, exposures.row[first], exposures.creator[first])
    size = len(first)
    happens = luck.chance(chance, size)
    same_day = luck.chance(SAME_DAY_SHARE, size)
    # The draw is cut at three weeks by folding it, so that no order is lost.
    later = 1 + np.floor(luck.exponential(_LATER_MEAN_DAYS, size)).astype(np.int64) % (
        ORDER_DAYS - 1
    )
    soon = (
        exposures.seen[first]
        + 5 * SECOND
        + (luck.exponential(25.0, size) * MINUTE).astype(np.int64)
    )
    day = clock.day_of(exposures.seen[first]) + later
    instants = np.where(same_day, soon, clock.at(day, luck, people.owl[exposures.row[first]]))
    happens &= instants < clock.end - HOUR
    return first[happens], instants[happens]


def order_chances(people: People, programme: Programme, row: Ints, creator: Ints) -> Floats:
    """Chance that a first exposure causes an order; eager buyers are won more easily."""
    relative = people.purchase[row] / np.mean(people.purchase)
    return np.minimum(programme.creators.order_effect[creator] * np.minimum(relative, 3.0), 0.9)
