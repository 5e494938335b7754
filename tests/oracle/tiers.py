"""`fct_tier_engagement` and `fct_tier_trust`, slowly, with every interval one creator at a time.

The jackknife is that of docs/metrics/tier_engagement.md, with the half event that
`estimation.jackknife` adds before a logarithm.
"""

from __future__ import annotations

import calendar
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import mean
from typing import Any

from scipy import stats

from tests.oracle.creators import SCHEMES, local_day
from tests.oracle.trust import World, facts

Row = dict[str, Any]
Cell = tuple[str, str, str, str, str, date]
"""Scheme, tier, platform, niche, period type, first day."""

BASES = ("follower", "reach", "view")
RATIO = "sponsored_organic_ratio"
UNBOUNDED = {"save_rate", "share_rate", RATIO}
LEVEL = 0.9
LEAST = 3


@dataclass
class Sums:
    """Of one creator in a cell."""

    numerator: float = 0
    denominator: float = 0
    units: int = 0


class Tiers:
    """Facts by cell, measure and creator.

    Args:
        first: First day of the history, where the period `all` begins.
    """

    def __init__(self, world: World, first: date) -> None:
        self._through = world.through
        self._rules = world.rules
        self._niches = {
            row["creator_key"]: row["niche"] or "unknown"
            for row in world.roster.dim_creators({}, set()).values()
        }
        self._cells: dict[Cell, dict[str, dict[str, Sums]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(Sums))
        )
        for fact in facts(world):
            if not fact.is_disjoint:
                continue
            day = local_day(fact.about)
            for scheme in SCHEMES:
                for scope in {fact.platform, "all"}:
                    tier = world.roster.tier_at(fact.creator, fact.about, scope, scheme)
                    for niche in (self._niches[fact.creator], "all"):
                        for period in (("month", day.replace(day=1)), ("all", first)):
                            cell = (scheme, tier, scope, niche, *period)
                            sums = self._cells[cell][fact.measure][fact.creator]
                            sums.numerator += fact.numerator
                            sums.denominator += fact.denominator
                            sums.units += fact.units

    def _is_mature(self, cell: Cell, days: int) -> bool:
        kind, start = cell[4], cell[5]
        last = start.replace(day=calendar.monthrange(start.year, start.month)[1])
        return kind == "all" or last + timedelta(days=days) <= self._through

    def _head(self, cell: Cell, days: int) -> Row:
        names = ("tier_scheme", "tier", "platform", "niche", "period_type", "period_start_date")
        return {**dict(zip(names, cell, strict=True)), "is_mature": self._is_mature(cell, days)}

    # -- fct_tier_engagement ------------------------------------------------------------------

    def engagement(self) -> dict[Any, Row]:
        found: dict[Any, Row] = {}
        for cell, measures in self._cells.items():
            if not any(f"engagement_by_{base}" in measures for base in BASES):
                continue
            row = self._head(cell, self._rules.age_days)
            for base in BASES:
                name = f"engagement_by_{base}"
                mine = measures.get(name, {})
                low, high = ratio_interval(list(mine.values()), is_share=False)
                slope = self._elasticity(cell, name) if mine else Slope()
                part, whole, own = _summed(mine)
                row |= {
                    f"{name}_creator_count": len(mine),
                    f"{name}_post_count": sum(one.units for one in mine.values()),
                    f"{name}_numerator_count": part,
                    f"{name}_denominator_count": whole,
                    f"{name}_elasticity_creator_count": slope.creators,
                    f"{name}_ratio": part / whole if mine else None,
                    f"{name}_ratio_ci_low": low,
                    f"{name}_ratio_ci_high": high,
                    f"{name}_creator_mean_ratio": own,
                    f"{name}_elasticity_ratio": slope.slope,
                    f"{name}_elasticity_ratio_ci_low": slope.low,
                    f"{name}_elasticity_ratio_ci_high": slope.high,
                }
            found[cell] = row
        return found

    def _elasticity(self, cell: Cell, measure: str) -> Slope:
        """Over the creators of all tiers; of each what all posts got, and the mean audience."""
        alike = [
            measures
            for other, measures in self._cells.items()
            if (other[0], *other[2:]) == (cell[0], *cell[2:])
        ]
        events: dict[str, Sums] = defaultdict(Sums)
        audiences: dict[str, Sums] = defaultdict(Sums)
        for measures in alike:
            for name, into in ((measure, events), ("engagement_by_follower", audiences)):
                for creator, sums in measures.get(name, {}).items():
                    into[creator].numerator += sums.numerator
                    into[creator].denominator += sums.denominator
                    into[creator].units += sums.units
        points = []
        for creator, sums in events.items():
            if creator in audiences:
                size = audiences[creator].denominator / audiences[creator].units
                told = max(sums.numerator, 0) + 0.5
                points.append((math.log(size), math.log(told / sums.denominator)))
        return slope_of(points)

    # -- fct_tier_trust -----------------------------------------------------------------------

    def trust(self) -> dict[Any, Row]:
        found: dict[Any, Row] = {}
        for cell, measures in self._cells.items():
            sides = (
                measures.get("sponsored_engagement", {}),
                measures.get("organic_engagement", {}),
            )
            both = sides[0].keys() & sides[1].keys()
            if not both and not any(name in measures for name in self._rules.proxies):
                continue
            row = self._head(cell, self._rules.refund_days)
            for name in self._rules.proxies:
                proxy = f"trust_proxy_{name}"
                if name == RATIO:
                    pairs = [(sides[0][one], sides[1][one]) for one in both]
                    row |= {f"{proxy}{end}": value for end, value in _compared(pairs).items()}
                    continue
                mine = measures.get(name, {})
                part, whole, own = _summed(mine)
                low, high = ratio_interval(list(mine.values()), is_share=name not in UNBOUNDED)
                row |= {
                    f"{proxy}_numerator_count": part,
                    f"{proxy}_denominator_count": whole,
                    f"{proxy}_creator_count": len(mine),
                    proxy: part / whole if mine else None,
                    f"{proxy}_ci_low": low,
                    f"{proxy}_ci_high": high,
                    f"{proxy}_creator_mean": own,
                }
            found[cell] = row
        return found


