"""The world's tables as rows of the drop contract, entity by entity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.synthetic import arrays, arrivals, catalogue as selling, posts as posting, words
from ingestion.synthetic.catalogue import Catalogue
from ingestion.synthetic.clock import HOUR, SECOND, Clock, instant
from ingestion.synthetic.columns import NONE, Bools, Ints
from ingestion.synthetic.creators import CONSENTS, FOREVER, STATUSES, Programme
from ingestion.synthetic.orders import Orders
from ingestion.synthetic.people import Follows, People, customer_ids
from ingestion.synthetic.posts import FORMATS, METRICS, DailyMetrics, Posts, Snapshots
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import Scenario
from ingestion.synthetic.shop import Shop, emails
from ingestion.synthetic.words import CURRENCY

ROSTER_EVERY = 10
"""Every so many creators the fee and the code are kept in the roster alone."""


def creator_ids(creator: Ints) -> pa.Array:
    """Ids of creators; null for none."""
    return arrays.only(creator != NONE, arrays.join("cr-", arrays.texts(creator + 1)))


def _handles(programme: Programme, creator: Ints) -> pa.Array:
    named = [programme.handle(number) for number in range(len(programme.creators))]
    return arrays.join("@", arrays.names(named, creator))


def in_roster(programme: Programme, clock: Clock) -> Bools:
    """Creators whose code and fee stand in the roster."""
    creators = programme.creators
    number = np.arange(len(creators))
    plain = np.ones(len(creators), dtype=bool)
    odd = programme.codes.kind != 0
    plain[programme.codes.creator[odd & (programme.codes.creator != NONE)]] = False
    leaked = np.flatnonzero(programme.leaked < FOREVER)
    plain &= ~np.isin(creators.code, leaked)
    chosen: Bools = (number % ROSTER_EVERY == 3) & plain & (creators.active_from < clock.end)
    return chosen


def creators(programme: Programme, clock: Clock, customers: Ints) -> Iterator[tuple[str, pa.Table]]:
    """Names of files and rows of `creators`: as the programme stood at first, and what changed.

    Args:
        customers: People who are customers of the shop by the end.
    """
    listed = programme.creators
    before = listed.status_at(clock.start)
    after = listed.status_at(clock.end - SECOND)
    rows = np.arange(len(listed), dtype=np.int64)
    yield (
        clock.date_of(0).isoformat(),
        _creators(
            programme, rows, before, np.full(len(rows), clock.start, dtype=np.int64), customers
        ),
    )
    changed = rows[after != before]
    since = np.select(
        [after == 2, after == 1], [listed.active_to, listed.paused_from], listed.joined
    )
    if len(changed):
        yield (
            clock.date_of(clock.days - 1).isoformat(),
            _creators(programme, changed, after, since[changed], customers),
        )


def _creators(
    programme: Programme, rows: Ints, status: Ints, updated: Ints, customers: Ints
) -> pa.Table:
    listed = programme.creators.take(rows)
    is_there = status[rows] != 3
    left = (status[rows] == 2) & (listed.active_to < FOREVER)
    is_customer = np.isin(listed.person, customers) & (listed.person != NONE)
    rate = pa.array(listed.commission / 100.0)
    return pa.table(
        {
            "creator_id": creator_ids(rows),
            "display_handle": _handles(programme, rows),
            "handle": _handles(programme, rows),
            "platform": arrays.names(words.PLATFORMS, listed.platform),
            "status": arrays.names(STATUSES, status[rows]),
            "program_joined_at": arrays.instants(listed.joined, is_there),
            "program_left_at": arrays.instants(listed.active_to, left),
            "home_country": arrays.names(words.COUNTRIES, listed.country),
            "niche": arrays.names(words.NICHES, listed.niche),
            "agreed_commission_rate": rate,
            "consent_basis": arrays.names(CONSENTS, listed.consent),
            "customer_id": arrays.only(is_customer, arrays.texts(customer_ids(listed.person))),
            "updated_at": arrays.instants(updated),
        }
    )


def accounts(programme: Programme, clock: Clock) -> pa.Table:
    """Rows of `creator_accounts`; one in fifty is not matched to its creator."""
    held = programme.accounts
    size = len(held)
    is_matched = np.arange(size) % 50 != 37
    joined = programme.creators.joined[held.creator]
    return pa.table(
        {
            "platform": arrays.names(words.PLATFORMS, held.platform),
            "platform_user_id": arrays.texts(held.platform_ids()),
            "creator_id": arrays.only(is_matched, creator_ids(held.creator)),
            "handle": _handles(programme, held.creator),
            "account_type": arrays.names(("creator", "creator", "channel"), held.platform),
            "is_verified": arrays.flags(held.followers > 100_000),
            "first_seen_at": arrays.instants(np.minimum(joined, clock.start)),
            "match_method": arrays.only(is_matched, arrays.constant("oauth", size)),
            "updated_at": arrays.instants(np.full(size, clock.start, dtype=np.int64)),
        }
    )


def followers(
    programme: Programme, streams: Streams, clock: Clock
) -> Iterator[tuple[pa.Table, Ints]]:
    """Rows of `creator_follower_snapshots` day by day, and when they were observed.

    YouTube tells three significant digits from 1,000 on; some days are missing, some creators were
    never counted.
    """
    luck = streams.of("snapshots")
    held = programme.accounts
    ids = held.platform_ids()
    is_counted = programme.creators.is_counted[held.creator]
    for day in range(clock.days):
        rows = np.flatnonzero(is_counted & ~luck.chance(0.02, len(held)))
        count = programme.followers[rows, day]
        is_rounded = (held.platform[rows] == 2) & (count >= 1_000)
        step = 10 ** np.maximum(np.floor(np.log10(np.maximum(count, 1))).astype(np.int64) - 2, 0)
        shown = np.where(is_rounded, count // step * step, count)
        observed = clock.begin_of(np.full(len(rows), day)) + 4 * HOUR + (rows % 3_000) * SECOND
        yield (
            pa.table(
                {
                    "platform": arrays.names(words.PLATFORMS, held.platform[rows]),
                    "platform_user_id": arrays.texts(ids[rows]),
                    "observed_at": arrays.instants(observed),
                    "follower_count": arrays.ints(shown),
                    "following_count": arrays.ints(150 + rows * 37 % 900),
                    "follower_precision": arrays.names(
                        ("exact", "rounded_3sf"), is_rounded.astype(np.int64)
                    ),
                    "method": arrays.constant("profile", len(rows)),
                }
            ),
            observed,
        )


def posts(made: Posts, programme: Programme, catalogue: Catalogue) -> pa.Table:
    """Rows of `posts`."""
    niche = programme.creators.niche[made.creator]
    first = arrays.names([words.HASHTAGS[one][0] for one in words.NICHES], niche)
    second = arrays.names([words.HASHTAGS[one][1] for one in words.NICHES], niche)
    disclosed = arrays.names(words.DISCLOSURES, made.tag)
    tags = [
        [one for one in listed if one is not None]
        for listed in zip(first.to_pylist(), second.to_pylist(), disclosed.to_pylist(), strict=True)
    ]
    ids = arrays.texts(made.ids())
    is_video = (made.format == 2) | (made.format >= 4)
    hosts = ("www.instagram.com/p/", "www.tiktok.com/video/", "www.youtube.com/shorts/")
    text = [
        f"{'New from our friends' if sold else 'My week'} #{' #'.join(listed)}"
        for sold, listed in zip(made.is_sponsored.tolist(), tags, strict=True)
    ]
    return pa.table(
        {
            "platform": arrays.names(words.PLATFORMS, made.platform),
            "post_id": ids,
            "platform_user_id": arrays.texts(programme.accounts.platform_ids()[made.account]),
            "creator_id": creator_ids(made.creator),
            "posted_at": arrays.instants(made.posted),
            "format": arrays.names(FORMATS, made.format),
            "permalink": arrays.join("https://", arrays.names(hosts, made.platform), ids),
            "caption": pa.array(text, pa.string()),
            "hashtags": pa.array(tags, pa.list_(pa.string())),
            "mentions": pa.array(
                [["@setae_shop"] if sold else [] for sold in made.is_sponsored.tolist()],
                pa.list_(pa.string()),
            ),
            "has_paid_label": arrays.flags(made.has_label),
            "duration_s": arrays.ints(12 + made.views % 70, is_video),
            "campaign_id": arrays.names(catalogue.campaign_ids, made.campaign),
            "is_available": arrays.flags(np.ones(len(made), dtype=bool)),
        }
    )


def metric_snapshots(made: Snapshots, listed: Posts) -> pa.Table:
    """Rows of `post_metric_snapshots`."""
    return pa.table(
        {
            "platform": arrays.names(words.PLATFORMS, listed.platform[made.post]),
            "post_id": arrays.texts(listed.ids()[made.post]),
            "metric": arrays.names(METRICS, made.metric),
            "value": arrays.ints(made.value),
            "scope": arrays.constant("organic", len(made)),
            "observed_at": arrays.instants(made.observed),
        }
    )


def metric_days(made: DailyMetrics, listed: Posts, clock: Clock) -> tuple[pa.Table, Ints]:
    """Rows of `post_metrics_daily`, and when each was told: two days later."""
    told = clock.begin_of(made.day + 1) + 30 * HOUR
    dates = [clock.date_of(one).isoformat() for one in range(clock.days + 1)]
    return (
        pa.table(
            {
                "platform": arrays.names(words.PLATFORMS, listed.platform[made.post]),
                "post_id": arrays.texts(listed.ids()[made.post]),
                "metric_date": arrays.names(dates, made.day),
                "metric_tz": arrays.constant("America/Los_Angeles", len(made)),
                "metric": arrays.names(posting.METRICS, made.metric),
                "value": arrays.ints(made.value),
                "is_final": arrays.flags(np.ones(len(made), dtype=bool)),
                "observed_at": arrays.instants(told),
            }
        ),
        told,
    )


def tracked_links(
    programme: Programme, made: Posts, catalogue: Catalogue, clock: Clock
) -> pa.Table:
    """Rows of `tracked_links`: a general one a creator, and one of their own for some posts."""
    active = np.flatnonzero(programme.creators.active_from < clock.end)
    own = np.flatnonzero(made.has_link)
    creator = np.concatenate([active, made.creator[own]])
    post = np.concatenate([np.full(len(active), NONE, dtype=np.int64), own])
    at = np.maximum(post, 0)
    has_post = post != NONE
    platform = (
        np.where(has_post, made.platform[at], programme.creators.platform[creator])
        if len(made)
        else programme.creators.platform[creator]
    )
    posted = np.where(has_post, made.posted[at], 0) if len(made) else np.zeros_like(post)
    begins = np.where(has_post, posted - HOUR, programme.creators.active_from[creator])
    campaign = np.where(has_post, made.campaign[at], NONE) if len(made) else post
    source = arrays.names(words.PLATFORMS, platform)
    slug, content = arrivals.slugs(creator), arrivals.contents(creator, post)
    target = arrays.join(
        arrivals.SHOP, "/?utm_source=", source, "&utm_medium=influencer&utm_campaign=", slug,
        "&utm_content=", content,
    )  # fmt: skip
    return pa.table(
        {
            "link_id": arrivals.link_ids(creator, post),
            "slug": arrays.join(slug, "-", content),
            "target_url": target,
            "creator_id": creator_ids(creator),
            "campaign_id": arrays.names(catalogue.campaign_ids, campaign),
            "post_id": arrays.only(has_post, arrays.texts(made.ids()[at]))
            if len(made)
            else pa.nulls(len(post), pa.string()),
            "platform": source,
            "valid_from": arrays.instants(begins),
            "utm_source": source,
            "utm_medium": arrays.constant("influencer", len(creator)),
            "utm_campaign": slug,
            "utm_content": content,
        }
    )


def promo_codes(programme: Programme, clock: Clock, listed: Bools) -> tuple[pa.Table, Ints]:
    """Rows of `promo_codes`, and when each is delivered: some owners are told weeks late.

    Args:
        listed: Creators whose code stands in the roster instead.
    """
    codes = programme.codes
    kept = ~((codes.creator != NONE) & listed[np.maximum(codes.creator, 0)])
    chosen = codes.take(np.flatnonzero(kept & (codes.valid_from < clock.end)))
    ends = np.where(chosen.valid_to >= FOREVER, NONE, chosen.valid_to)
    has_owner = chosen.creator != NONE
    rate = programme.creators.commission[np.maximum(chosen.creator, 0)] / 100.0
    table = pa.table(
        {
            "code": arrays.names(programme.texts, chosen.text),
            "creator_id": creator_ids(chosen.creator),
            "valid_from": arrays.instants(chosen.valid_from),
            "valid_to": arrays.instants(ends),
            "discount_type": arrays.constant("percent", len(chosen)),
            "discount_value": arrays.ints(chosen.percent),
            "commission_rate": pa.array(rate, mask=~has_owner),
            "owner_source": arrays.constant("manual", len(chosen)),
        }
    )
    return table, np.minimum(np.maximum(chosen.delivered, clock.start), clock.end - SECOND)


def campaigns(catalogue: Catalogue) -> pa.Table:
    """Rows of `campaigns`."""
    listed = catalogue.campaigns
    size = len(listed)
    return pa.table(
        {
            "campaign_id": pa.array(catalogue.campaign_ids),
            "name": pa.array(catalogue.campaign_names),
            "starts_at": arrays.instants(listed.starts),
            "ends_at": arrays.instants(listed.ends),
            "budget_amount": arrays.money(listed.budget),
            "currency": arrays.constant(CURRENCY, size),
            "brand": arrays.constant(words.BRANDS[0], size),
        }
    )


def fx_rates(scenario: Scenario, streams: Streams, clock: Clock) -> pa.Table:
    """Rows of `fx_rates_daily`, on business days only."""
    days, rates = selling.fx_rates(streams, clock)
    size = len(days)
    return pa.table(
        {
            "currency": arrays.constant(CURRENCY, size),
            "rate_date": pa.array([clock.date_of(int(day)).isoformat() for day in days]),
            "reporting_currency": arrays.constant(scenario.reporting_currency, size),
            "rate": pa.array([f"{rate // 10_000}.{rate % 10_000:04d}" for rate in rates.tolist()]),
        }
    )


def experiments(scenario: Scenario, programme: Programme, clock: Clock) -> pa.Table:
    """The one row of `experiments`: who was activated when, as the lot decided."""
    wave = programme.creators.wave
    assigned = np.flatnonzero(wave != NONE)
    if not len(assigned):
        return pa.table({"experiment_id": pa.array([], pa.string())})
    starts = [int(share * clock.days) for share in scenario.wave_starts]
    waves = {
        f"wave-{number + 1}": _text(int(clock.begin_of(np.array([day]))[0]))
        for number, day in enumerate(starts)
    }
    assignments = {f"cr-{one + 1}": f"wave-{wave[one] + 1}" for one in assigned.tolist()}
    begin = clock.begin_of(np.array([starts[0]]))
    return pa.table(
        {
            "experiment_id": pa.array(["x-activation"]),
            "unit": pa.array(["creator_activation"]),
            "starts_at": arrays.instants(begin),
            "ends_at": arrays.instants(np.array([clock.end])),
            "metric": pa.array(["order_count"]),
            "assignments": pa.array([json.dumps(assignments)]),
            "waves": pa.array([json.dumps(waves)]),
        }
    )


def _text(micros: int) -> str:
    return instant(micros).astimezone(UTC).isoformat().replace("+00:00", "Z")


ROSTER_HEADER = (
    "handle", "platform", "platform_user_id", "creator_id", "code", "fee", "currency",
    "commission_rate", "status", "valid_from", "valid_to", "niche", "consent_basis",
)  # fmt: skip


def roster(
    programme: Programme, clock: Clock, streams: Streams, listed: Bools, *, has_fault: bool
) -> list[list[Any]]:
    """Rows of the roster workbook; the last names a platform that is none."""
    luck = streams.of("roster")
    creators_ = programme.creators
    ids = programme.accounts.platform_ids()
    rows: list[list[Any]] = []
    chosen = np.flatnonzero(listed)
    fees = np.array([50, 150, 600, 2_500])[creators_.tier[chosen]] + luck.below(40, len(chosen))
    for creator, fee in zip(chosen.tolist(), fees.tolist(), strict=True):
        day = int(clock.day_of(creators_.active_from[creator : creator + 1])[0])
        code = int(creators_.code[creator])
        rows.append(
            [
                f"@{programme.handle(creator)}",
                words.PLATFORMS[int(creators_.platform[creator])],
                str(ids[creator]),
                programme.id_of(creator),
                programme.texts[code] if code != NONE else None,
                fee,
                CURRENCY,
                int(creators_.commission[creator]) / 100,
                "active",
                clock.date_of(day).isoformat(),
                None,
                words.NICHES[int(creators_.niche[creator])],
                CONSENTS[int(creators_.consent[creator])],
            ]
        )
    if has_fault and len(rows) >= 10:
        broken = list(rows[0])
        broken[0], broken[1], broken[3] = "@bad.row", "myspace", "cr-bad"
        rows.append(broken)
    return rows


def account_links(people: pa.Array, emails: pa.Array, since: Ints) -> pa.Table:
    """Rows of `identity_links`: an account and its address, from the moment it was made."""
    size = len(since)
    return pa.table(
        {
            "left_type": arrays.constant("user", size),
            "left_id": people,
            "right_type": arrays.constant("email", size),
            "right_id": emails,
            "link_type": arrays.constant("identify", size),
            "first_seen_at": arrays.instants(since),
            "evidence_count": arrays.ints(np.ones(size, dtype=np.int64)),
            "confidence": arrays.constant("deterministic", size),
        }
    )


def checkout_links(visitor: pa.Array, emails: pa.Array, at: Ints) -> pa.Table:
    """Rows of `identity_links`: a browser and the address first typed at its checkout."""
    made = pa.table(
        {
            "left_type": arrays.constant("visitor", len(at)),
            "left_id": visitor,
            "right_type": arrays.constant("email", len(at)),
            "right_id": emails,
            "link_type": arrays.constant("checkout", len(at)),
            "first_seen_at": arrays.instants(at),
            "evidence_count": arrays.ints(np.ones(len(at), dtype=np.int64)),
            "confidence": arrays.constant("deterministic", len(at)),
        }
    )
    seen: set[tuple[str, str]] = set()
    keep = []
    pairs = zip(made["left_id"].to_pylist(), made["right_id"].to_pylist(), strict=True)
    for row, pair in enumerate(pairs):
        if None not in pair and pair not in seen:
            seen.add(pair)
            keep.append(row)
    return made.take(pa.array(keep, pa.int64()))


def gallery_exposures(
    luck: Luck, catalogue: Catalogue, programme: Programme, visitor: pa.Array, starts: Ints
) -> tuple[pa.Table, Ints]:
    """Rows of `campaign_exposures`: pictures of creators a visitor met on the shop's own pages."""
    size = len(starts)
    shown = np.flatnonzero(luck.chance(0.02, size))
    creator = luck.below(len(programme.creators), len(shown))
    at = starts[shown] + 20 * SECOND
    is_active = programme.creators.are_active(creator, at)
    shown, creator, at = shown[is_active], creator[is_active], at[is_active]
    begun = catalogue.campaigns.starts
    campaign = np.clip(np.searchsorted(begun, at, side="right") - 1, 0, len(begun) - 1)
    table = pa.table(
        {
            "campaign_id": arrays.names(catalogue.campaign_ids, campaign.astype(np.int64)),
            "anonymous_id": visitor.take(pa.array(shown)),
            "exposed_at": arrays.instants(at),
            "creator_id": creator_ids(creator),
        }
    )
    has_visitor = np.array(table["anonymous_id"].is_valid().to_pylist(), dtype=bool)
    rows = np.flatnonzero(has_visitor)
    return table.take(pa.array(rows)), at[rows]


