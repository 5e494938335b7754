"""The shop's own database, which both the simulated shop and the drops state.

All instants are whole seconds in UTC, money is DECIMAL(18,2), ids are numbers.

The state of an order at time t: it exists from `created_at` on; it is paid from `paid_at` on (until
then, or where that is null, pending), refunded by the refunds visible by then, cancelled from
`cancelled_at` on and voided if it is without a refund; it was last updated at the greatest
`order_updates.updated_at` up to t.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.synthetic import arrays, arrivals, events, words
from ingestion.synthetic.catalogue import GIFT_CARD, Catalogue
from ingestion.synthetic.clock import SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Ints, first_of_each
from ingestion.synthetic.creators import FOREVER, Programme
from ingestion.synthetic.orders import POS, SOURCES, Lines, Orders
from ingestion.synthetic.people import customer_ids
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.refunds import REASONS, RefundLines, Refunds
from ingestion.synthetic.visits import CHANNELS, CREATOR
from ingestion.synthetic.words import CURRENCY

LINE_BASE = 14_300_000_000_000
REFUND_BASE = 9_100_000_000_000
REFUND_LINE_BASE = 9_500_000_000_000
DISCOUNT_BASE = 1_100_000_000_000
FIRST_NUMBER = 1_001

MAIL_DOMAIN = "canary-mail.example"
PHONE_START = "+4915550"
STREET = "Kanariengasse"
"""Signs by which people's data would be known wherever it leaked to."""

ORDERS_AT_ONCE = 250_000

_SOURCE_TYPES = {
    "direct": None, "organic_search": "SEO", "paid_search": "AD", "paid_social": "AD",
    "email": "NEWSLETTER", "referral": "LINK", "organic_social": "POST", "creator": "POST",
    "coupon_site": "LINK",
}  # fmt: skip
"""Shopify's MarketingTactic."""


@dataclass(frozen=True)
class Shop:
    """The tables, named as the files under `shop/`, each made when it is asked for.

    A table of a large world is larger than the columns it is made of, so none is kept: ask once,
    and for tables about orders ask a part at a time.

    Attributes:
        orders: In the order of their ids, all of them or a part.
        lines: Of these orders; `order` is a position among all orders.
        refunds, refund_lines: Of all orders; `order` and `line` are positions among all.
        ids: Of all orders.
        index: Per order how many earlier ones its customer has; none where there is no customer.
        first_order, first_line: Positions of the first of these among all.
    """

    programme: Programme
    posts: Posts
    catalogue: Catalogue
    orders: Orders
    lines: Lines
    refunds: Refunds
    refund_lines: RefundLines
    ids: Ints
    index: Ints
    first_order: int = 0
    first_line: int = 0

    def part(self, begin: int, end: int) -> Shop:
        """What there is about the orders from `begin` to before `end`, and no other refund."""
        first, last = np.searchsorted(self.lines.order, (begin, end)).tolist()
        of = self.refunds.order
        return replace(
            self,
            orders=self.orders.part(begin, end),
            lines=self.lines.part(first, last),
            refunds=self.refunds.take(np.flatnonzero((of >= begin) & (of < end))),
            index=self.index[begin:end],
            first_order=begin,
            first_line=first,
        )

    def parts(self) -> Iterator[Shop]:
        """All of it, so much at a time as is easily held; at least one."""
        size = len(self.orders)
        for begin in range(0, max(size, 1), ORDERS_AT_ONCE):
            yield self.part(begin, min(begin + ORDERS_AT_ONCE, size))

    def __getitem__(self, name: str) -> pa.Table:
        """One table."""
        return _TABLES[name](self)

    @property
    def own_ids(self) -> Ints:
        """Of these orders."""
        return self.ids[self.first_order : self.first_order + len(self.orders)]


def emails(person: Ints) -> pa.Array:
    """Addresses of people; null for nobody."""
    first = arrays.names([name.lower() for name in words.FIRST_NAMES], _first(person))
    last = arrays.names([name.lower() for name in words.LAST_NAMES], _last(person))
    made = arrays.join(first, ".", last, arrays.texts(person), f"@{MAIL_DOMAIN}")
    return arrays.only(person != NONE, made)


def _first(person: Ints) -> Ints:
    return np.maximum(person, 0) * 7 % len(words.FIRST_NAMES)


def _last(person: Ints) -> Ints:
    return np.maximum(person, 0) * 11 // 3 % len(words.LAST_NAMES)


def first_names(person: Ints) -> pa.Array:
    """Given names."""
    return arrays.names(words.FIRST_NAMES, np.where(person == NONE, NONE, _first(person)))


