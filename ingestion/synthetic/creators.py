"""The creators: audience, platforms, time in the programme, codes, and what they truly do.

Audience sizes come from four log-normal bumps, mostly nano; the first six creators stand exactly on
the boundaries of the tiers and stay there. The effects of a creator are the tier's mean times a
gamma draw times relative trust, so that trusted creators sell more and are returned less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ingestion.synthetic import words
from ingestion.synthetic.clock import DAY, HOUR, Clock
from ingestion.synthetic.columns import NONE, Bools, Columns, Floats, Ints
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import TIER_BOUNDS, Scenario

FOREVER = 2**62
"""An end that does not come."""

BOUNDARIES = (999, 1_000, 9_999, 10_000, 100_000, 100_001)
_BUMPS = ((np.log(450.0), 0.6), (np.log(3e3), 0.55), (np.log(2.8e4), 0.6), (np.log(2.6e5), 0.6))
_MEAN_TRUST = 0.55

CODE_KINDS = ("plain", "moved", "late", "ambiguous", "brand")
STATUSES = ("active", "paused", "ended", "prospect")
CONSENTS = ("contract", "consent", "legit_interest")
BRAND_CODES = {"WELCOME10": 10, "NEWS5": 5}
"""The brand's own codes and their percent."""


@dataclass(frozen=True)
class Creators(Columns):
    """One row per creator; `creator_id` is `cr-` and the position plus one.

    Attributes:
        tier: Position in `TIERS`, by the main account's followers on day 0.
        growth: Of followers, a day.
        fraud_day: Day on which `bought` followers appear, else none.
        active_from, active_to: When posts about the brand may appear, µs.
        paused_from, paused_to: Within that, none appear.
        wave: Of the experiment; none where activation was not randomised.
        trust: From 0 to 1.
        return_effect: Extra visit hazard per hazard after an exposure.
        order_effect: Chance of an order caused by the first exposure.
        code: Position of the code's text; none.
        code_from, code_to: When its posts name that code, µs.
        person: The creator as a shopper; none.
        reply_rate, reply_minutes: How often and how soon comments are answered.
    """

    tier: Ints
    niche: Ints
    country: Ints
    platform: Ints
    second_platform: Ints
    followers: Ints
    second_followers: Ints
    growth: Floats
    fraud_day: Ints
    bought: Ints
    is_counted: Bools
    has_token: Bools
    joined: Ints
    active_from: Ints
    active_to: Ints
    paused_from: Ints
    paused_to: Ints
    wave: Ints
    consent: Ints
    posting: Floats
    disclosure: Floats
    reply_rate: Floats
    reply_minutes: Floats
    trust: Floats
    return_effect: Floats
    order_effect: Floats
    commission: Ints
    code: Ints
    code_from: Ints
    code_to: Ints
    person: Ints
    is_affiliate: Bools
    pod: Ints

    def are_active(self, creator: Ints, instants: Ints) -> Bools:
        """Whether creators are active at instants, row by row."""
        is_paused = (instants >= self.paused_from[creator]) & (instants < self.paused_to[creator])
        return (
            (instants >= self.active_from[creator])
            & (instants < self.active_to[creator])
            & ~is_paused
        )

    def codes_at(self, creator: Ints, instants: Ints) -> Ints:
        """The code a creator hands out at an instant; none where there is none."""
        is_valid = (instants >= self.code_from[creator]) & (instants < self.code_to[creator])
        return np.where(is_valid & (creator != NONE), self.code[creator], NONE)

    def status_at(self, instant: int) -> Ints:
        """Positions in `STATUSES` at an instant."""
        status = np.where(instant < self.joined, 3, 0)
        status = np.where((instant >= self.paused_from) & (instant < self.paused_to), 1, status)
        return np.where(instant >= self.active_to, 2, status).astype(np.int64)


@dataclass(frozen=True)
class Codes(Columns):
    """One row per code and range of validity.

    Attributes:
        text: Position in `Programme.texts`.
        creator: Its owner in the range; none for the brand's own.
        delivered: When the row reaches the pipeline, µs.
        kind: Position in `CODE_KINDS`.
    """

    text: Ints
    creator: Ints
    valid_from: Ints
    valid_to: Ints
    percent: Ints
    delivered: Ints
    kind: Ints