def audience_lists(
    luck: Luck,
    scenario: Scenario,
    programme: Programme,
    people: People,
    follows: Follows,
    *,
    begin: int,
    before: int,
) -> tuple[pa.Table, Ints]:
    """Rows of `campaign_exposures`: who belongs to a creator of the experiment, known in time.

    Creators hand in lists of their followers before the first wave. Those whom the shop knows are
    found by their address, which is the same whichever source knows the customer. The lists name no
    creator, so they are no exposure.
    """
    told = luck.chance(scenario.listed_share, len(follows))
    listed_at = begin + luck.below(max(before - begin, 1), len(follows))
    told &= (programme.creators.wave[follows.creator] != NONE) & (before > begin)
    told &= people.is_old[follows.row]
    at = listed_at[told]
    table = pa.table(
        {
            "campaign_id": arrays.join("audience-", creator_ids(follows.creator[told])),
            "email": emails(people.person[follows.row[told]]),
            "exposed_at": arrays.instants(at),
            "creator_id": pa.nulls(len(at), pa.string()),
        }
    )
    return table, at


def _id_text(table: pa.Table, *names: str) -> pa.Table:
    for name in names:
        position = table.schema.get_field_index(name)
        table = table.set_column(position, name, table[name].cast(pa.string()))
    return table