def last_names(person: Ints) -> pa.Array:
    """Family names."""
    return arrays.names(words.LAST_NAMES, np.where(person == NONE, NONE, _last(person)))


def phones(person: Ints) -> pa.Array:
    """Telephone numbers of two people in three."""
    made = arrays.join(PHONE_START, arrays.texts(100_000 + np.maximum(person, 0)))
    return arrays.only((person != NONE) & (person % 3 != 0), made)


def make(
    *,
    clock: Clock,
    programme: Programme,
    posts: Posts,
    catalogue: Catalogue,
    orders: Orders,
    lines: Lines,
    refunds: Refunds,
    refund_lines: RefundLines,
) -> Shop:
    """The database at the end of the world; orders and lines are in the order of order ids."""
    return Shop(
        programme=programme,
        posts=posts,
        catalogue=catalogue,
        orders=orders,
        lines=lines,
        refunds=refunds,
        refund_lines=refund_lines,
        ids=orders.ids(int(clock.starts[0])),
        index=_order_numbers(orders),
    )


def _has_customer(orders: Orders) -> Bools:
    has: Bools = (orders.person != NONE) & ~orders.is_guest
    return has


def _orders(shop: Shop) -> pa.Table:
    orders = shop.orders
    size = len(orders)
    named = (orders.person != NONE) & ~(orders.is_guest & (orders.source == POS))
    person = np.where(named, orders.person, NONE)
    is_test = orders.cause == 4
    email = arrays.either(is_test, arrays.constant("qa@shop.example", size), emails(person))
    name = arrays.join(first_names(person), " ", last_names(person))
    street = arrays.join(f"{STREET} ", arrays.texts(np.maximum(person, 0) % 200 + 1))
    shipped = named & (orders.source != POS)
    number = FIRST_NUMBER + shop.first_order + np.arange(size)
    return pa.table(
        {
            "order_id": arrays.ints(shop.own_ids),
            "name": arrays.join("#", arrays.texts(number)),
            "created_at": arrays.instants(orders.created),
            "processed_at": arrays.instants(orders.created),
            "paid_at": arrays.instants(orders.paid),
            "cancelled_at": arrays.instants(orders.cancelled),
            "customer_id": arrays.ints(customer_ids(orders.person), _has_customer(orders)),
            "email": email,
            "phone": phones(person),
            "is_test": arrays.flags(is_test),
            "currency": arrays.constant(CURRENCY, size),
            "subtotal": arrays.money(orders.subtotal),
            "discounts": arrays.money(orders.discounts),
            "shipping": arrays.money(orders.shipping),
            "tax": arrays.money(orders.tax),
            "total": arrays.money(orders.total),
            "taxes_included": arrays.flags(np.zeros(size, dtype=bool)),
            "source_name": arrays.names(SOURCES, orders.source),
            "ship_country": arrays.only(
                orders.source != POS, arrays.names(words.COUNTRIES, orders.country)
            ),
            "ship_name": arrays.only(shipped, name),
            "ship_address": arrays.only(shipped, street),
            "note": arrays.only(
                shipped & (person % 29 == 0), arrays.join("please ring for ", first_names(person))
            ),
            "journey_ready_at": arrays.instants(orders.journey_ready),
            "customer_order_index": arrays.ints(shop.index, shop.index != NONE),
        }
    )


def _order_numbers(orders: Orders) -> Ints:
    """0-based count of the customer's earlier orders; tests belong to nobody."""
    has_customer = _has_customer(orders)
    by_person = np.lexsort((orders.created, orders.person))
    by_person = by_person[has_customer[by_person]]
    is_first = first_of_each(orders.person[by_person])
    begins = np.maximum.accumulate(np.where(is_first, np.arange(len(by_person)), 0))
    number = np.full(len(orders), NONE, dtype=np.int64)
    number[by_person] = np.arange(len(by_person)) - begins
    return number


def _lines(shop: Shop) -> pa.Table:
    lines = shop.lines
    product = lines.product
    return pa.table(
        {
            "line_id": arrays.ints(LINE_BASE + shop.first_line + np.arange(len(lines))),
            "order_id": arrays.ints(shop.ids[lines.order]),
            "position": arrays.ints(lines.position),
            "product_id": arrays.ints(shop.catalogue.products.product_id[product]),
            "sku": arrays.join("SKU-", arrays.texts(product + 100)),
            "title": arrays.names(shop.catalogue.titles, product),
            "quantity": arrays.ints(lines.quantity),
            "unit_amount": arrays.money(lines.unit),
            "discount_amount": arrays.money(lines.discount),
            "net_amount": arrays.money(lines.net),
            "is_gift_card": arrays.flags(product == GIFT_CARD),
        }
    )


