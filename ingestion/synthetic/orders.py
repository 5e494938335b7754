"""Orders: what would have been bought anyway, what creators caused, and which code was typed.

Every order keeps its cause. Money is in cents: a code's discount is taken off each line and rounded
there, so that lines always add up to their order; tax is 19 % of goods and shipping.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ingestion.synthetic import influence, visits as visiting
from ingestion.synthetic.catalogue import GIFT_CARD, Catalogue
from ingestion.synthetic.clock import DAY, HOUR, MINUTE, SECOND, Clock, whole_seconds
from ingestion.synthetic.columns import NONE, Bools, Columns, Ints, spread
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.influence import Exposures
from ingestion.synthetic.people import BLOCK, People
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.visits import Visits

CAUSES = ("baseline", "creator", "history", "gift", "test")
"""Would have happened anyway; caused by a creator; before day 0; gift to a creator; a test."""

CODE_REASONS = ("none", "own", "link", "known", "leak", "brand")
"""Why a code was typed: its creator caused the order; a link taken anyway; a post seen lately; a
coupon site; the brand's own code."""

SOURCES = ("web", "ios", "android", "pos", "shopify_draft_order")
POS, DRAFT = 3, 4

ORDER_BASE = 560_000_000_000_000
_PER_SECOND = 10**7

SHIPPING = 490
FREE_SHIPPING_FROM = 5_000
TAX_PERCENT = 19

KNOWN_DAYS = 14
"""So long is a code remembered from a post."""

JOURNEY_DAYS = 30


@dataclass(frozen=True)
class Orders(Columns):
    """One row per order.

    Attributes:
        person: None for a test.
        created: Whole seconds, µs.
        visit: Id of the visit it ended; none.
        creator: Who caused it; none.
        exposure_seen: The exposure that caused it, µs; none.
        declared: Of a caused order, position in `visits.DECLARED`; none.
        code: Position of the code's text; none.
        spelling: 0 as printed, 1 in small letters, 2 with blanks.
        first_start … last_post: The first and last visit the shop remembers; none.
        subtotal, discounts, shipping, tax: Cents; `subtotal` is after discounts.
        paid, cancelled, tagged: When, µs; none.
        journey_ready: When the shop has sorted out its visits, µs.
    """

    person: Ints
    created: Ints
    cause: Ints
    visit: Ints
    creator: Ints
    exposure_seen: Ints
    declared: Ints
    code: Ints
    code_reason: Ints
    spelling: Ints
    source: Ints
    country: Ints
    is_guest: Bools
    first_start: Ints
    first_channel: Ints
    first_creator: Ints
    first_post: Ints
    first_visit: Ints
    last_start: Ints
    last_channel: Ints
    last_creator: Ints
    last_post: Ints
    subtotal: Ints
    discounts: Ints
    shipping: Ints
    tax: Ints
    paid: Ints
    cancelled: Ints
    tagged: Ints
    journey_ready: Ints

    @property
    def total(self) -> Ints:
        """What the customer owes, cents."""
        return self.subtotal + self.shipping + self.tax

    def ids(self, origin: int) -> Ints:
        """The shop's numbers; they grow with time."""
        return order_ids(self.person, self.created, origin)


@dataclass(frozen=True)
class Lines(Columns):
    """One row per order line; `order` is the order's position."""

    order: Ints
    position: Ints
    product: Ints
    quantity: Ints
    unit: Ints
    discount: Ints

    @property
    def net(self) -> Ints:
        """After the discount, cents."""
        return self.unit * self.quantity - self.discount


def order_ids(person: Ints, created: Ints, origin: int) -> Ints:
    """Order numbers from who and when; `origin` is the first instant of the world's clock."""
    return ORDER_BASE + (created - origin) // SECOND * _PER_SECOND + person + 1