def order_versions(
    shop: Shop, refunded: Ints, returned: Ints
) -> tuple[tuple[pa.Table, Ints], tuple[pa.Table, Ints]]:
    """Rows of `orders` as first delivered, and the later versions, each with its `updated_at`.

    Args:
        refunded: Per order the cents refunded by the end.
        returned: Per order the cents of goods returned by the end.
    """
    orders, own = shop.orders, _id_text(shop["orders"], "order_id", "customer_id")
    codes = _listed_codes(shop)
    is_paid = orders.paid != NONE
    first_at = np.where(is_paid, orders.paid, orders.created)
    zero = np.zeros(len(orders), dtype=np.int64)
    first = _orders(
        own, codes, orders, np.where(is_paid, 1, 0), zero, zero, first_at,
        np.full(len(orders), NONE, dtype=np.int64),
    )  # fmt: skip
    updates = shop["order_updates"]
    ids, at = updates["order_id"].to_numpy(), updates["updated_at"].cast(pa.int64()).to_numpy()
    # Updates are sorted by order and time: the last of each order counts.
    last_at = at[np.searchsorted(ids, shop.own_ids, side="right") - 1].astype(np.int64)
    has_more = last_at > first_at
    status = np.select(
        [
            (refunded > 0) & (refunded >= orders.total),
            refunded > 0,
            orders.cancelled != NONE,
            ~is_paid,
        ],
        [3, 2, 4, 0],
        1,
    )
    later = _orders(own, codes, orders, status, refunded, returned, last_at, orders.cancelled)
    rows = np.flatnonzero(has_more)
    return (first, first_at), (later.take(pa.array(rows)), last_at[rows])


