"""What third parties and people say of orders: surveys, referrals, affiliate networks, platforms.

Everybody but the shop sees orders in a way of their own: surveys err, networks count what their
links saw, and platforms claim every order within seven days of a click or a day of a view,
whoever caused it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ingestion.synthetic import arrays, influence, words
from ingestion.synthetic.clock import DAY, SECOND, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Ints
from ingestion.synthetic.creators import FOREVER, Programme
from ingestion.synthetic.influence import Exposures
from ingestion.synthetic.orders import POS, Orders, owners_of
from ingestion.synthetic.people import People, customer_ids
from ingestion.synthetic.posts import Posts
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import Scenario
from ingestion.synthetic.visits import BY_SURVEY, PAID_SEARCH, PAID_SOCIAL, Visits
from ingestion.synthetic.words import CURRENCY

CLAIMING = ("instagram", "tiktok", "youtube", "google")
CLICK_CLAIM_DAYS, VIEW_CLAIM_DAYS = 7, 1
LOCK_DAYS = 30


@dataclass(frozen=True)
class Claims(Columns):
    """One row per order and platform that claims it; `order` is the position in the block."""

    order: Ints
    platform: Ints
    created: Ints
    total: Ints
    is_view: Bools


def claims(
    *,
    scenario: Scenario,
    luck: Luck,
    people: People,
    posts: Posts,
    exposures: Exposures,
    visits: Visits,
    orders: Orders,
) -> Claims:
    """What each platform would claim of a block's orders, by its own rule."""
    rows = np.flatnonzero((orders.cause < 2) & (orders.person != NONE) & (orders.visit != NONE))
    row = orders.person[rows] - people.first
    created = orders.created[rows]
    platform = posts.platform[exposures.post] if len(exposures) else exposures.post
    parts = []
    for number in range(len(CLAIMING)):
        own = exposures.take(platform == number)
        paid = {0: PAID_SOCIAL, 3: PAID_SEARCH}.get(number)
        clicked = _had(
            np.concatenate([own.row[own.clicked != NONE], visits.row[visits.channel == paid]])
            if paid is not None
            else own.row[own.clicked != NONE],
            np.concatenate([own.clicked[own.clicked != NONE], visits.start[visits.channel == paid]])
            if paid is not None
            else own.clicked[own.clicked != NONE],
            row,
            created,
            CLICK_CLAIM_DAYS * DAY,
        )
        viewed = influence.last_before(own, row, created, VIEW_CLAIM_DAYS * DAY) != NONE
        advertised = luck.chance(scenario.view_share if paid == PAID_SOCIAL else 0.0, len(rows))
        is_claimed = clicked | viewed | advertised
        at = np.flatnonzero(is_claimed)
        parts.append(
            Claims(
                order=rows[at],
                platform=np.full(len(at), number, dtype=np.int64),
                created=created[at],
                total=orders.total[rows[at]],
                is_view=~clicked[at],
            )
        )
    return Claims.concat(parts)


