"""The truth score at the level of counts: run the simulations, say how good the estimates are.

`evaluation/figures.json` holds what was last accepted, in full and in the small form that the
tests run. A change may not silently worsen it: `compare` names each figure that got worse by more
than its tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from evaluation import figures
from evaluation.figures import accepted, percent, plain, rounded, table
from evaluation.simulation import LEVEL, WORLDS, Tally, World, simulate

FULL = {30: 400, 100: 150, 500: 60}
"""Simulations of each world by number of creators."""

SMALL = {30: 10, 100: 3}

COVERAGE_GOAL = (0.87, 0.93)
ERROR_GOAL = 1.10
FALSE_CALL_GOAL = 0.12

WHY = {
    ("alike", "coverage"): (
        "Too wide, not too narrow. The prior gives every degree of likeness the same chance, "
        "so with few creators the interval still allows for differences that are not there."
    ),
    ("alike", "error"): (
        "The oracle is told that the creators hardly differ and hardly errs; nobody can learn "
        "that from 30 creators with 40 clicks. In absolute terms the error is among the "
        "smallest of all worlds."
    ),
    ("null", "coverage"): (
        "As where creators are nearly alike: one true rate for all, and intervals that allow "
        "for more."
    ),
    ("null", "error"): (
        "The oracle is told the answer, so its error is nought and no ratio exists."
    ),
    ("stars", "coverage"): (
        "The prior is a Beta, and this world has two kinds of creators and nothing between: "
        "the intervals of the usual nineteen of twenty are wider than they need be."
    ),
    ("stars", "error"): (
        "As above: the oracle knows that there are stars at 8 % and can jump to them, a Beta "
        "moves gradually."
    ),
    ("revenue", "error"): (
        "The oracle knows that an order's amount does not depend on the creator and looks at "
        "the orders alone; the estimate allows for creators whose baskets are larger."
    ),
}
"""Why a goal is missed where it is: (world, goal) → the words of the page."""


@dataclass(frozen=True)
class Score:
    """Figures of one world with one number of creators.

    Attributes:
        coverage: Share of true rates inside their interval.
        bias: Mean error over the mean true rate.
        error: Root mean squared error over the mean true rate.
        error_ratio: The same over the oracle's; None where the oracle cannot err.
        raw_ratio: Of the raw rate, over the oracle's.
        rank, rank_oracle, rank_raw: Rank correlation with the true rates; None where all are
            equal.
        top_said, top_was: Creators a simulation whose chance of the top decile is put at one half
            or more: the sum of these chances, and how many were.
        first_shown, first_true: Mean rate of the first ten by estimate: shown, and true.
        first_shown_raw, first_true_raw: The same by raw rate.
        tier_coverage, tier_coverage_pooled: Share of tier means inside their interval, ours and
            that of all clicks as if independent; None with one tier.
        called, called_right: Share of pairs of tiers called different, and of those called the
            right way round.
    """

    world: str
    creators: int
    simulations: int
    coverage: float
    bias: float
    error: float
    error_ratio: float | None
    raw_ratio: float | None
    rank: float | None
    rank_oracle: float | None
    rank_raw: float | None
    top_said: float
    top_was: float
    first_shown: float
    first_true: float
    first_shown_raw: float
    first_true_raw: float
    tier_coverage: float | None
    tier_coverage_pooled: float | None
    called: float | None
    called_right: float | None


def score(world: World, creators: int, tally: Tally) -> Score:
    """Figures from sums."""
    sums = tally.sums
    simulations = sums["simulations"]
    mean = sums["rate"] / sums["creators"]
    known = sums["oracle_squared"] > 1e-12 * sums["raw_squared"]
    varies = sums["rank"] != 0.0
    has_tiers = sums["tiers"] > 0

    def ratio(name: str) -> float | None:
        return rounded(math.sqrt(sums[name] / sums["oracle_squared"])) if known else None

    def each(name: str, *, when: bool = True, per: str = "simulations") -> float | None:
        return rounded(sums[name] / sums[per]) if when else None

    return Score(
        world=world.name,
        creators=creators,
        simulations=int(simulations),
        coverage=rounded(sums["covered"] / sums["creators"]),
        bias=rounded(sums["error"] / sums["rate"]),
        error=rounded(math.sqrt(sums["error_squared"] / sums["creators"]) / mean),
        error_ratio=ratio("error_squared"),
        raw_ratio=ratio("raw_squared"),
        rank=each("rank", when=varies),
        rank_oracle=each("rank_oracle", when=varies),
        rank_raw=each("rank_raw", when=varies),
        top_said=rounded(sums["top_said"] / simulations),
        top_was=rounded(sums["top_was"] / simulations),
        first_shown=rounded(sums["top_shown"] / simulations, 5),
        first_true=rounded(sums["top_true"] / simulations, 5),
        first_shown_raw=rounded(sums["top_shown_raw"] / simulations, 5),
        first_true_raw=rounded(sums["top_true_raw"] / simulations, 5),
        tier_coverage=each("tiers_covered", when=has_tiers, per="tiers"),
        tier_coverage_pooled=each("tiers_covered_pooled", when=has_tiers, per="tiers"),
        called=each("pairs_called", when=has_tiers, per="pairs"),
        called_right=each("pairs_called_right", when=has_tiers, per="pairs"),
    )


def run(
    simulations: Mapping[int, int],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Score]:
    """Run every world; the figures do not depend on the number of workers.

    Args:
        simulations: Of each world, by number of creators.
        workers: Processes; 1 runs in this one.
        progress: Called with simulations done and in all.
    """
    jobs = list(_jobs(simulations))
    total = len(WORLDS) * sum(simulations.values())
    tallies = {(world.name, size): Tally() for world in WORLDS for size in simulations}
    done = 0
    for (name, size, first, last), sums in zip(jobs, _sums(jobs, workers), strict=True):
        tallies[name, size].add(sums)
        done += last - first
        if progress is not None:
            progress(done, total)
    return [
        score(world, size, tallies[world.name, size]) for world in WORLDS for size in simulations
    ]


_Job = tuple[str, int, int, int]


def _jobs(simulations: Mapping[int, int]) -> Iterator[_Job]:
    """World, creators, first simulation, one past the last: some seconds each, long ones first."""
    for size in sorted(simulations, reverse=True):
        block = max(1, 3000 // size)
        for world in WORLDS:
            for first in range(0, simulations[size], block):
                yield world.name, size, first, min(first + block, simulations[size])


def _sums(jobs: list[_Job], workers: int) -> Iterator[dict[str, float]]:
    if workers == 1:
        yield from map(_simulate, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_simulate, jobs)


def _simulate(job: _Job) -> dict[str, float]:
    name, size, first, last = job
    world = next(world for world in WORLDS if world.name == name)
    tally = Tally()
    for number in range(first, last):
        tally.add(simulate(world, size, number))
    return tally.sums


@dataclass(frozen=True)
class Miss:
    """A goal that a score does not reach."""

    score: Score
    goal: str
    observed: float | None


def misses(scores: list[Score]) -> list[Miss]:
    """Goals not reached: coverage, error against the oracle's, false calls of equal tiers."""
    found = []
    equal = {world.name for world in WORLDS if world.are_equal}
    for one in scores:
        if not COVERAGE_GOAL[0] <= one.coverage <= COVERAGE_GOAL[1]:
            found.append(Miss(one, "coverage", one.coverage))
        if one.error_ratio is None or one.error_ratio > ERROR_GOAL:
            found.append(Miss(one, "error", one.error_ratio))
        if one.world in equal and one.called is not None and one.called > FALSE_CALL_GOAL:
            found.append(Miss(one, "false calls", one.called))
    return found