def _listed_codes(shop: Shop) -> pa.Array:
    """The codes of each order, a list of one or none."""
    typed = iter(shop["order_codes"]["code"].to_pylist())
    listed = [[next(typed)] if has_code else [] for has_code in (shop.orders.code != NONE).tolist()]
    return pa.array(listed, pa.list_(pa.string()))


def _orders(
    own: pa.Table,
    codes: pa.Array,
    orders: Orders,
    status: Ints,
    refunded: Ints,
    returned: Ints,
    updated: Ints,
    cancelled: Ints,
) -> pa.Table:
    size = len(orders)
    statuses = ("pending", "paid", "partially_refunded", "refunded", "voided")
    platforms = ("web", "ios", "android", "store", "web")
    return pa.table(
        {
            "order_id": own["order_id"],
            "order_number": own["name"],
            "ordered_at": own["processed_at"],
            "created_at": own["created_at"],
            "cancelled_at": arrays.instants(cancelled),
            "customer_id": own["customer_id"],
            "email": own["email"],
            "financial_status": arrays.names(statuses, status.astype(np.int64)),
            "is_test": own["is_test"],
            # A shop of bricks is a channel of its own, whatever the till calls itself.
            "channel": pc.replace_substring_regex(own["source_name"], "^pos$", "store"),
            "platform": arrays.names(platforms, orders.source),
            "currency": own["currency"],
            "gross_amount": arrays.money(orders.subtotal + orders.discounts),
            "discount_amount": own["discounts"],
            "shipping_amount": own["shipping"],
            "tax_amount": own["tax"],
            "total_amount": own["total"],
            "refunded_amount": arrays.money(refunded),
            "returned_amount": arrays.money(returned),
            "ship_country": own["ship_country"],
            "discount_codes": codes,
            "updated_at": arrays.instants(updated),
            # Read and never stored: where these turn up, something leaks.
            "phone": own["phone"] if size else pa.nulls(0, pa.string()),
            "ship_name": own["ship_name"],
            "ship_address": own["ship_address"],
            "note": own["note"],
        }
    )