def make(
    *,
    streams: Streams,
    block: int,
    clock: Clock,
    people: People,
    programme: Programme,
    catalogue: Catalogue,
    exposures: Exposures,
    visits: Visits,
    visit_ids: Ints,
) -> tuple[Orders, Lines]:
    """All orders of a block, with their lines."""
    bought = _of_visits(streams, block, people, programme, exposures, visits, visit_ids)
    others = [
        _history(streams.of("history", block), clock, people),
        _in_store(streams.of("store", block), clock, people),
        _gifts(clock, people, programme),
        _tests(streams.of("tests", block), clock, people),
    ]
    orders = Orders.concat([bought, *others])
    orders = _distinct(orders.take(np.lexsort((orders.created, orders.person))))
    orders = orders.take(orders.created < clock.end)
    lines = _lines(orders, catalogue, programme, streams.of("lines", block))
    return _with_money(orders, lines, streams.of("payment", block), clock), lines


def _blank(person: Ints, created: Ints, *, cause: int, source: int, country: Ints) -> Orders:
    size = len(person)
    none = np.full(size, NONE, dtype=np.int64)
    zero = np.zeros(size, dtype=np.int64)
    return Orders(
        person=person,
        created=whole_seconds(created),
        cause=np.full(size, cause, dtype=np.int64),
        visit=none,
        creator=none,
        exposure_seen=none,
        declared=none,
        code=none,
        code_reason=zero,
        spelling=zero,
        source=np.full(size, source, dtype=np.int64),
        country=country,
        is_guest=np.zeros(size, dtype=bool),
        first_start=none,
        first_channel=none,
        first_creator=none,
        first_post=none,
        first_visit=none,
        last_start=none,
        last_channel=none,
        last_creator=none,
        last_post=none,
        subtotal=zero,
        discounts=zero,
        shipping=zero,
        tax=zero,
        paid=none,
        cancelled=none,
        tagged=none,
        journey_ready=none,
    )


def _of_visits(
    streams: Streams,
    block: int,
    people: People,
    programme: Programme,
    exposures: Exposures,
    visits: Visits,
    visit_ids: Ints,
) -> Orders:
    luck = streams.of("orders", block)
    at = np.flatnonzero(visits.buys)
    size = len(at)
    row, start = visits.row[at], visits.start[at]
    took = (120.0 + np.minimum(luck.exponential(240.0, size), 1_380.0)).astype(np.int64)
    created = whole_seconds(start) + took * SECOND
    made = _blank(people.person[row], created, cause=0, source=0, country=people.country[row])
    is_caused = visits.cause[at] == 3
    exposure = np.maximum(visits.exposure[at], 0)
    is_known = len(exposures) > 0
    creator = np.where(is_caused, exposures.creator[exposure] if is_known else NONE, NONE)
    first = _first_visits(visits, at)
    is_tracked = people.is_tracked[row]
    made = replace(
        made,
        cause=is_caused.astype(np.int64),
        visit=visit_ids[at],
        creator=creator,
        exposure_seen=np.where(is_caused, exposures.seen[exposure] if is_known else NONE, NONE),
        declared=np.where(is_caused, visits.declared[at], NONE),
        source=visits.platform[at],
        is_guest=people.is_guest[row],
        first_start=np.where(is_tracked, whole_seconds(visits.start[first]), NONE),
        first_channel=visits.channel[first],
        first_creator=np.where(visits.is_marked[first], visits.creator[first], NONE),
        first_post=visits.link_post[first],
        first_visit=visit_ids[first],
        last_start=np.where(is_tracked, whole_seconds(start), NONE),
        last_channel=visits.channel[at],
        last_creator=np.where(visits.is_marked[at], visits.creator[at], NONE),
        last_post=visits.link_post[at],
    )
    return _with_codes(
        made, programme, exposures, visits.take(at), streams.of("codes typed", block)
    )


def _first_visits(visits: Visits, at: Ints) -> Ints:
    """For each buying visit the person's earliest within the journey's days before it."""
    keys = visits.row * 2**33 + visits.start // SECOND
    since = visits.row[at] * 2**33 + visits.start[at] // SECOND - JOURNEY_DAYS * DAY // SECOND
    found = np.searchsorted(keys, since, side="left").astype(np.int64)
    own = np.searchsorted(visits.row, visits.row[at], side="left").astype(np.int64)
    return np.maximum(found, own)