def _had(of_row: Ints, at: Ints, row: Ints, instants: Ints, within: int) -> Bools:
    """Whether anything of the person's happened in the `within` µs before an instant."""
    keys = np.sort(of_row * 2**33 + at // SECOND)
    upto = np.searchsorted(keys, row * 2**33 + instants // SECOND, side="right")
    since = np.searchsorted(keys, row * 2**33 + (instants - within) // SECOND, side="left")
    return upto > since


def claims_feed(made: Claims, clock: Clock) -> pa.Table:
    """Rows of `platform_claims`: one per platform, day and kind."""
    day = clock.day_of(made.created)
    key = (day * 8 + made.platform) * 2 + made.is_view
    found, inverse = np.unique(key, return_inverse=True)
    count = np.bincount(inverse, minlength=len(found)).astype(np.int64)
    value = np.zeros(len(found), dtype=np.int64)
    np.add.at(value, inverse, made.total)
    is_view = found % 2 == 1
    platform = found // 2 % 8
    days = found // 16
    dates = [clock.date_of(int(one)).isoformat() for one in days]
    return pa.table(
        {
            "claim_id": arrays.join("pc-", arrays.texts(found)),
            "platform": arrays.names(CLAIMING, platform),
            "claim_date": pa.array(dates, pa.string()),
            "conversions": arrays.ints(count),
            "value": arrays.money(value),
            "currency": arrays.constant(CURRENCY, len(found)),
            "window_days": arrays.ints(np.where(is_view, VIEW_CLAIM_DAYS, CLICK_CLAIM_DAYS)),
            "is_view_through": arrays.flags(is_view),
        }
    )


def surveys(
    scenario: Scenario, streams: Streams, programme: Programme, orders: Orders, ids: Ints
) -> tuple[pa.Table, Ints, Ints]:
    """Rows of `survey_responses`, when each was asked, and the creator it truly was; none."""
    luck = streams.of("surveys")
    asked = (
        (orders.cause < 2)
        & (orders.source < POS)
        & (luck.chance(scenario.survey_share, len(orders)) | (orders.declared == BY_SURVEY))
    )
    rows = np.flatnonzero(asked)
    size = len(rows)
    creator = orders.creator[rows]
    # Who came by a link or a code anyway often names its creator too.
    linked = np.where(creator == NONE, orders.last_creator[rows], creator)
    named = np.where((creator == NONE) & ~luck.chance(0.5, size), NONE, linked)
    errs = luck.chance(scenario.survey_error, size) & (orders.declared[rows] != BY_SURVEY)
    other = luck.below(max(len(programme.creators), 1), size)
    named = np.where(errs, np.where(luck.chance(0.5, size), other, NONE), named)
    template = luck.below(4, size)
    source = luck.choice((0.35, 0.25, 0.2, 0.2), size)
    has_name = named != NONE
    answers = []
    kinds = ("search", "ads", "friend", "other")
    for one, which, template_number in zip(
        named.tolist(), source.tolist(), template.tolist(), strict=True
    ):
        if one == NONE:
            listed = words.SURVEY_ANSWERS[kinds[which]]
            answers.append(listed[template_number % len(listed)])
        else:
            answers.append(
                words.SURVEY_ANSWERS["creator"][template_number].format(
                    handle=programme.handle(one),
                    first=words.FIRST_NAMES[one % len(words.FIRST_NAMES)],
                    platform=words.PLATFORMS[int(programme.creators.platform[one])],
                )
            )
    # A first name alone is no match.
    is_matched = has_name & (template < 2)
    at = orders.created[rows] + (20 + luck.below(100, size)) * SECOND
    table = pa.table(
        {
            "response_id": arrays.join("s-", arrays.texts(ids[rows])),
            "order_id": arrays.texts(ids[rows]),
            "asked_at": arrays.instants(at),
            "answer": pa.array(answers, pa.string()),
            "creator_id": arrays.only(
                is_matched, arrays.join("cr-", arrays.texts(np.maximum(named, 0) + 1))
            ),
            "match_score": pa.array(
                np.where(template == 1, 0.95, 0.8), mask=~is_matched, type=pa.float64()
            ),
            "is_unmatched": arrays.flags(~is_matched),
        }
    )
    by_time = np.argsort(at, kind="stable")
    return table.take(pa.array(by_time)), at[by_time], creator[by_time]


def referrals(
    scenario: Scenario, streams: Streams, programme: Programme, orders: Orders
) -> pa.Table:
    """Rows of `referrals`: new customers who were brought by an earlier one, some a creator."""
    luck = streams.of("referrals")
    real = np.flatnonzero((orders.cause < 3) & ~orders.is_guest)
    real = real[np.lexsort((orders.created[real], orders.person[real]))]
    is_first = np.concatenate([[True], orders.person[real][1:] != orders.person[real][:-1]])
    first = real[is_first[: len(real)]]
    first = first[np.argsort(orders.created[first], kind="stable")]
    is_brought = luck.chance(scenario.referral_share, len(first)) & (orders.cause[first] == 0)
    position = np.flatnonzero(is_brought)
    position = position[position > 0]
    earlier = np.floor(luck.uniform(len(position)) * position).astype(np.int64)
    referrer = orders.person[first[earlier]]
    # Customers who are creators bring more than their share.
    ambassadors = programme.creators.person
    ambassadors = np.intersect1d(ambassadors[ambassadors != NONE], orders.person[first])
    if len(ambassadors):
        chosen = ambassadors[luck.below(len(ambassadors), len(position))]
        referrer = np.where(luck.chance(0.3, len(position)), chosen, referrer)
    referred = orders.person[first[position]]
    keep = referrer != referred
    position, referrer, referred = position[keep], referrer[keep], referred[keep]
    return pa.table(
        {
            "referral_id": arrays.join("rr-", arrays.texts(np.arange(len(position)))),
            "referrer_customer_id": arrays.texts(customer_ids(referrer)),
            "referred_customer_id": arrays.texts(customer_ids(referred)),
            "code": arrays.join("FRIEND-", arrays.texts(referrer % 10_000)),
            "referred_at": arrays.instants(orders.created[first[position]]),
        }
    )


def affiliate_conversions(
    streams: Streams,
    clock: Clock,
    programme: Programme,
    orders: Orders,
    ids: Ints,
    refunded: Ints,
) -> tuple[pa.Table, Ints]:
    """Rows of `affiliate_conversions`, each state a version, and when each was told.

    Args:
        refunded: Per order when its first refund came; none.
    """
    luck = streams.of("affiliates")
    creators = programme.creators
    owner = owners_of(programme, orders.code, orders.created)
    partner = np.where(owner != NONE, owner, orders.last_creator)
    is_seen = (partner != NONE) & (orders.cause < 2)
    rows = np.flatnonzero(is_seen & creators.is_affiliate[np.maximum(partner, 0)])
    size = len(rows)
    partner = partner[rows]
    begun = orders.created[rows] + (60 + luck.below(600, size)) * SECOND
    locked = orders.created[rows] + LOCK_DAYS * DAY
    is_denied = luck.chance(0.03, size)
    back = np.where(refunded[rows] == NONE, FOREVER, refunded[rows])
    is_reversed = (back < locked) & ~is_denied
    decided = np.where(is_reversed, back + 3600 * SECOND, np.where(is_denied, begun + DAY, locked))
    state = np.where(is_reversed, 2, np.where(is_denied, 3, 1))
    is_decided = decided < clock.end
    which = np.concatenate([np.arange(size), np.flatnonzero(is_decided)])
    is_final = np.arange(len(which)) >= size
    told = np.where(is_final, decided[which], begun[which])
    states = ("pending", "approved", "reversed", "denied")
    commission = (orders.subtotal[rows] * creators.commission[partner] + 50) // 100
    table = pa.table(
        {
            "conversion_id": arrays.join("ac-", arrays.texts(ids[rows][which])),
            "order_id": arrays.texts(ids[rows][which]),
            "network": arrays.constant("impact", len(which)),
            "creator_id": arrays.join("cr-", arrays.texts(partner[which] + 1)),
            "code": arrays.names(
                programme.texts, np.where(owner[rows] != NONE, orders.code[rows], NONE)[which]
            ),
            "state": arrays.names(states, np.where(is_final, state[which], 0)),
            "event_at": arrays.instants(begun[which]),
            "locked_at": arrays.instants(locked[which], is_final & (state[which] == 1)),
            "sale_amount": arrays.money(orders.subtotal[rows][which]),
            "commission_amount": arrays.money(commission[which]),
            "currency": arrays.constant(CURRENCY, len(which)),
            "reversal_reason": arrays.only(
                is_final & (state[which] == 2), arrays.constant("returned", len(which))
            ),
            "updated_at": arrays.instants(told),
        }
    )
    by_time = np.argsort(told, kind="stable")
    return table.take(pa.array(by_time)), told[by_time]


def costs(
    streams: Streams, clock: Clock, programme: Programme, orders: Orders, in_roster: Bools
) -> pa.Table:
    """Rows of `creator_costs`: fees, gifts at cost, their shipping, commissions by 30 days."""
    luck = streams.of("costs")
    creators = programme.creators
    active = np.flatnonzero(creators.active_from < clock.end)
    fee = np.array([0, 15_000, 60_000, 250_000])[creators.tier[active]]
    fee = fee * (70 + luck.below(60, len(active))) // 100
    paid = active[(fee > 0) & ~in_roster[active]]
    gift = 1_000 + luck.below(3_000, len(active))
    owner = owners_of(programme, orders.code, orders.created)
    earns = np.flatnonzero((owner != NONE) & (orders.cause < 2))
    period = clock.day_of(orders.created[earns]) // 30
    key = owner[earns] * 1_000 + period
    found, inverse = np.unique(key, return_inverse=True)
    sold = np.zeros(len(found), dtype=np.int64)
    np.add.at(sold, inverse, orders.subtotal[earns])
    earner = found // 1_000
    commission = (sold * creators.commission[earner] + 50) // 100
    last = np.minimum((found % 1_000 + 1) * 30, clock.days) - 1
    parts = [
        ("fee", paid, creators.active_from[paid], fee[np.searchsorted(active, paid)]),
        ("gift_at_cogs", active, creators.active_from[active] + DAY, gift),
        ("shipping", active, creators.active_from[active] + DAY,
         np.full(len(active), 590, dtype=np.int64)),
        ("commission", earner, clock.begin_of(last) + 20 * 3600 * SECOND, commission),
    ]  # fmt: skip
    tables = []
    for name, creator, at, amount in parts:
        rows = np.flatnonzero((amount > 0) & (at < clock.end))
        tables.append(
            pa.table(
                {
                    "cost_id": arrays.join(f"k-{name}-", arrays.texts(rows)),
                    "creator_id": arrays.join("cr-", arrays.texts(creator[rows] + 1)),
                    "cost_type": arrays.constant(name, len(rows)),
                    "incurred_at": arrays.instants(at[rows]),
                    "amount": arrays.money(amount[rows]),
                    "currency": arrays.constant(CURRENCY, len(rows)),
                }
            )
        )
    return pa.concat_tables(tables).combine_chunks()