def order_lines(shop: Shop, returned: Ints) -> pa.Table:
    """Rows of `order_lines`.

    Args:
        returned: Per line the units given back by the end.
    """
    own = _id_text(shop["order_lines"], "order_id", "line_id", "product_id")
    current = own["quantity"].to_numpy() - returned
    return pa.table(
        {
            "order_id": own["order_id"],
            "line_id": own["line_id"],
            "product_id": own["product_id"],
            "sku": own["sku"],
            "quantity": own["quantity"],
            "current_quantity": arrays.ints(current),
            "unit_amount": own["unit_amount"],
            "discount_amount": own["discount_amount"],
            "net_amount": own["net_amount"],
            "currency": arrays.constant(CURRENCY, len(own)),
            "is_gift_card": own["is_gift_card"],
        }
    )


def refunds(shop: Shop, returned: Ints) -> pa.Table:
    """Rows of `refunds`."""
    own = _id_text(shop["refunds"], "order_id", "refund_id")
    return pa.table(
        {
            "refund_id": own["refund_id"],
            "order_id": own["order_id"],
            "refunded_at": own["created_at"],
            "amount": own["total_amount"],
            "returned_sales_amount": arrays.money(returned),
            "currency": arrays.constant(CURRENCY, len(own)),
            "reason": own["note"],
        }
    )