@dataclass(frozen=True)
class Accounts(Columns):
    """One row per creator and platform; main accounts first, in the order of creators."""

    creator: Ints
    platform: Ints
    followers: Ints
    is_main: Bools

    def platform_ids(self) -> Ints:
        """Numbers the platforms know the accounts by."""
        return (self.platform + 1) * 10**13 + 17_841_400_000_000 // 10 + np.arange(len(self)) * 7


@dataclass(frozen=True)
class Programme:
    """Everybody and everything the team manages.

    Attributes:
        texts: Codes as they are printed.
        percents: Discount of each text.
        leaked: When a coupon site began to list a text, µs; `FOREVER` where none did.
        followers: Count of each account (rows) on each day (columns).
    """

    creators: Creators
    accounts: Accounts
    codes: Codes
    texts: tuple[str, ...]
    percents: Ints
    leaked: Ints
    followers: Ints

    def handle(self, creator: int) -> str:
        """The handle, without `@`."""
        return handle(creator, int(self.creators.niche[creator]))

    def id_of(self, creator: int) -> str:
        """The team's own number of a creator."""
        return f"cr-{creator + 1}"


def handle(creator: int, niche: int) -> str:
    """A handle nobody else in the world has."""
    first = words.FIRST_NAMES[creator % len(words.FIRST_NAMES)].lower()
    return f"{first}.{words.NICHES[niche]}{creator + 1}"