def _summed(mine: dict[str, Sums]) -> tuple[Any, Any, float | None]:
    """Both sums, and the mean of the creators' own ratios."""
    if not mine:
        return None, None, None
    return (
        sum(one.numerator for one in mine.values()),
        sum(one.denominator for one in mine.values()),
        mean(one.numerator / one.denominator for one in mine.values()),
    )


def _compared(pairs: list[tuple[Sums, Sums]]) -> Row:
    """Sponsored against organic, by the end of the column's name."""
    if not pairs:
        names = ("", "_numerator_ratio", "_denominator_ratio", "_ci_low", "_ci_high",
                 "_creator_mean")  # fmt: skip
        return {**dict.fromkeys(names), "_creator_count": 0}
    rates = [
        sum(pair[side].numerator for pair in pairs) / sum(pair[side].denominator for pair in pairs)
        for side in (0, 1)
    ]
    own = [
        one.numerator / one.denominator / (other.numerator / other.denominator)
        for one, other in pairs
        if other.numerator
    ]
    low, high = jackknife(
        pairs,
        place=lambda some: _log([one for one, _ in some]) - _log([other for _, other in some]),
        weights=[one.denominator + other.denominator for one, other in pairs],
        back=math.exp,
        value=rates[0] / rates[1] if rates[1] else None,
        is_told=rates[0] > 0 and rates[1] > 0,
    )
    return {
        "": rates[0] / rates[1] if rates[1] else None,
        "_numerator_ratio": rates[0],
        "_denominator_ratio": rates[1],
        "_creator_count": len(pairs),
        "_ci_low": low,
        "_ci_high": high,
        "_creator_mean": mean(own) if own else None,
    }


# -- statistics -------------------------------------------------------------------------------


def _log(some: list[Sums]) -> float:
    events = sum(one.numerator for one in some)
    return math.log((max(events, 0) + 0.5) / sum(one.denominator for one in some))


def _logit(some: list[Sums]) -> float:
    events, chances = sum(one.numerator for one in some), sum(one.denominator for one in some)
    share = (max(events, 0) + 0.5) / (chances + 1)
    return math.log(share / (1 - share))


def ratio_interval(mine: list[Sums], *, is_share: bool) -> tuple[float | None, float | None]:
    """Of sum over sum: shares on the logit scale, ratios on that of logarithms."""
    if not mine:
        return None, None
    events, chances = sum(one.numerator for one in mine), sum(one.denominator for one in mine)
    return jackknife(
        mine,
        place=_logit if is_share else _log,
        weights=[one.denominator for one in mine],
        back=(lambda at: 1 / (1 + math.exp(-at))) if is_share else math.exp,
        value=events / chances,
        is_told=events > 0,
    )


def jackknife(
    mine: list[Any],
    *,
    place: Callable[[list[Any]], float],
    weights: list[float],
    back: Callable[[float], float],
    value: float | None,
    is_told: bool,
) -> tuple[float | None, float | None]:
    """Both ends of an interval: each creator is left out in turn, the spread is the error."""
    size = len(mine)
    if size < LEAST or not is_told or value is None:
        return None, None
    left_out = [place(mine[:one] + mine[one + 1 :]) for one in range(size)]
    error = math.sqrt((size - 1) / size * sum((one - mean(left_out)) ** 2 for one in left_out))
    if error == 0:
        return None, None
    effective = sum(weights) ** 2 / sum(weight**2 for weight in weights)
    reach = error * float(stats.t.ppf(0.5 + LEVEL / 2, max(effective - 1, 1)))
    return min(back(place(mine) - reach), value), max(back(place(mine) + reach), value)


@dataclass(frozen=True)
class Slope:
    """Of a straight line with its interval; nothing where there were too few points."""

    creators: int | None = None
    slope: float | None = None
    low: float | None = None
    high: float | None = None


def slope_of(points: list[tuple[float, float]]) -> Slope:
    """Least squares; its error forgives points that pull alone (HC3)."""
    size = len(points)
    if size < LEAST:
        return Slope(size)
    middle = mean(across for across, _ in points), mean(up for _, up in points)
    spread = sum((across - middle[0]) ** 2 for across, _ in points)
    if spread < 1e-12:
        return Slope(size)
    slope = sum((across - middle[0]) * (up - middle[1]) for across, up in points) / spread
    squares = 0.0
    for across, up in points:
        away = across - middle[0]
        residual = up - middle[1] - slope * away
        squares += (away * residual / (1 - 1 / size - away**2 / spread)) ** 2
    reach = math.sqrt(squares) / spread * float(stats.t.ppf(0.5 + LEVEL / 2, max(size - 2, 1)))
    return Slope(size, slope, slope - reach, slope + reach)