def _with_codes(
    orders: Orders, programme: Programme, exposures: Exposures, visits: Visits, luck: Luck
) -> Orders:
    creators = programme.creators
    size = len(orders)
    own = creators.codes_at(np.maximum(orders.creator, 0), orders.created)
    by_code = (orders.declared == visiting.BOTH) | (orders.declared == visiting.BY_CODE)
    uses_own = by_code & (own != NONE) & (orders.creator != NONE)
    # Without a code to type the order shows less of its cause.
    declared = np.where(
        by_code & ~uses_own,
        np.where(orders.declared == visiting.BOTH, visiting.BY_CLICK, visiting.BY_NOTHING),
        orders.declared,
    )
    is_baseline = orders.cause == 0
    linked = creators.codes_at(np.maximum(visits.creator, 0), orders.created)
    uses_linked = is_baseline & (visits.creator != NONE) & (linked != NONE) & luck.chance(0.6, size)
    recent = influence.last_before(exposures, visits.row, visits.start, KNOWN_DAYS * DAY)
    if len(exposures):
        seen = exposures.creator[np.maximum(recent, 0)]
        known = np.where(recent != NONE, creators.codes_at(seen, orders.created), NONE)
    else:
        known = np.full(size, NONE, dtype=np.int64)
    uses_known = is_baseline & (visits.creator == NONE) & (known != NONE) & luck.chance(0.1, size)
    leaked, is_out = _leaked_codes(programme, orders.created, luck)
    uses_leaked = is_baseline & (visits.declared == visiting.LEAK) & is_out
    brand = len(programme.texts) - 1 - luck.below(2, size)
    uses_brand = is_baseline & luck.chance(0.08, size)
    reason = np.select(
        [uses_own, uses_linked, uses_leaked, uses_known, uses_brand], [1, 2, 4, 3, 5], 0
    ).astype(np.int64)
    code = np.select(
        [reason == number for number in range(1, 6)], [own, linked, known, leaked, brand], NONE
    ).astype(np.int64)
    spelling = np.where(luck.chance(0.3, size), 1, np.where(luck.chance(0.03, size), 2, 0))
    return replace(orders, declared=declared, code=code, code_reason=reason, spelling=spelling)


def _leaked_codes(programme: Programme, created: Ints, luck: Luck) -> tuple[Ints, Bools]:
    """For each order one of the codes that are out by then, the same chance for each."""
    order = np.argsort(programme.leaked, kind="stable").astype(np.int64)
    dates = programme.leaked[order]
    out = np.searchsorted(dates, created, side="right")
    chosen = np.floor(luck.uniform(len(created)) * np.maximum(out, 1)).astype(np.int64)
    return order[chosen], out > 0


def _history(luck: Luck, clock: Clock, people: People) -> Orders:
    """What old customers bought before the first day: the shop remembers, nobody tracked it."""
    old = np.flatnonzero(people.is_old)
    row = np.repeat(old, 1 + luck.poisson(0.5, len(old)))
    day = -1 - luck.below(180, len(row))
    created = clock.at(day, luck, people.owl[row])
    return _blank(people.person[row], created, cause=2, source=0, country=people.country[row])


def _in_store(luck: Luck, clock: Clock, people: People) -> Orders:
    """Bought in the brand's own shop of bricks; half of the buyers show their customer card."""
    mean = 0.05 * people.hazard * people.purchase * clock.days
    row = np.repeat(np.arange(len(people), dtype=np.int64), luck.poisson(mean, len(people)))
    day = clock.random_days(luck, len(row))
    created = clock.begin_of(day) + 9 * HOUR + luck.below(10 * 3600, len(row)) * SECOND
    made = _blank(people.person[row], created, cause=0, source=POS, country=people.country[row])
    return replace(made, is_guest=luck.chance(0.5, len(row)))


def _gifts(clock: Clock, people: People, programme: Programme) -> Orders:
    """Zero-value orders by which creators who are customers get their first parcel."""
    creators = programme.creators
    person = creators.person
    here = np.flatnonzero(
        (person >= people.first)
        & (person < people.first + len(people))
        & (creators.active_from + 2 * DAY < clock.end)
    )
    created = creators.active_from[here] + DAY + 9 * HOUR + here * 61 * SECOND
    country = people.country[person[here] - people.first]
    return _blank(person[here], created, cause=3, source=DRAFT, country=country)


