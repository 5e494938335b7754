"""How a visit arrives, as addresses: links of creators, campaign tags, referrers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, words
from ingestion.synthetic.columns import NONE, Bools, Ints
from ingestion.synthetic.visits import (
    COUPON,
    CREATOR,
    EMAIL,
    PAID_SEARCH,
    PAID_SOCIAL,
    REFERRAL,
    SEARCH,
    SOCIAL,
)

SHOP = "https://shop.example"

_TAGS = {
    PAID_SEARCH: ("google", "cpc", "brand", None),
    PAID_SOCIAL: ("instagram", "paid_social", "prospecting", None),
    EMAIL: ("newsletter", "email", "weekly", None),
}
_REFERRERS = {
    SEARCH: "https://www.google.com/",
    PAID_SEARCH: "https://www.google.com/",
    PAID_SOCIAL: "https://l.instagram.com/",
    SOCIAL: "https://www.instagram.com/",
    REFERRAL: "https://magazine.example/best-of",
}
PLATFORM_REFERRERS = (
    "https://l.instagram.com/",
    "https://www.tiktok.com/",
    "https://www.youtube.com/",
)


@dataclass(frozen=True)
class Arrivals:
    """Campaign tags and referrer, row by row; null where there is none."""

    source: pa.Array
    medium: pa.Array
    campaign: pa.Array
    content: pa.Array
    referrer: pa.Array
    query: pa.Array
    """From the question mark on, with `cid`; empty where there are no tags."""


def link_ids(creator: Ints, post: Ints) -> pa.Array:
    """Ids of tracked links; `post` none for a creator's general one."""
    general = arrays.join("l-", arrays.texts(creator + 1))
    own = arrays.join(general, "-", arrays.texts(post))
    return arrays.only(creator != NONE, arrays.either(post != NONE, own, general))


def slugs(creator: Ints) -> pa.Array:
    """What links call a creator."""
    return arrays.only(creator != NONE, arrays.join("c", arrays.texts(creator + 1)))


def contents(creator: Ints, post: Ints) -> pa.Array:
    """`utm_content` of links."""
    named = arrays.either(post != NONE, arrays.join("p", arrays.texts(post)), "bio")
    return arrays.only(creator != NONE, named)


def make(
    *, channel: Ints, creator: Ints, post: Ints, platform: Ints, visit: Ints, is_marked: Bools
) -> Arrivals:
    """Arrivals of visits.

    Args:
        channel: Positions in `visits.CHANNELS`.
        creator: Whose link it was; none.
        post: Whose own link it was; none.
        platform: Of the creator's link.
        visit: Ids; the click of a visit has its number.
        is_marked: Whether tags were still there.
    """
    by_creator = (channel == CREATOR) & (creator != NONE)
    with_tags = by_creator & is_marked
    size = len(channel)
    tagged = np.isin(channel, list(_TAGS))

    def tag(position: int, of_creator: pa.Array) -> pa.Array:
        listed = [_TAGS.get(number, (None,) * 4)[position] for number in range(COUPON + 1)]
        usual = pa.array(listed, pa.string()).take(pa.array(channel))
        return arrays.either(with_tags, of_creator, arrays.only(tagged, usual))

    source = tag(0, arrays.names(words.PLATFORMS, platform))
    medium = tag(1, arrays.constant("influencer", size))
    campaign = tag(2, slugs(creator))
    content = tag(3, contents(creator, post))
    referrers = [_REFERRERS.get(number) for number in range(COUPON + 1)]
    referrer = pa.array(referrers, pa.string()).take(pa.array(channel))
    referrer = arrays.either(by_creator, arrays.names(PLATFORM_REFERRERS, platform), referrer)
    coupon = arrays.names(words.COUPON_SITES, visit % len(words.COUPON_SITES))
    referrer = arrays.either(channel == COUPON, coupon, referrer)
    base = arrays.join("?utm_source=", source, "&utm_medium=", medium, "&utm_campaign=", campaign)
    marked = arrays.join(base, "&utm_content=", content, "&cid=c", arrays.texts(visit))
    query = arrays.either(with_tags, marked, arrays.either(tagged, base, ""))
    return Arrivals(source, medium, campaign, content, referrer, query)
