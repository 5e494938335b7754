"""The shoppers: how often they come, how easily they buy, and the many ids they are known by.

People come in blocks of `BLOCK`, each with streams of its own, so that a world of any size fits
into memory. A person is a number; everything a feed knows them by is made of it:

    device    four a person: telephone, computer, tablet at home, the platforms' in-app browser;
              two people of a household may share the tablet
    visitor   a device's cookie; a browser that loses it is a new visitor
    user      the account, from the first order on, and only where somebody signs in
    customer  the shop's number
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ingestion.synthetic import words
from ingestion.synthetic.clock import DAY
from ingestion.synthetic.columns import Bools, Columns, Floats, Ints, first_of_each
from ingestion.synthetic.creators import Programme
from ingestion.synthetic.randomness import Luck, Streams
from ingestion.synthetic.scenario import Scenario

BLOCK = 10_000

PHONE, COMPUTER, TABLET, IN_APP = range(4)
DEVICES = 4

CUSTOMER_BASE = 7_200_000_000_000


@dataclass(frozen=True)
class People(Columns):
    """One row per person of a block.

    Attributes:
        hazard: Baseline visits a day.
        purchase: Chance that a baseline visit buys.
        interest: Factor of clicking, 1 on average; keen visitors click more.
        owl: Hours by which the day is shifted.
        reset_days: Days a browser keeps its cookie; 0 for ever.
        is_tracked: Whether the site may record visits.
        sign_in: Share of visits signed in, where there is an account.
        is_old: Whether the person bought before the first day.
        opens_account: Whether the first order makes an account with a user id.
    """

    person: Ints
    country: Ints
    niche: Ints
    hazard: Floats
    purchase: Floats
    interest: Floats
    owl: Floats
    reset_days: Ints
    is_tracked: Bools
    sign_in: Floats
    is_old: Bools
    opens_account: Bools
    is_guest: Bools
    has_app: Bools
    shares_tablet: Bools
    desk_share: Floats
    browser: Ints

    @property
    def first(self) -> int:
        """Number of the block's first person."""
        return int(self.person[0])

    def device(self, rows: Ints, slot: Ints) -> Ints:
        """Device numbers; a shared tablet is the household's elder one's."""
        owner = self.person[rows]
        is_shared = (slot == TABLET) & self.shares_tablet[rows]
        return np.where(is_shared, owner // 2 * 2, owner) * DEVICES + slot

    def cookie(self, rows: Ints, slot: Ints, instants: Ints, start: int) -> Ints:
        """How often a device's browser has lost its cookie by an instant; apps never do."""
        days = self.reset_days[rows]
        phase = (self.person[rows] * 7_919) % 97
        age = np.maximum((instants - start) // DAY + phase, 0)
        loses = (days > 0) & ((slot == COMPUTER) | (slot == IN_APP))
        return np.where(loses, age // np.maximum(days, 1), 0)


def make(scenario: Scenario, streams: Streams, block: int) -> People:
    """The people of one block."""
    first = block * BLOCK
    size = min(BLOCK, scenario.people - first)
    luck = streams.of("people", block)
    person = np.arange(first, first + size, dtype=np.int64)
    relative = luck.gamma(scenario.visit_shape, size)
    # Keen visitors click more: the selection that every naive comparison falls for.
    interest = np.sqrt(relative + 0.05)
    eager = luck.gamma(scenario.purchase_shape, size)
    household = luck.uniform((size + 1) // 2) < scenario.shared_device_share * 2
    resets = luck.chance(scenario.reset_share, size)
    often = luck.chance(0.4, size)
    sign_in = np.minimum(scenario.sign_in_share * 2 * luck.uniform(size), 1.0)
    is_old = luck.chance(scenario.old_customer_share, size)
    return People(
        person=person,
        country=luck.choice(words.COUNTRY_WEIGHTS, size),
        niche=luck.below(len(words.NICHES), size),
        hazard=scenario.visits_per_day * relative,
        purchase=np.minimum(scenario.purchase_probability * eager, 0.9),
        interest=interest / _mean_interest(scenario),
        owl=1.5 * luck.normal(size),
        reset_days=np.where(resets, np.where(often, 7, 30 + luck.below(60, size)), 0),
        is_tracked=luck.chance(scenario.consent_share, size),
        sign_in=sign_in,
        is_old=is_old,
        opens_account=luck.chance(0.6, size),
        is_guest=luck.chance(0.06, size),
        has_app=luck.chance(scenario.app_share, size),
        shares_tablet=np.repeat(household, 2)[:size],
        desk_share=0.6 * luck.uniform(size),
        browser=luck.below(2, size),
    )


def _mean_interest(scenario: Scenario) -> float:
    """Mean of sqrt(gamma + 0.05), by quantiles of a fixed stream: the same for every block."""
    draws = Streams(0).of("interest").gamma(scenario.visit_shape, 100_000)
    return float(np.round(np.mean(np.sqrt(draws + 0.05)), 6))


@dataclass(frozen=True)
class Follows(Columns):
    """One row per person and creator followed; `row` is the person's position in the block."""

    row: Ints
    creator: Ints


class Audience:
    """Who is followed how much: weights of creators, by niche and in all."""

    def __init__(self, scenario: Scenario, programme: Programme) -> None:
        creators = programme.creators
        weight = np.power(creators.followers.astype(np.float64), scenario.audience_exponent)
        self._order = np.argsort(creators.niche, kind="stable").astype(np.int64)
        self._ends = np.cumsum(weight[self._order])
        sorted_niche = creators.niche[self._order]
        count = len(words.NICHES)
        self._from = np.searchsorted(sorted_niche, np.arange(count), side="left")
        self._to = np.searchsorted(sorted_niche, np.arange(count), side="right")
        self._scenario = scenario

    def follows(self, people: People, luck: Luck) -> Follows:
        """Whom the people of a block follow, each creator once."""
        scenario = self._scenario
        counts = luck.poisson(scenario.follows_per_person, len(people))
        row = np.repeat(np.arange(len(people), dtype=np.int64), counts)
        size = len(row)
        niche = people.niche[row]
        has_any = self._to[niche] > self._from[niche]
        inside = luck.chance(scenario.niche_match, size) & has_any
        total = self._ends[-1]
        before = np.where(self._from > 0, self._ends[self._from - 1], 0.0)
        upto = np.where(self._to > 0, self._ends[self._to - 1], 0.0)
        low = np.where(inside, before[niche], 0.0)
        high = np.where(inside, upto[niche], total)
        found = np.searchsorted(self._ends, low + luck.uniform(size) * (high - low), side="right")
        creator = self._order[np.minimum(found, len(self._order) - 1)]
        order = np.lexsort((creator, row))
        row, creator = row[order], creator[order]
        key = row * (len(self._order) + 1) + creator
        keep = first_of_each(key)
        return Follows(row[keep], creator[keep])


def customer_ids(person: Ints) -> Ints:
    """The shop's numbers of people."""
    return CUSTOMER_BASE + person * 17
