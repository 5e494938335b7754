"""Visits: those that happen anyway, and those that creators add; how each arrives, and on what.

Baseline visits are a Poisson process with the person's hazard and the rhythm of days and hours;
some take a creator's link although they would have come without it. Added are visits by a link just
seen, later returns, and the visits of caused orders.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ingestion.synthetic import influence
from ingestion.synthetic.clock import DAY, HOUR, SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Floats, Ints
from ingestion.synthetic.creators import FOREVER, Programme
from ingestion.synthetic.influence import Exposures
from ingestion.synthetic.people import COMPUTER, IN_APP, PHONE, TABLET, People
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import Scenario

CAUSES = ("baseline", "click", "return", "order")
"""Why a visit happened: anyway, by a link just seen, by an exposure's later pull, for an order."""

DIRECT, SEARCH, PAID_SEARCH, PAID_SOCIAL, EMAIL, REFERRAL, SOCIAL, CREATOR, COUPON = range(9)
CHANNELS = (
    "direct", "organic_search", "paid_search", "paid_social", "email", "referral",
    "organic_social", "creator", "coupon_site",
)  # fmt: skip
_BASELINE_WEIGHTS = (0.32, 0.25, 0.13, 0.12, 0.06, 0.05, 0.07)
_RETURN_WEIGHTS = (0.55, 0.25, 0.10, 0.02, 0.05, 0.0, 0.03)

BOTH, BY_CODE, BY_CLICK, BY_NOTHING, BY_SURVEY = range(5)
DECLARED = ("code_and_click", "code", "click", "nothing", "survey")
"""How a caused order can be told from the data."""

WEB, IOS, ANDROID = range(3)
PLATFORMS = ("web", "ios", "android")


@dataclass(frozen=True)
class Visits(Columns):
    """One row per visit of a block, by person and start.

    Attributes:
        row: The person's position in the block.
        start: µs, a fraction of a second never zero.
        cause: Position in `CAUSES`.
        exposure: What caused it, or whose link it took; none.
        channel: Position in `CHANNELS`.
        creator, post: Whose link it came by; none.
        link_post: The post whose own link it was; none for the creator's general one.
        slot: Device; `platform`: site or app.
        buys: Whether it ends in an order.
        declared: Of a caused order, position in `DECLARED`; none.
        is_marked: Whether the creator's marks were still on the address when it arrived.
    """

    row: Ints
    start: Ints
    cause: Ints
    exposure: Ints
    channel: Ints
    creator: Ints
    post: Ints
    link_post: Ints
    slot: Ints
    platform: Ints
    buys: Bools
    declared: Ints
    is_marked: Bools


def make(
    *,
    scenario: Scenario,
    streams: Streams,
    block: int,
    clock: Clock,
    people: People,
    programme: Programme,
    exposures: Exposures,
    has_link: Bools,
) -> tuple[Visits, Exposures]:
    """All visits of a block, and the exposures with their clicks."""
    baseline = _baseline(streams.of("visits", block), clock, people)
    baseline, exposures = _paths(baseline, exposures, scenario, streams.of("paths", block))
    exposures, clicking = influence.click(
        exposures, people, scenario=scenario, clock=clock, luck=streams.of("clicks", block)
    )
    clicked = _of(exposures, clicking, exposures.clicked[clicking], cause=1, channel=CREATOR)
    orders_luck = streams.of("caused orders", block)
    ordering, starts = influence.caused_orders(
        exposures, people, programme, clock=clock, luck=orders_luck
    )
    declared = orders_luck.choice(scenario.declared_shares, len(ordering))
    by_link = (declared == BOTH) | (declared == BY_CLICK)
    ordered = _of(exposures, ordering, starts, cause=3, channel=NONE)
    ordered = replace(
        ordered,
        buys=np.ones(len(ordering), dtype=bool),
        declared=declared,
        channel=np.where(by_link, CREATOR, NONE),
    )
    exposures = influence.mark_paths(exposures, ordering[by_link], starts[by_link])
    returning, instants = influence.returns(
        exposures,
        people,
        programme,
        scenario=scenario,
        clock=clock,
        luck=streams.of("returns", block),
    )
    returned = _of(exposures, returning, instants, cause=2, channel=NONE)
    visits = Visits.concat([baseline, clicked, ordered, returned])
    visits = _dress(visits, exposures, people, scenario, streams.of("arrivals", block), has_link)
    visits = _apart(visits)
    visits = visits.take(visits.start < clock.end - HOUR)
    return _by_coupon_site(
        visits, people, programme, scenario, streams.of("coupon sites", block)
    ), exposures


def _empty(size: int) -> dict[str, Ints]:
    return {
        name: np.full(size, NONE, dtype=np.int64)
        for name in ("creator", "post", "link_post", "slot", "platform", "declared")
    }


def _baseline(luck: Luck, clock: Clock, people: People) -> Visits:
    counts = luck.poisson(people.hazard * clock.weights[: clock.days].sum(), len(people))
    row = np.repeat(np.arange(len(people), dtype=np.int64), counts)
    size = len(row)
    start = clock.at(clock.random_days(luck, size), luck, people.owl[row])
    return Visits(
        row=row,
        start=start,
        cause=np.zeros(size, dtype=np.int64),
        exposure=np.full(size, NONE, dtype=np.int64),
        channel=np.full(size, NONE, dtype=np.int64),
        buys=luck.chance(people.purchase[row], size),
        is_marked=np.zeros(size, dtype=bool),
        **_empty(size),
    )