def _tests(luck: Luck, clock: Clock, people: People) -> Orders:
    """The team tries its own checkout now and then."""
    size = int(luck.poisson(0.6 + 2.0 * len(people) / BLOCK, 1)[0])
    created = clock.at(clock.random_days(luck, size), luck)
    none = np.full(size, NONE, dtype=np.int64)
    return _blank(none, created, cause=4, source=0, country=np.zeros(size, dtype=np.int64))


def _distinct(orders: Orders) -> Orders:
    """No two orders of a person (or two tests) in the same second; a shop's clock shows no more."""
    created = orders.created.copy()
    while True:
        same = (created[1:] <= created[:-1]) & (orders.person[1:] == orders.person[:-1])
        later = np.flatnonzero(same) + 1
        if not len(later):
            return replace(orders, created=created)
        created[later] = created[later - 1] + SECOND


def _lines(orders: Orders, catalogue: Catalogue, programme: Programme, luck: Luck) -> Lines:
    size = len(orders)
    counts = np.minimum(1 + luck.poisson(0.6, size), 4)
    order, number = spread(counts)
    products = catalogue.products
    # A basket holds a product once: its lines walk round the list from a random place.
    popular = luck.choice(products.weight, size)
    product = (popular[order] + number * 11) % len(products)
    quantity = np.where(luck.chance(0.12, len(order)), 2, 1)
    unit = products.price[product]
    percent = np.where(orders.code != NONE, programme.percents[np.maximum(orders.code, 0)], 0)
    percent = np.where(orders.cause == 3, 100, percent)[order]
    percent = np.where((product == GIFT_CARD) & (percent < 100), 0, percent)
    discount = (unit * quantity * percent + 50) // 100
    return Lines(order, number, product, quantity.astype(np.int64), unit, discount)


def _with_money(orders: Orders, lines: Lines, luck: Luck, clock: Clock) -> Orders:
    size = len(orders)
    net = np.zeros(size, dtype=np.int64)
    discounts = np.zeros(size, dtype=np.int64)
    np.add.at(net, lines.order, lines.net)
    np.add.at(discounts, lines.order, lines.discount)
    is_shipped = (net > 0) & (net < FREE_SHIPPING_FROM) & (orders.source != POS)
    shipping = np.where(is_shipped, SHIPPING, 0)
    tax = ((net + shipping) * TAX_PERCENT + 50) // 100
    pays = ~luck.chance(0.01, size)
    paid = orders.created + (1 + luck.below(90, size)) * SECOND
    is_online = orders.source < POS
    cancels = luck.chance(0.015, size) & is_online & (orders.cause != 3)
    cancelled = orders.created + 30 * MINUTE + luck.below(86_400, size) * SECOND
    tags = luck.chance(0.05, size)
    tagged = orders.created + DAY + luck.below(8 * 86_400, size) * SECOND
    ready = (
        orders.created
        + np.where(luck.chance(0.05, size), luck.below(36 * 3600, size), luck.below(240, size))
        * SECOND
    )
    return replace(
        orders,
        subtotal=net,
        discounts=discounts,
        shipping=shipping,
        tax=tax,
        paid=np.where(pays & (paid < clock.end), paid, NONE),
        cancelled=np.where(cancels & pays & (cancelled < clock.end), cancelled, NONE),
        tagged=np.where(tags & (tagged < clock.end), tagged, NONE),
        journey_ready=ready,
    )


def owners_of(programme: Programme, code: Ints, instants: Ints) -> Ints:
    """The creator who owns a code at an instant; none for nobody's, and for two at once."""
    codes = programme.codes
    owner = np.full(len(code), NONE, dtype=np.int64)
    count = np.zeros(len(code), dtype=np.int64)
    order = np.argsort(codes.text, kind="stable")
    text = codes.text[order]
    for offset in range(int(np.bincount(codes.text).max(initial=0))):
        position = np.searchsorted(text, code, side="left") + offset
        at = order[np.minimum(position, len(order) - 1)]
        fits = (
            (code != NONE)
            & (position < len(order))
            & (codes.text[at] == code)
            & (codes.creator[at] != NONE)
            & (codes.valid_from[at] <= instants)
            & (instants < codes.valid_to[at])
        )
        owner = np.where(fits, codes.creator[at], owner)
        count += fits
    return np.where(count == 1, owner, NONE)