def typed_codes(orders: Orders, programme: Programme) -> pa.Array:
    """Codes as customers typed them; null where none."""
    printed = arrays.names(programme.texts, orders.code)
    small = arrays.names([text.lower() for text in programme.texts], orders.code)
    blank = arrays.join(" ", printed, " ")
    return arrays.either(
        orders.spelling == 1, small, arrays.either(orders.spelling == 2, blank, printed)
    )


def _codes(shop: Shop) -> pa.Table:
    orders = shop.orders
    rows = np.flatnonzero(orders.code != NONE)
    return pa.table(
        {
            "order_id": arrays.ints(shop.own_ids[rows]),
            "code": typed_codes(orders.take(rows), shop.programme),
            "amount": arrays.money(orders.discounts[rows]),
        }
    )


def _visits(shop: Shop) -> pa.Table:
    """First and last visit of each order the shop could follow."""
    orders, ids, parts = shop.orders, shop.own_ids, []
    has = np.flatnonzero(orders.last_start != NONE)
    for role in ("first", "last"):
        start = getattr(orders, f"{role}_start")[has]
        channel = getattr(orders, f"{role}_channel")[has]
        creator = getattr(orders, f"{role}_creator")[has]
        post = np.where(creator == NONE, NONE, getattr(orders, f"{role}_post")[has])
        visit = (orders.first_visit if role == "first" else orders.visit)[has]
        is_marked = creator != NONE
        # The referrer's platform is known also where the marks are lost.
        arrived = arrivals.make(
            channel=np.where(
                (channel == CREATOR) & ~is_marked, CHANNELS.index("organic_social"), channel
            ),
            creator=creator,
            post=post,
            platform=events.link_platforms(creator, post, shop.programme, shop.posts),
            visit=visit,
            is_marked=is_marked,
        )
        name = arrays.names(CHANNELS, channel)
        parts.append(
            pa.table(
                {
                    "order_id": arrays.ints(ids[has]),
                    "role": arrays.constant(role, len(has)),
                    "occurred_at": arrays.instants(start),
                    "landing_page": arrays.join(arrivals.SHOP, "/", arrived.query),
                    "referrer_url": arrived.referrer,
                    "source": arrays.either(
                        pc.is_valid(arrived.source).to_numpy(zero_copy_only=False),
                        arrived.source,
                        arrays.either(channel == 0, arrays.constant("direct", len(has)), name),
                    ),
                    "source_type": arrays.names([_SOURCE_TYPES[one] for one in CHANNELS], channel),
                    "referral_code": pa.nulls(len(has), pa.string()),
                    "utm_source": arrived.source,
                    "utm_medium": arrived.medium,
                    "utm_campaign": arrived.campaign,
                    "utm_content": arrived.content,
                    "utm_term": pa.nulls(len(has), pa.string()),
                }
            )
        )
    made = pa.concat_tables(parts).combine_chunks()
    return made.sort_by([("order_id", "ascending"), ("role", "ascending")])


def _updates(shop: Shop) -> pa.Table:
    orders, ids, refunds = shop.orders, shop.own_ids, shop.refunds
    parts = [
        (ids, orders.created, "created"),
        *(
            (ids[at != NONE], at[at != NONE], reason)
            for at, reason in (
                (orders.paid, "paid"),
                (orders.cancelled, "cancel"),
                (orders.tagged, "tag"),
            )
        ),
        (shop.ids[refunds.order], refunds.created, "refund"),
    ]
    made = pa.concat_tables(
        pa.table(
            {
                "order_id": arrays.ints(order_id),
                "updated_at": arrays.instants(at),
                "reason": arrays.constant(reason, len(at)),
            }
        )
        for order_id, at, reason in parts
    ).combine_chunks()
    return made.sort_by(
        [("order_id", "ascending"), ("updated_at", "ascending"), ("reason", "ascending")]
    )


def refund_ids(refunds: Refunds) -> Ints:
    """The shop's numbers of refunds."""
    return REFUND_BASE + np.arange(len(refunds), dtype=np.int64)


def _refunds(shop: Shop) -> pa.Table:
    refunds = shop.refunds
    return pa.table(
        {
            "refund_id": arrays.ints(refund_ids(refunds)),
            "order_id": arrays.ints(shop.ids[refunds.order]),
            "created_at": arrays.instants(refunds.created),
            "visible_at": arrays.instants(refunds.visible),
            "total_amount": arrays.money(refunds.amount),
            "note": arrays.names(REASONS, refunds.reason),
        }
    )