TOLERANCES: figures.Rules = {
    "coverage": (0.01, lambda value: abs(value - LEVEL)),
    "bias": (0.02, abs),
    "error": (0.02, lambda value: value),
    "error_ratio": (0.02, lambda value: value),
    "rank": (0.01, lambda value: -value),
    "tier_coverage": (0.03, lambda value: abs(value - LEVEL)),
}
"""By how much a figure may get worse, and how bad a value is."""


def compare(scores: list[Score], accepted: list[Score]) -> list[str]:
    """A line for each figure that is worse than accepted by more than its tolerance."""
    known = {(one.world, one.creators): one for one in accepted}
    equal = {world.name for world in WORLDS if world.are_equal}
    lines = []
    for now in scores:
        before = known.get((now.world, now.creators))
        if before is None:
            lines.append(f"{now.world}, {now.creators} creators: not in {figures.ACCEPTED.name}")
            continue
        rules = dict(TOLERANCES)
        if now.world in equal:
            rules["called"] = (0.02, lambda value: value)
        lines += figures.worse(f"{now.world}, {now.creators} creators", now, before, rules)
    return lines


def read(form: str) -> list[Score]:
    """The accepted figures of a form, `full` or `small`."""
    return [Score(**one) for one in accepted(form)]


COLUMNS = (
    "world",
    "creators",
    "coverage",
    "bias",
    "error / oracle's",
    "raw / oracle's",
    "rank",
    "oracle's",
    "raw's",
)


def rows(scores: list[Score]) -> list[tuple[str, ...]]:
    """The first table, as text under `COLUMNS`."""
    return [
        (
            one.world,
            str(one.creators),
            percent(one.coverage),
            f"{100 * one.bias:+.1f} %",
            plain(one.error_ratio) if one.error_ratio is not None else f"({percent(one.error)})",
            plain(one.raw_ratio),
            plain(one.rank),
            plain(one.rank_oracle),
            plain(one.rank_raw),
        )
        for one in scores
    ]