def _paths(
    baseline: Visits, exposures: Exposures, scenario: Scenario, luck: Luck
) -> tuple[Visits, Exposures]:
    """Let some visits that come anyway come by the link of a post just seen."""
    recent = influence.last_before(
        exposures, baseline.row, baseline.start, influence.PATH_DAYS * DAY
    )
    takes = luck.chance(scenario.path_share, len(baseline)) & (recent != NONE)
    marked = influence.mark_paths(exposures, recent[takes], baseline.start[takes])
    return (
        replace(
            baseline,
            exposure=np.where(takes, recent, NONE),
            channel=np.where(takes, CREATOR, NONE),
        ),
        marked,
    )


def _of(exposures: Exposures, cause_rows: Ints, start: Ints, *, cause: int, channel: int) -> Visits:
    size = len(cause_rows)
    return Visits(
        row=exposures.row[cause_rows],
        start=start,
        cause=np.full(size, cause, dtype=np.int64),
        exposure=cause_rows.astype(np.int64),
        channel=np.full(size, channel, dtype=np.int64),
        buys=np.zeros(size, dtype=bool),
        is_marked=np.zeros(size, dtype=bool),
        **_empty(size),
    )


def _dress(
    visits: Visits,
    exposures: Exposures,
    people: People,
    scenario: Scenario,
    luck: Luck,
    has_link: Bools,
) -> Visits:
    """Channel, link and device of each visit."""
    size = len(visits)
    by_creator = visits.channel == CREATOR
    usual = luck.choice(_BASELINE_WEIGHTS, size)
    later = luck.choice(_RETURN_WEIGHTS, size)
    channel = np.where(by_creator, CREATOR, np.where(visits.cause == 0, usual, later))
    at = np.maximum(visits.exposure, 0)
    some = len(exposures) > 0
    creator = np.where(by_creator, exposures.creator[at] if some else NONE, NONE)
    post = np.where(by_creator, exposures.post[at] if some else NONE, NONE)
    own = by_creator & has_link[np.maximum(post, 0)] if some else by_creator
    in_app = by_creator & luck.chance(scenario.in_app_share, size)
    desk = luck.chance(people.desk_share[visits.row], size)
    tablet = luck.chance(0.08, size)
    slot = np.where(desk, COMPUTER, np.where(tablet, TABLET, PHONE))
    slot = np.where(by_creator & (slot == COMPUTER), PHONE, slot)
    slot = np.where(in_app, IN_APP, slot)
    uses_app = (
        people.has_app[visits.row] & (slot == PHONE) & (channel == DIRECT) & luck.chance(0.7, size)
    )
    platform = np.where(uses_app, np.where(people.browser[visits.row] == 0, IOS, ANDROID), WEB)
    return replace(
        visits,
        channel=channel,
        creator=creator,
        post=post,
        link_post=np.where(own, post, NONE),
        slot=slot.astype(np.int64),
        platform=platform.astype(np.int64),
        is_marked=by_creator & ~luck.chance(0.1, size),
        start=visits.start // SECOND * SECOND + 1 + luck.below(SECOND - 2, size),
    )


def _apart(visits: Visits) -> Visits:
    """By person and start, no two visits of a person in the same minute."""
    made = visits.take(np.lexsort((visits.start, visits.row)))
    start = made.start.copy()
    while True:
        close = (start[1:] - start[:-1] < 60 * SECOND) & (made.row[1:] == made.row[:-1])
        same = np.flatnonzero(close) + 1
        if not len(same):
            return replace(made, start=start)
        start[same] = start[same - 1] + 61 * SECOND


def _by_coupon_site(
    visits: Visits,
    people: People,
    programme: Programme,
    scenario: Scenario,
    luck: Luck,
) -> Visits:
    """Buyers who looked for a code first: once one is out, some arrive from a coupon site."""
    is_out = visits.start >= int(programme.leaked.min(initial=FOREVER))
    usual = visits.buys & (visits.cause == 0) & (visits.creator == NONE) & is_out
    chance = leak_chances(scenario, visits.start, people.is_old[visits.row])
    hunts = usual & luck.chance(chance, len(visits))
    through_site = hunts & luck.chance(0.7, len(visits))
    return replace(
        visits,
        channel=np.where(through_site, COUPON, visits.channel),
        # The declared column of a baseline order says that a leaked code is used.
        declared=np.where(hunts, LEAK, visits.declared),
    )


def leak_chances(scenario: Scenario, instants: Ints, is_old: Bools) -> Floats:
    """Chance that a buyer looks for a code: in bursts, and mostly people who bought before."""
    burst = np.where((instants // DAY) % 9 < 2, 2.6, 0.55)
    habit = np.where(is_old, 1.6, 0.8)
    return np.minimum(scenario.leak_use * burst * habit, 0.95)


LEAK = len(DECLARED)
"""In `Visits.declared`: a baseline order that uses a leaked code."""
