"""What is sold and told around it: products, campaigns, currency rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingestion.synthetic import words
from ingestion.synthetic.clock import DAY, Clock
from ingestion.synthetic.columns import Columns, Ints
from ingestion.synthetic.randomness import Streams

CAMPAIGN_DAYS = 40
GIFT_CARD = 0
"""Position of the product that is a gift card."""


@dataclass(frozen=True)
class Products(Columns):
    """One row per product, which has one variant; prices and costs in cents."""

    product_id: Ints
    variant_id: Ints
    niche: Ints
    price: Ints
    cost: Ints
    weight: Ints
    created: Ints


@dataclass(frozen=True)
class Campaigns(Columns):
    """One row per campaign; budget in cents."""

    starts: Ints
    ends: Ints
    budget: Ints


@dataclass(frozen=True)
class Catalogue:
    """Products with their titles, and campaigns with their names."""

    products: Products
    titles: tuple[str, ...]
    campaigns: Campaigns
    campaign_ids: tuple[str, ...]
    campaign_names: tuple[str, ...]


def make(streams: Streams, clock: Clock) -> Catalogue:
    """All products and campaigns of a world."""
    luck = streams.of("catalogue")
    named = [("Gift card", 0)]
    named += [
        (noun, number)
        for number, niche in enumerate(words.NICHES)
        for noun in words.PRODUCT_NOUNS[niche]
    ]
    size = len(named)
    price = 990 + 500 * luck.below(26, size)
    price[GIFT_CARD] = 2_500
    cost = price * (30 + luck.below(25, size)) // 100
    cost[GIFT_CARD] = 2_500
    weight = np.rint(100 * luck.gamma(1.5, size)).astype(np.int64) + 5
    weight[GIFT_CARD] = 15
    products = Products(
        product_id=8_100_000_000_000 + 37 * np.arange(size, dtype=np.int64),
        variant_id=45_200_000_000_000 + 41 * np.arange(size, dtype=np.int64),
        niche=np.array([number for _, number in named], dtype=np.int64),
        price=price,
        cost=cost,
        weight=weight,
        created=np.full(size, int(clock.starts[0]), dtype=np.int64),
    )
    count = max(-(-clock.days // CAMPAIGN_DAYS), 1)
    starts = np.array(
        [clock.begin_of(np.array([number * CAMPAIGN_DAYS]))[0] for number in range(count)]
    )
    campaigns = Campaigns(
        starts=starts,
        ends=starts + CAMPAIGN_DAYS * DAY,
        budget=100_000 * (5 + luck.below(20, count)),
    )
    names = tuple(f"Drop {number + 1}" for number in range(count))
    ids = tuple(f"drop-{number + 1}" for number in range(count))
    return Catalogue(products, tuple(noun for noun, _ in named), campaigns, ids, names)


def fx_rates(streams: Streams, clock: Clock) -> tuple[Ints, Ints]:
    """Business days, and units of the reporting currency for one of the shop's, in 1e-4."""
    luck = streams.of("fx")
    first = int(clock.day_of(clock.starts[:1])[0])
    days = np.arange(first, clock.days, dtype=np.int64)
    walk = np.cumsum(luck.normal(len(days))) * 25
    rates = 10_850 + np.rint(walk).astype(np.int64)
    is_business = (clock.first.weekday() + days) % 7 < 5
    return days[is_business], rates[is_business]