def make(scenario: Scenario, streams: Streams, clock: Clock) -> Programme:
    """All creators, their accounts and codes."""
    size = scenario.creators
    luck = streams.of("creators")
    followers = _audiences(scenario, luck, size)
    tier = np.searchsorted(TIER_BOUNDS, followers, side="right").astype(np.int64)
    platform = luck.choice(words.PLATFORM_WEIGHTS, size)
    on_boundary = np.arange(size) < len(BOUNDARIES)
    platform[on_boundary] = 0  # exact counts, which YouTube does not tell
    has_second = luck.chance(scenario.second_platform_share, size) & ~on_boundary
    second = np.where(has_second, (platform + 1 + luck.below(2, size)) % 3, NONE)
    growth = np.where(on_boundary, 0.0, 0.0012 * luck.normal(size) + 0.001)
    is_fraud = luck.chance(scenario.fraud_share, size) & ~on_boundary
    trust = 0.2 + 0.7 * luck.uniform(size)
    niche = luck.below(len(words.NICHES), size)
    tenure = _tenure(scenario, streams.of("tenure"), clock, size)
    strength = streams.of("effects")
    return_mean, order_mean = (np.array(means) for means in scenario.mean_effects)
    relative = trust / _MEAN_TRUST
    return_effect = return_mean[tier] * strength.gamma(scenario.effect_shape, size) * relative
    order_effect = order_mean[tier] * strength.gamma(scenario.effect_shape, size) * relative
    none = np.full(size, NONE, dtype=np.int64)
    creators = Creators(
        tier=tier,
        niche=niche,
        country=luck.choice(words.COUNTRY_WEIGHTS, size),
        platform=platform,
        second_platform=second,
        followers=followers,
        second_followers=np.where(
            has_second, np.rint(followers * (0.1 + 0.8 * luck.uniform(size))), 0
        ).astype(np.int64),
        growth=growth,
        fraud_day=np.where(is_fraud, 5 + luck.below(max(clock.days - 10, 1), size), NONE),
        bought=np.rint(followers * (0.4 + luck.uniform(size))).astype(np.int64),
        is_counted=~luck.chance(scenario.no_snapshot_share, size) | on_boundary,
        has_token=luck.chance(scenario.token_share, size),
        consent=luck.choice((0.6, 0.25, 0.15), size),
        posting=scenario.posts_per_day * luck.gamma(2.0, size),
        disclosure=np.minimum(0.5 + 0.6 * luck.uniform(size), 1.0),
        reply_rate=np.clip(0.1 + 0.7 * trust + 0.1 * luck.normal(size), 0.0, 0.95),
        reply_minutes=60.0 * np.exp(luck.normal(size)),
        trust=trust,
        return_effect=return_effect,
        order_effect=np.minimum(order_effect, 0.5),
        commission=8 + luck.below(8, size),
        code=none,
        code_from=none,
        code_to=none,
        person=none,
        is_affiliate=luck.chance(scenario.affiliate_share, size),
        pod=np.where(luck.chance(0.06, size), luck.below(max(size // 60, 1), size), NONE),
        **tenure,
    )
    creators = _as_shoppers(creators, scenario, streams.of("ambassadors"))
    creators, codes, texts, percents = _codes(creators, scenario, streams.of("codes"), clock)
    leaked = _leaks(codes, texts, scenario, streams.of("leaks"), clock)
    accounts = _accounts(creators)
    return Programme(
        creators=creators,
        accounts=accounts,
        codes=codes,
        texts=texts,
        percents=percents,
        leaked=leaked,
        followers=_followers(creators, accounts, streams.of("followers"), clock.days),
    )


def _audiences(scenario: Scenario, luck: Luck, size: int) -> Ints:
    bump = luck.choice(scenario.tier_shares, size)
    middle = np.array([one[0] for one in _BUMPS])[bump]
    width = np.array([one[1] for one in _BUMPS])[bump]
    followers = np.rint(np.exp(middle + width * luck.normal(size))).astype(np.int64)
    known = min(size, len(BOUNDARIES))
    followers[:known] = BOUNDARIES[:known]
    return np.maximum(followers, 30)


def _tenure(scenario: Scenario, luck: Luck, clock: Clock, size: int) -> dict[str, Ints]:
    """When creators join, are activated, pause and leave; those who join later are in no wave."""
    is_early = luck.chance(0.75, size)
    joined_day = np.where(
        is_early, -1 - luck.below(180, size), luck.below(max(int(clock.days * 0.7), 1), size)
    )
    joined = clock.begin_of(joined_day) + 9 * HOUR
    # Every wave gets its share: positions in a random order, dealt round.
    dealt = np.full(size, NONE, dtype=np.int64)
    order = luck.order(size)
    order = order[is_early[order]]
    order = order[: int(len(order) * scenario.experiment_share)]
    dealt[order] = np.arange(len(order)) % len(scenario.wave_starts)
    wave_day = np.array([int(share * clock.days) for share in scenario.wave_starts])
    active_from = np.where(
        dealt != NONE,
        clock.begin_of(wave_day[dealt]),
        np.maximum(joined, clock.start),
    )
    remaining = np.maximum(clock.end - active_from, DAY)
    leaves = luck.chance(scenario.leave_share, size)
    active_to = np.where(
        leaves,
        active_from + (remaining * (0.4 + 0.5 * luck.uniform(size))).astype(np.int64),
        FOREVER,
    )
    pauses = luck.chance(scenario.pause_share, size) & ~leaves
    paused_from = np.where(
        pauses,
        active_from + (remaining * (0.2 + 0.3 * luck.uniform(size))).astype(np.int64),
        FOREVER,
    )
    comes_back = luck.chance(0.5, size)
    paused_to = np.where(pauses & comes_back, paused_from + remaining // 5, FOREVER)
    return {
        "joined": joined,
        "active_from": active_from,
        "active_to": _to_the_hour(active_to),
        "paused_from": _to_the_hour(paused_from),
        "paused_to": _to_the_hour(paused_to),
        "wave": dealt,
    }


def _to_the_hour(instants: Ints) -> Ints:
    return np.where(instants >= FOREVER, FOREVER, instants // HOUR * HOUR)


def _as_shoppers(creators: Creators, scenario: Scenario, luck: Luck) -> Creators:
    """Some creators are people of the world, each somebody else."""
    size = len(creators)
    wanted = luck.chance(scenario.ambassador_share, size) & (np.arange(size) < scenario.people)
    stride = max(scenario.people // size, 1)
    person = np.arange(size) * stride + luck.below(stride, size)
    return replace(creators, person=np.where(wanted, np.minimum(person, scenario.people - 1), NONE))


def _codes(
    creators: Creators, scenario: Scenario, luck: Luck, clock: Clock
) -> tuple[Creators, Codes, tuple[str, ...], Ints]:
    """One code a creator; some change hands, are owned twice, or are told late."""
    size = len(creators)
    has_code = luck.chance(scenario.code_share, size) & (creators.active_from < clock.end)
    percent = np.array([10, 10, 15, 20])[luck.below(4, size)]
    owners = np.flatnonzero(has_code)
    code = np.full(size, NONE, dtype=np.int64)
    code[owners] = np.arange(len(owners))
    code_from = np.where(has_code, creators.active_from, FOREVER)
    code_to = np.where(has_code, creators.active_to, FOREVER)
    valid_to = code_to.copy()
    kinds = np.zeros(size, dtype=np.int64)
    delivered = creators.active_from.copy()
    # Early starters only, so that a move or a late row falls inside the days observed.
    early = owners[creators.active_from[owners] < clock.start + (clock.end - clock.start) // 2]
    early = early[luck.order(len(early))]
    moved = early[: 2 * min(scenario.moved_codes, len(early) // 2)].reshape(-1, 2)
    rest = early[moved.size :]
    late = rest[: min(scenario.late_codes, len(rest))]
    shared = rest[len(late) :][: 2 * scenario.ambiguous_codes]
    shared = shared[: len(shared) // 2 * 2].reshape(-1, 2)
    middle = (clock.start + clock.end) // 2 // HOUR * HOUR
    for giver, taker in moved.tolist():
        code[taker] = code[giver]
        code_to[giver] = np.minimum(valid_to[giver], middle)
        valid_to[giver] = code_to[giver]
        code_from[taker] = middle
        kinds[[giver, taker]] = 1
        delivered[taker] = middle
    delivered[late] = creators.active_from[late] + 25 * DAY
    kinds[late] = 2
    for first, second in shared.tolist():
        code[second] = code[first]
        kinds[[first, second]] = 3
        # Each row states its end: one without would be taken to end where the next begins.
        both = [first, second]
        valid_to[both] = np.minimum(valid_to[both], clock.end + 30 * DAY)
    held = owners[code_from[owners] < code_to[owners]]
    rows = [
        code[held], held, code_from[held], valid_to[held], percent[owners[code[held]]],
        delivered[held], kinds[held],
    ]  # fmt: skip
    texts = [
        f"{words.FIRST_NAMES[one % len(words.FIRST_NAMES)].upper()}{one + 1}X{percent[one]}"
        for one in owners.tolist()
    ]
    begin, kind = int(clock.starts[0]), CODE_KINDS.index("brand")
    brand = [
        (len(texts) + number, NONE, begin, FOREVER, amount, clock.start, kind)
        for number, amount in enumerate(BRAND_CODES.values())
    ]
    table = np.concatenate([np.array(rows, dtype=np.int64), np.array(brand).T], axis=1)
    percents = np.concatenate([percent[owners], np.array(list(BRAND_CODES.values()))])
    changed = replace(creators, code=code, code_from=code_from, code_to=code_to)
    return changed, Codes(*table), (*texts, *BRAND_CODES), percents.astype(np.int64)


def _leaks(
    codes: Codes, texts: tuple[str, ...], scenario: Scenario, luck: Luck, clock: Clock
) -> Ints:
    """From when on coupon sites list a code; only plain codes leak, so that causes stay apart."""
    leaked = np.full(len(texts), FOREVER, dtype=np.int64)
    plain = np.flatnonzero(
        (codes.kind == 0)
        & (codes.valid_from < clock.start + (clock.end - clock.start) // 2)
        & (codes.valid_to == FOREVER)
    )
    chosen = plain[luck.order(len(plain))][: scenario.leaked_codes]
    since = np.maximum(codes.valid_from[chosen], clock.start) - clock.start
    span = clock.end - clock.start - since
    after = since + (span * (0.2 + 0.4 * luck.uniform(len(chosen)))).astype(np.int64)
    leaked[codes.text[chosen]] = clock.start + after // HOUR * HOUR
    return leaked


def _accounts(creators: Creators) -> Accounts:
    size = len(creators)
    second = np.flatnonzero(creators.second_platform != NONE)
    return Accounts(
        creator=np.concatenate([np.arange(size, dtype=np.int64), second]),
        platform=np.concatenate([creators.platform, creators.second_platform[second]]),
        followers=np.concatenate([creators.followers, creators.second_followers[second]]),
        is_main=np.arange(size + len(second)) < size,
    )


def _followers(creators: Creators, accounts: Accounts, luck: Luck, days: int) -> Ints:
    """Daily counts: steady growth, small noise, and what some bought on one day."""
    creator = accounts.creator
    noise = 0.002 * luck.normal((len(accounts), days)) * (creators.growth[creator] != 0.0)[:, None]
    path = np.cumsum(noise + creators.growth[creator][:, None], axis=1)
    path -= path[:, :1]
    counts = np.rint(accounts.followers[:, None] * np.exp(path)).astype(np.int64)
    day = creators.fraud_day[creator]
    has_jump = (day != NONE) & accounts.is_main
    jumped = has_jump[:, None] & (np.arange(days)[None, :] >= day[:, None])
    made: Ints = counts + jumped * creators.bought[creator][:, None]
    return made
