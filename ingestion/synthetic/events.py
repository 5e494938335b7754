"""What the site records of visits: page views to purchases, one table a block, as the feed has it.

Of people who did not agree nothing is recorded. An event's instant has a fraction of a second that
is never zero; a purchase falls into the very second in which the shop created the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, arrivals, words
from ingestion.synthetic.catalogue import GIFT_CARD, Catalogue
from ingestion.synthetic.clock import SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Ints, spread
from ingestion.synthetic.creators import FOREVER, Programme
from ingestion.synthetic.orders import Orders
from ingestion.synthetic.people import COMPUTER, IN_APP, TABLET, People
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Luck
from ingestion.synthetic.visits import CREATOR, PLATFORMS, WEB, Visits
from ingestion.synthetic.words import CURRENCY

TYPES = (
    "page_view", "product_view", "search", "add_to_cart", "checkout_started", "purchase",
    "app_open", "login",
)  # fmt: skip
VIEW, PRODUCT, SEARCH, CART, CHECKOUT, PURCHASE, APP_OPEN, LOGIN = range(8)
_BROWSING = (0.3, 0.5, 0.12, 0.08)

MAXIMUM_EVENTS = 64
"""Events of a visit; an event's number is its visit's times this, plus its place."""


@dataclass(frozen=True)
class Recorded:
    """What a block's visits left behind.

    Attributes:
        events: Rows of the feed `activity_events`, by visit, without `received_at`.
        occurred: Their instants, µs.
        signed_in: Per visit, whether it was signed in.
        visitor: Per visit, the visitor id; null where nothing is recorded.
        counts: Per visit, the number of its events.
    """

    events: pa.Table
    occurred: Ints
    signed_in: Bools
    visitor: pa.Array
    counts: Ints


def visitor_ids(device: Ints, cookie: Ints) -> pa.Array:
    """Ids of browsers and apps."""
    return arrays.join("a", arrays.texts(device), "-", arrays.texts(cookie))


def user_ids(person: Ints) -> pa.Array:
    """Ids of accounts."""
    return arrays.only(person != NONE, arrays.join("u", arrays.texts(person * 13 + 1_009)))


def account_starts(people: People, orders: Orders, start: int) -> Ints:
    """From when each person of a block has an account; `FOREVER` where never."""
    since = np.full(len(people), FOREVER, dtype=np.int64)
    real = (orders.person != NONE) & (orders.cause != 4)
    np.minimum.at(since, orders.person[real] - people.first, orders.created[real])
    since = np.where(people.is_old, np.minimum(since, start), since)
    return np.where(people.opens_account, since, FOREVER)


def make(
    *,
    clock: Clock,
    people: People,
    programme: Programme,
    posts: Posts,
    catalogue: Catalogue,
    visits: Visits,
    visit_ids: Ints,
    orders: Orders,
    origin: int,
    luck: Luck,
) -> Recorded:
    """The events of a block.

    Args:
        orders: Of the block, in any order; those of visits are matched by visit.
        origin: First instant of the world's clock, for order numbers.
    """
    size = len(visits)
    since = account_starts(people, orders, clock.start)[visits.row]
    chance = np.maximum(people.sign_in[visits.row], np.where(visits.buys, 0.6, 0.0))
    signed_in = luck.chance(chance, size) & (since < FOREVER)
    created = _created(visits, visit_ids, orders)
    buys = visits.buys & (created != NONE)
    browsing = 1 + np.minimum(luck.exponential(2.0, size).astype(np.int64), 11)
    counts = np.where(buys, 5 + luck.below(3, size), browsing)
    counts = np.where(people.is_tracked[visits.row], counts, 0)
    length = np.minimum(5.0 + luck.exponential(45.0, size) * counts, 1_500.0)
    length = np.where(buys, (created - visits.start) / SECOND, length)
    visit, place = spread(counts)
    many = len(visit)
    last = counts[visit] - 1
    # Strictly growing: each event falls into its own part of the visit.
    part = (place + 0.8 * luck.uniform(many)) / np.maximum(last + 1, 1)
    offset = np.where(place == 0, 0.0, part * length[visit])
    occurred = visits.start[visit] + (offset * SECOND).astype(np.int64)
    is_purchase = buys[visit] & (place == last)
    fraction = 1 + luck.below(SECOND - 2, many)
    occurred = np.where(is_purchase, created[visit], occurred // SECOND * SECOND) + fraction
    occurred = np.where(place == 0, visits.start[visit], occurred)
    kind = _types(visits, visit, place, last, buys, signed_in, luck)
    device = people.device(visits.row, visits.slot)
    cookie = people.cookie(visits.row, visits.slot, visits.start, clock.start)
    cookie = np.where(visits.platform == WEB, cookie, 0)
    # An app has an id of its own beside that of the telephone's browser.
    visitor = visitor_ids(device * 2 + (visits.platform != WEB), cookie)
    arrived = arrivals.make(
        channel=visits.channel,
        creator=visits.creator,
        post=visits.link_post,
        platform=link_platforms(visits.creator, visits.link_post, programme, posts),
        visit=visit_ids,
        is_marked=visits.is_marked,
    )
    at_visit = pa.array(visit)
    product = _products(people, visits, visit, catalogue, luck)
    shows_product = (kind == PRODUCT) | (kind == CART)
    is_web = visits.platform[visit] == WEB
    path = _paths(kind, product, place)
    first = place == 0
    landing = arrays.either(first, arrived.query.take(at_visit), "")
    order_id = np.where(is_purchase, _order_ids(visits, visit_ids, orders, origin)[visit], NONE)
    value = _values(visits, visit_ids, orders)[visit]
    row = visits.row[visit]
    names_user = signed_in[visit] & (occurred >= since[visit])
    table = pa.table(
        {
            "event_id": arrays.join("e", arrays.texts(visit_ids[visit] * MAXIMUM_EVENTS + place)),
            "event_type": arrays.names(TYPES, kind),
            "occurred_at": arrays.instants(occurred),
            "anonymous_id": visitor.take(at_visit),
            "user_id": arrays.only(names_user, user_ids(people.person[row])),
            "platform": arrays.names(PLATFORMS, visits.platform[visit]),
            "url": arrays.only(is_web, arrays.join(arrivals.SHOP, path, landing)),
            "product_id": arrays.only(
                shows_product, arrays.texts(catalogue.products.product_id[product])
            ),
            "order_id": arrays.only(order_id != NONE, arrays.texts(order_id)),
            "value": arrays.money(value, is_purchase),
            "currency": arrays.only(is_purchase, arrays.constant(CURRENCY, many)),
            "referrer": arrays.only(first & is_web, arrived.referrer.take(at_visit)),
            "country": arrays.names(words.COUNTRIES, people.country[row]),
            "device_class": arrays.names(
                ("mobile", "desktop", "tablet"), _device_classes(visits.slot)[visit]
            ),
            "user_agent": arrays.only(
                is_web, user_agents(visits, people, programme).take(at_visit)
            ),
            "consent_analytics": pa.array(np.ones(many, dtype=bool)),
        }
    )
    return Recorded(
        events=table,
        occurred=occurred,
        signed_in=signed_in,
        visitor=arrays.only(counts > 0, visitor),
        counts=counts,
    )


def link_platforms(creator: Ints, post: Ints, programme: Programme, posts: Posts) -> Ints:
    """The platform of each link; none without one."""
    main = programme.creators.platform[np.maximum(creator, 0)]
    own = posts.platform[np.maximum(post, 0)] if len(posts) else main
    return np.where(creator == NONE, NONE, np.where(post == NONE, main, own))


def user_agents(visits: Visits, people: People, programme: Programme) -> pa.Array:
    """What the browsers of visits call themselves."""
    browser = people.browser[visits.row]
    usual = np.where(
        visits.slot == COMPUTER, 2 + browser, np.where(visits.slot == TABLET, 4, browser)
    )
    platform = programme.creators.platform[np.maximum(visits.creator, 0)]
    own = arrays.names(words.IN_APP_BROWSERS, platform)
    return arrays.either(
        (visits.slot == IN_APP) & (visits.channel == CREATOR),
        own,
        arrays.names(words.BROWSERS, usual),
    )


def _device_classes(slot: Ints) -> Ints:
    return np.where(slot == COMPUTER, 1, np.where(slot == TABLET, 2, 0))


def _positions(visits: Visits, visit_ids: Ints, orders: Orders) -> tuple[Ints, Bools]:
    """Per visit the position of its order, and whether there is one."""
    rows = np.flatnonzero(orders.visit != NONE)
    rows = rows[np.argsort(orders.visit[rows], kind="stable")]
    found = np.searchsorted(orders.visit[rows], visit_ids, side="left")
    at = np.minimum(found, max(len(rows) - 1, 0))
    if not len(rows):
        return np.zeros(len(visits), dtype=np.int64), np.zeros(len(visits), dtype=bool)
    return rows[at], orders.visit[rows[at]] == visit_ids


def _created(visits: Visits, visit_ids: Ints, orders: Orders) -> Ints:
    at, has = _positions(visits, visit_ids, orders)
    return np.where(has, orders.created[at], NONE) if len(orders) else np.full(len(visits), NONE)


def _order_ids(visits: Visits, visit_ids: Ints, orders: Orders, origin: int) -> Ints:
    at, has = _positions(visits, visit_ids, orders)
    return np.where(has, orders.ids(origin)[at], NONE) if len(orders) else at


def _values(visits: Visits, visit_ids: Ints, orders: Orders) -> Ints:
    at, has = _positions(visits, visit_ids, orders)
    return np.where(has, orders.total[at], 0) if len(orders) else at


def _types(
    visits: Visits,
    visit: Ints,
    place: Ints,
    last: Ints,
    buys: Bools,
    signed_in: Bools,
    luck: Luck,
) -> Ints:
    many = len(visit)
    drawn = luck.choice(_BROWSING, many)
    logs_in = luck.chance(0.2, many) & signed_in[visit] & (place == 1) & ~buys[visit]
    kind = np.where(logs_in, LOGIN, drawn)
    left = last - place
    bought = np.select([left == 0, left == 1, left == 2], [PURCHASE, CHECKOUT, CART], PRODUCT)
    kind = np.where(buys[visit], bought, kind)
    opening = np.where(visits.platform[visit] == WEB, VIEW, APP_OPEN)
    return np.where(place == 0, opening, kind).astype(np.int64)


def _products(
    people: People, visits: Visits, visit: Ints, catalogue: Catalogue, luck: Luck
) -> Ints:
    """Products looked at: mostly of the person's own niche."""
    many = len(visit)
    anything = luck.choice(catalogue.products.weight, many)
    niche = people.niche[visits.row[visit]]
    per_niche = (len(catalogue.products) - 1) // len(words.NICHES)
    own = 1 + niche * per_niche + luck.below(per_niche, many)
    product = np.where(luck.chance(0.6, many), own, anything)
    return np.where(product == GIFT_CARD, 1, product).astype(np.int64)


_PATHS = (
    ("/", "/collections/all", "/collections/new", "/pages/about"),
    ("/products/",),
    ("/search",),
    ("/cart",),
    ("/checkout",),
    ("/checkout/thank-you",),
    ("/",),
    ("/account/login",),
)


def _paths(kind: Ints, product: Ints, place: Ints) -> pa.Array:
    fixed = arrays.names([paths[0] for paths in _PATHS], kind)
    pages = arrays.names(_PATHS[VIEW], (product + place) % 4)
    path = arrays.either((kind == VIEW) & (place > 0), pages, fixed)
    own = arrays.join("/products/item-", arrays.texts(product))
    return arrays.either(kind == PRODUCT, own, path)