def _refund_lines(shop: Shop) -> pa.Table:
    refunds, refund_lines = shop.refunds, shop.refund_lines
    return pa.table(
        {
            "refund_line_id": arrays.ints(REFUND_LINE_BASE + np.arange(len(refund_lines))),
            "refund_id": arrays.ints(refund_ids(refunds)[refund_lines.refund]),
            "line_id": arrays.ints(LINE_BASE + refund_lines.line),
            "quantity": arrays.ints(refund_lines.quantity),
            "subtotal": arrays.money(refund_lines.subtotal),
            "is_restocked": arrays.flags(refunds.is_restocked[refund_lines.refund]),
        }
    )


def _customers(shop: Shop) -> pa.Table:
    orders = shop.orders
    rows = np.flatnonzero(_has_customer(orders))
    rows = rows[np.lexsort((orders.created[rows], orders.person[rows]))]
    is_first = first_of_each(orders.person[rows])
    is_last = np.concatenate([is_first[1:], [True]]) if len(rows) else is_first
    first, last = rows[is_first], rows[is_last]
    person = orders.person[first]
    return pa.table(
        {
            "customer_id": arrays.ints(customer_ids(person)),
            "email": emails(person),
            "first_name": first_names(person),
            "last_name": last_names(person),
            "phone": phones(person),
            "created_at": arrays.instants(orders.created[first]),
            "updated_at": arrays.instants(orders.created[last] + SECOND),
            "accepts_marketing": arrays.flags(person % 5 < 2),
            "country": arrays.names(words.COUNTRIES, orders.country[first]),
        }
    )


def _products(shop: Shop) -> pa.Table:
    catalogue, products = shop.catalogue, shop.catalogue.products
    size = len(products)
    return pa.table(
        {
            "product_id": arrays.ints(products.product_id),
            "title": pa.array(catalogue.titles),
            "product_type": arrays.names(words.NICHES, products.niche),
            "vendor": arrays.names(words.BRANDS, np.arange(size) % len(words.BRANDS)),
            "created_at": arrays.instants(products.created),
            "updated_at": arrays.instants(products.created),
        }
    )


def _variants(shop: Shop) -> pa.Table:
    products = shop.catalogue.products
    return pa.table(
        {
            "variant_id": arrays.ints(products.variant_id),
            "product_id": arrays.ints(products.product_id),
            "sku": arrays.join("SKU-", arrays.texts(np.arange(len(products)) + 100)),
            "price": arrays.money(products.price),
            "unit_cost": arrays.money(products.cost),
        }
    )


def _discounts(shop: Shop) -> pa.Table:
    programme, codes = shop.programme, shop.programme.codes
    size = len(programme.texts)
    starts = np.full(size, FOREVER, dtype=np.int64)
    ends = np.full(size, NONE, dtype=np.int64)
    np.minimum.at(starts, codes.text, codes.valid_from)
    np.maximum.at(ends, codes.text, codes.valid_to)
    is_used = starts < FOREVER
    rows = np.flatnonzero(is_used)
    ends = np.where(ends >= FOREVER, NONE, ends)
    begins = arrays.instants(starts[rows])
    return pa.table(
        {
            "discount_id": arrays.ints(DISCOUNT_BASE + rows),
            "title": arrays.names(programme.texts, rows),
            "code": arrays.names(programme.texts, rows),
            "starts_at": begins,
            "ends_at": arrays.instants(ends[rows]),
            "kind": arrays.constant("percentage", len(rows)),
            "value": arrays.money(programme.percents[rows] * 100),
            "usage_limit": pa.nulls(len(rows), pa.int64()),
            "created_at": begins,
            "updated_at": begins,
        }
    )


OF_ORDERS = ("orders", "order_lines", "order_codes", "order_visits", "order_updates")
"""Tables that are the tables of all `Shop.parts`, one after another."""

_TABLES: dict[str, Callable[[Shop], pa.Table]] = {
    "orders": _orders,
    "order_lines": _lines,
    "order_codes": _codes,
    "order_visits": _visits,
    "order_updates": _updates,
    "refunds": _refunds,
    "refund_lines": _refund_lines,
    "customers": _customers,
    "products": _products,
    "variants": _variants,
    "discount_codes": _discounts,
}

OF_ALL = tuple(name for name in _TABLES if name not in OF_ORDERS)
"""The other tables."""