def refund_lines(shop: Shop, order_id: Ints) -> pa.Table:
    """Rows of `refund_lines`.

    Args:
        order_id: Of each row.
    """
    own = _id_text(shop["refund_lines"], "refund_id", "line_id")
    return pa.table(
        {
            "refund_id": own["refund_id"],
            "order_id": arrays.texts(order_id),
            "line_id": own["line_id"],
            "quantity": own["quantity"],
            "amount": own["subtotal"],
            "is_restocked": own["is_restocked"],
        }
    )


def customers(shop: Shop) -> pa.Table:
    """Rows of `customers`; names and telephones are read and never stored."""
    own = _id_text(shop["customers"], "customer_id")
    return own.select(
        ["customer_id", "email", "created_at", "accepts_marketing", "country", "updated_at",
         "first_name", "last_name", "phone"]
    )  # fmt: skip


def order_touches(shop: Shop, end: int) -> tuple[pa.Table, Ints]:
    """Rows of `order_touches` of orders whose journey is sorted out by the end, and since when."""
    visits = shop["order_visits"]
    at = np.searchsorted(shop.own_ids, visits["order_id"].to_numpy())
    ready = shop.orders.journey_ready[at]
    rows = np.flatnonzero(ready < end)
    own = _id_text(visits.take(pa.array(rows)), "order_id")
    return (
        pa.table(
            {
                "order_id": own["order_id"],
                "touch_role": own["role"],
                "touch_at": own["occurred_at"],
                "landing_path": arrays.constant("/", len(own)),
                "referrer_host": own["referrer_url"],
                "utm_source": own["utm_source"],
                "utm_medium": own["utm_medium"],
                "utm_campaign": own["utm_campaign"],
                "utm_content": own["utm_content"],
                "is_journey_ready": arrays.flags(np.ones(len(own), dtype=bool)),
            }
        ),
        ready[rows],
    )


def order_discount_codes(shop: Shop) -> pa.Table:
    """Rows of `order_discount_codes`."""
    own = _id_text(shop["order_codes"], "order_id")
    return own.append_column("code_source", arrays.constant("order", len(own)))


def products(shop: Shop) -> pa.Table:
    """Rows of `products`, each with its one variant's sku and cost."""
    own, variants = _id_text(shop["products"], "product_id"), shop["variants"]
    return pa.table(
        {
            "product_id": own["product_id"],
            "sku": variants["sku"],
            "title": own["title"],
            "category": own["product_type"],
            "brand": own["vendor"],
            "unit_cost_amount": variants["unit_cost"],
            "currency": arrays.constant(CURRENCY, len(own)),
        }
    )