TIER_COLUMNS = ("world", "creators", "tier means covered", "pooled clicks", "pairs called")


def tier_rows(scores: list[Score]) -> list[tuple[str, ...]]:
    """The table of tiers, as text under `TIER_COLUMNS`."""
    return [
        (
            one.world,
            str(one.creators),
            percent(one.tier_coverage),
            percent(one.tier_coverage_pooled),
            percent(one.called),
        )
        for one in scores
        if one.tier_coverage is not None
    ]


TOP_COLUMNS = (
    "world",
    "creators",
    "first ten shown",
    "true",
    "by raw rate shown",
    "true ",
    "top decile said",
    "was",
)


def top_rows(scores: list[Score]) -> list[tuple[str, ...]]:
    """The table of the best creators, as text under `TOP_COLUMNS`."""
    families = {world.name: world.family for world in WORLDS}
    return [
        (
            one.world,
            str(one.creators),
            *(
                percent(value, 2) if families[one.world] == "rate" else f"{value:.3f}"
                for value in (
                    one.first_shown,
                    one.first_true,
                    one.first_shown_raw,
                    one.first_true_raw,
                )
            ),
            f"{one.top_said:.2f}",
            f"{one.top_was:.2f}",
        )
        for one in scores
    ]


def page(scores: list[Score]) -> str:
    """The page of the docs.

    Raises:
        ValueError: A goal is missed and `WHY` does not say why.
    """
    missed = misses(scores)
    unexplained = sorted({(miss.score.world, miss.goal) for miss in missed} - WHY.keys())
    if unexplained:
        raise ValueError(f"missed goals without a reason in evaluation.counts.WHY: {unexplained}")
    lines = [_HEAD.format(simulations=len(WORLDS) * sum(FULL.values())), "## Worlds", ""]
    lines += [f"- **{world.name}**: {world.sentence}." for world in WORLDS]
    lines += ["", "## One creator", "", *table(COLUMNS, rows(scores)), "", _ONE]
    lines += ["", "## Goals missed, and why", ""]
    for world, goal in dict.fromkeys((miss.score.world, miss.goal) for miss in missed):
        sizes = [
            f"{miss.score.creators} creators: "
            + (
                f"{miss.observed:.2f}"
                if goal == "error" and miss.observed is not None
                else percent(miss.score.error if miss.observed is None else miss.observed)
            )
            for miss in missed
            if (miss.score.world, miss.goal) == (world, goal)
        ]
        lines.append(f"- **{world}, {goal}** ({'; '.join(sizes)}). {WHY[world, goal]}")
    lines += ["", "## The best creators", "", *table(TOP_COLUMNS, top_rows(scores)), "", _TOP]
    lines += ["", "## Tiers", "", *table(TIER_COLUMNS, tier_rows(scores)), "", _TIERS, ""]
    return "\n".join(lines)


_HEAD = """# How good are the estimates?

Creators whose true rates are known are simulated, their counts go through the very functions
that the build calls, and the estimates are held against the truth. `make evaluate` runs
{simulations:,} simulations and then [whole worlds through the whole pipeline](#the-whole-pipeline),
and fails if a figure is worse than the accepted one (`evaluation/figures.json`);
`make evaluate ACCEPT=1` accepts the figures and writes this page, and the tests run a small form.

Credit is not cause: the first part asks whether a rate is estimated well, not whether the creator
made anybody buy. What creators really caused is in the second part.
"""

_ONE = """\
**Coverage**: how many of 100 intervals of 90 % hold the true rate; goal 87 to 93. **Error /
oracle's**: root mean squared error over that of an oracle that knows how true rates arise and has
the same counts; goal at most 1.10 (in brackets, where the oracle cannot err: error over the true
rate). **Rank**: rank correlation of the estimates with the truth. The oracle's is as good as
these counts allow: with 40 clicks a creator even somebody who knows the prior ranks badly, and no
statistics mends that."""

_TOP = """\
The first ten creators by estimate, and by raw rate: what the table shows of them and what is
true. Raw rates promise up to several times what is there; the estimates promise about what is
there. **Top decile said**: of creators whose `prob_top_decile` is one half or more, the sum of
these chances a simulation; **was**: how many really were."""

_TIERS = """\
**Tier means covered**: intervals of 90 % of the mean over a tier's creators, the creator being
the sampling unit; beside it the interval of all clicks of a tier as if each were independent.
**Pairs called**: nano against another tier with `prob_nano_higher_observed` below 5 or above 95
%. In "tiers alike" every call is a false one (goal at most 12 %); in "tiers differ" it is how
often the difference is seen at all. Small tiers whose mean is far from the others' are drawn
towards them, which is why their intervals cover less than 90 % there and more where tiers are
alike."""
