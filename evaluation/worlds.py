"""The truth score through the whole pipeline: worlds with known causes, delivered, loaded, built.

Each world is generated into a temporary folder; its drops run through fetch, load, gate and build
as anybody's do, with the settings of a new home. Then the marts are held against the world's truth,
which the pipeline never reads. A creator's true conversion is that of the same creators before
another, larger crowd, so that luck is not taken for truth.

Shapes: a world gives rows of five kinds (`Credit`, `Rate`, `Tiers`, `Effect`, `Codes`), each a
frozen dataclass whose rows `evaluation/figures.json` holds as accepted. A world's folder is removed
afterwards. One world alone:

    python -c "from evaluation.worlds import recover; print(recover('null'))"
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evaluation import figures, queries
from evaluation.figures import percent, plain, rounded, signed, table
from evaluation.simulation import rank_correlation, true_beta
from ingestion.synthetic import scenario as scenarios
from ingestion.synthetic.scenario import Scenario
from ingestion.synthetic.world import generate
from setae import stages
from setae.initialise import initialise
from setae.warehouse import Home, literal

Floats = NDArray[np.float64]

LEVEL = 0.9
CROWD = 200_000
"""People before whom a creator's true conversion is told."""

MINIMUM_CROWD = 400
"""First clickers of a creator in the crowd; with fewer, luck is a part of what is called true."""

LIFTS = tuple(f"return-visit lift, {days} days" for days in (7, 14, 28))

_KEY = "00" * 32  # the people are simulated, and their pseudonyms must be the same in every run


@dataclass(frozen=True)
class World:
    """One world.

    Attributes:
        name: Short name.
        sentence: What is so in it.
        preset: Of `setae simulate world`.
        changes: Parameters that differ from the preset.
        crowd: People before whom the same creators' true conversion is told; 0 leaves it out.
        are_alike: Tiers do not differ: any pair called different is a false call.
    """

    name: str
    sentence: str
    preset: str
    changes: dict[str, Any] = field(default_factory=dict)
    crowd: int = 0
    are_alike: bool = False

    @property
    def scenario(self) -> Scenario:
        """Its parameters."""
        return scenarios.preset(self.preset, **self.changes)


WORLDS = (
    World("demo", "the world of `make demo`: small creators cause more", "demo", crowd=CROWD),
    World(
        "null",
        "the demo in which no creator has any effect on visits or orders",
        "null",
        are_alike=True,
    ),
    World(
        "leaky",
        "80 creators before 10,000 people, with 20 codes on coupon sites",
        "leaky",
        {"people": 10_000, "creators": 80, "leaked_codes": 20},
    ),
)

SMALL = (World("tiny", "a hundred and fifty people, for tests", "tiny"),)


@dataclass(frozen=True)
class Credit:
    """One world and attribution model at the default window.

    Attributes:
        credited_share: Share of all orders that is credited to creators.
        caused_share: Share of all orders that creators caused.
        factor: Credited over caused orders; None where creators caused none.
        right_share: Share of the credit that is the creator's who caused the order.
        found_share: Share of caused orders credited to the creator who caused them.
        bias: Mean over creators of credited less caused orders, over mean caused orders.
        error: Root mean squared difference over creators, likewise.
        rank: Rank correlation over creators of credited and caused orders.
    """

    world: str
    model: str
    credited_share: float
    caused_share: float
    factor: float | None
    right_share: float | None
    found_share: float | None
    bias: float | None
    error: float | None
    rank: float | None


@dataclass(frozen=True)
class Rate:
    """Person conversion of creators, all history, at the default window.

    Attributes:
        creators: With a true rate and anybody observed.
        observed: Mean people observed of one.
        measured, true: Mean over creators of the estimate, and of the true rate.
        bias: Mean error over the mean true rate.
        error: Root mean squared error over the mean true rate, the truth's own luck taken off.
        oracle_ratio: Of somebody who knows the prior of each tier and has the same counts: this
            error over theirs.
        raw_ratio: Raw rate's error over the oracle's.
        coverage: Share of true rates inside their interval.
        seen: Part of the conversion that the pipeline can see: what clickers bought over what they
            should have by the true rates.
        coverage_seen, oracle_ratio_seen: The same against that part of each true rate: what is
            left for the estimator to answer for.
        rank, rank_oracle, rank_raw: Rank correlation with the truth.
    """

    world: str
    creators: int
    observed: float
    measured: float
    true: float
    bias: float
    error: float
    oracle_ratio: float | None
    raw_ratio: float | None
    coverage: float
    seen: float
    coverage_seen: float
    oracle_ratio_seen: float | None
    rank: float
    rank_oracle: float
    rank_raw: float


@dataclass(frozen=True)
class Tiers:
    """Pairs of nano with another tier in `fct_tier_conversion`, all platforms, all history.

    Attributes:
        pairs: Pairs with a probability.
        called: Of these, called different (below 5 or above 95 %).
        called_right: Of these, called the way the truth says; None where tiers are alike.
    """

    world: str
    pairs: int
    called: int
    called_right: int | None


@dataclass(frozen=True)
class Effect:
    """One number that was planted or follows from causes.

    Attributes:
        name: Of the number.
        measured: In the marts.
        true: In the world.
        coverage: Share of intervals that hold the truth, where every one has the same.
        intervals: Of so many.
    """

    world: str
    name: str
    measured: float | None
    true: float | None
    coverage: float | None = None
    intervals: int = 0

    @property
    def distance(self) -> float | None:
        """How far the measured number is from the true one."""
        if self.measured is None or self.true is None:
            return None
        return abs(self.measured - self.true)


@dataclass(frozen=True)
class Codes:
    """`is_review_suggested` in any complete week against the codes that leaked.

    Attributes:
        leaked: Codes with a use by somebody who got it from a coupon site.
        scored: Codes of creators with enough uses in some week for a score.
        leaked_scored: Leaked codes among them.
        flagged: Codes suggested for review.
        flagged_right: Leaked codes among them, flagged in a week that ends after the leak.
    """

    world: str
    leaked: int
    scored: int
    leaked_scored: int
    flagged: int
    flagged_right: int

    @property
    def precision(self) -> float | None:
        """Share of flagged codes that leaked."""
        return self.flagged_right / self.flagged if self.flagged else None

    @property
    def recall(self) -> float | None:
        """Share of leaked codes with a score that are flagged."""
        return self.flagged_right / self.leaked_scored if self.leaked_scored else None


@dataclass(frozen=True)
class Recovery:
    """What the marts say of a world beside what is true."""

    world: str
    credits: tuple[Credit, ...]
    rates: tuple[Rate, ...]
    tiers: tuple[Tiers, ...]
    effects: tuple[Effect, ...]
    codes: tuple[Codes, ...]

    def rows(self) -> Iterator[Row]:
        """All of them."""
        yield from self.credits
        yield from self.rates
        yield from self.tiers
        yield from self.effects
        yield from self.codes


def run(
    worlds: tuple[World, ...] = WORLDS,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Recovery]:
    """Every world, in this order; a process each, since dbt keeps state a process."""
    found = []
    for recovery in _each(worlds, workers):
        found.append(recovery)
        if progress is not None:
            progress(len(found), len(worlds))
    return found


def _each(worlds: tuple[World, ...], workers: int) -> Iterator[Recovery]:
    with ProcessPoolExecutor(
        min(workers, len(worlds)), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        yield from pool.map(recover, [world.name for world in worlds])


def recover(name: str, folder: Path | None = None) -> Recovery:
    """Generate a world, run the pipeline on it and compare.

    Args:
        name: Of one of `WORLDS` or `SMALL`.
        folder: Where to work; by default a temporary folder, removed afterwards.
    """
    world = next(world for world in (*WORLDS, *SMALL) if world.name == name)
    if folder is not None:
        return _recover(world, folder)
    with tempfile.TemporaryDirectory(prefix="setae-world-") as temporary:
        return _recover(world, Path(temporary))


def _recover(world: World, folder: Path) -> Recovery:
    made = folder / "world"
    summary = generate(world.scenario, made)
    place = Home(folder / "home")
    place.path.mkdir()
    place.key.touch(mode=0o600)
    place.key.write_text(_KEY, encoding="utf-8")
    settings = initialise(
        place.path,
        business_timezone=world.scenario.business_timezone,
        reporting_currency=world.scenario.reporting_currency,
        as_of=str(summary.as_of),
        sections=f"""
[sources.drops]
kind = "drops"
folder = "{made / "drops"}"
currency = "EUR"
required_entities = ["activity_events", "orders"]
""",
    ).settings
    stages.fetch(settings, source="drops")
    stages.load(settings)
    stages.check(settings, stage="raw")
    stages.transform(settings)
    crowd = None
    if world.crowd:
        before = scenarios.preset(
            world.preset,
            **world.changes,
            people=world.crowd,
            people_seed=world.scenario.seed + 1_000,
        )
        crowd = generate(before, folder / "crowd").folder / "truth"
    return compare(world, marts=place.marts, truth=made / "truth", crowd=crowd)


def compare(world: World, *, marts: Path, truth: Path, crowd: Path | None = None) -> Recovery:
    """Hold built marts against a world's truth.

    Args:
        world: Which.
        marts: The marts file.
        truth: The world's folder of truth.
        crowd: The folder of truth of the same creators before a larger crowd.
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(str(marts))} as built (read_only)")
        for name in ("targets", "codes", "orders", "creators"):
            path = literal(str(truth / f"{name}.parquet"))
            connection.execute(f"create view true_{name} as select * from read_parquet({path})")
        if crowd is not None:
            path = literal(str(crowd / "targets.parquet"))
            connection.execute(f"create view crowd as select * from read_parquet({path})")
        found = _Comparison(world, connection)
        return Recovery(
            world=world.name,
            credits=tuple(found.credits()),
            rates=tuple(found.rates()) if crowd is not None else (),
            tiers=tuple(found.tiers()),
            effects=tuple(found.effects()),
            codes=tuple(found.codes()),
        )


class _Comparison:
    def __init__(self, world: World, connection: duckdb.DuckDBPyConnection) -> None:
        self.world = world
        self.connection = connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def columns(self, sql: str) -> dict[str, Floats]:
        table = self.connection.execute(sql).to_arrow_table()
        return {
            name: table[name].to_numpy(zero_copy_only=False).astype(float)
            for name in table.column_names
        }

    def target(self, name: str) -> float | None:
        found = self.rows(
            f"select value from true_targets where name = '{name}' and group_type = 'all'"
        )
        return float(found[0][0]) if found and found[0][0] is not None else None

    def credits(self) -> Iterator[Credit]:
        orders, caused = self.rows(queries.ORDERS)[0]
        totals = self.rows(queries.CREDITED)
        for model, credited, right in totals:
            of_creators = self.columns(queries.CREATOR_CREDITS.format(model=model))
            said, true = of_creators["credited"], of_creators["caused"]
            mean = float(true.mean()) if len(true) else 0.0
            yield Credit(
                world=self.world.name,
                model=model,
                credited_share=rounded(credited / orders),
                caused_share=rounded(caused / orders),
                factor=rounded(credited / caused) if caused else None,
                right_share=rounded(right / credited) if credited else None,
                found_share=rounded(right / caused) if caused else None,
                bias=rounded(float((said - true).mean()) / mean) if mean else None,
                error=rounded(math.sqrt(((said - true) ** 2).mean()) / mean) if mean else None,
                rank=rounded(rank_correlation(said, true)) if mean else None,
            )

    def rates(self) -> Iterator[Rate]:
        found = self.columns(queries.CONVERSIONS.format(minimum=MINIMUM_CROWD))
        true, luck = found["true_rate"], found["true_rate"] * (1 - found["true_rate"])
        luck = luck / found["crowd_count"]
        bought, observed = found["bought_count"], found["observed_count"]
        shrunk, raw = found["shrunk"], bought / observed
        tier = found["tier"].astype(int)
        mean = float(true.mean())
        seen = float(bought.sum() / (true * observed).sum())

        def error(said: Floats, part: float = 1.0) -> float:
            return math.sqrt(max(float(((said - true * part) ** 2 - luck * part**2).mean()), 0.0))

        def held(part: float) -> float:
            return float(((found["low"] <= true * part) & (true * part <= found["high"])).mean())

        def oracle(part: float = 1.0) -> Floats:
            known = np.empty(len(true))
            for one in np.unique(tier):
                rows = tier == one
                first, second = true_beta(true[rows] * part, luck[rows] * part**2)
                known[rows] = (bought[rows] + first) / (observed[rows] + first + second)
            return known

        def ratio(said: Floats, part: float = 1.0) -> float | None:
            least = error(oracle(part), part)
            return rounded(error(said, part) / least) if least else None

        yield Rate(
            world=self.world.name,
            creators=len(true),
            observed=rounded(float(observed.mean()), 1),
            measured=rounded(float(shrunk.mean())),
            true=rounded(mean),
            bias=rounded(float((shrunk - true).mean()) / mean),
            error=rounded(error(shrunk) / mean),
            oracle_ratio=ratio(shrunk),
            raw_ratio=ratio(raw),
            coverage=rounded(held(1.0)),
            seen=rounded(seen),
            coverage_seen=rounded(held(seen)),
            oracle_ratio_seen=ratio(shrunk, seen),
            rank=rounded(rank_correlation(shrunk, true)),
            rank_oracle=rounded(rank_correlation(oracle(), true)),
            rank_raw=rounded(rank_correlation(raw, true)),
        )

    def tiers(self) -> Iterator[Tiers]:
        margin = (1.0 - LEVEL) / 2.0
        pairs = self.rows(queries.PAIRS)
        called = [one for one in pairs if one[1] < margin or one[1] > 1.0 - margin]
        true = dict(
            self.rows(
                "select group_key, value from true_targets "
                "where name = 'conversion_30d' and group_type = 'tier'"
            )
        )
        right = [one for one in called if (one[1] > 0.5) == (true["nano"] > true[one[0]])]
        yield Tiers(
            world=self.world.name,
            pairs=len(pairs),
            called=len(called),
            called_right=None if self.world.are_alike else len(right),
        )

    def effects(self) -> Iterator[Effect]:
        is_null = self.world.scenario.is_null
        held = {days: (share, count) for days, share, count in self.rows(queries.LIFT_INTERVALS)}
        for days, lift in self.rows(queries.LIFTS):
            share, count = held.get(days, (None, 0)) if is_null else (None, 0)
            yield Effect(
                world=self.world.name,
                name=f"return-visit lift, {days} days",
                measured=_rounded_or_none(lift),
                true=_rounded_or_none(self.target(f"return_lift_{days}d")),
                coverage=_rounded_or_none(share),
                intervals=count,
            )
        zone = self.world.scenario.business_timezone
        for days, rate in self.rows(queries.COMPLETIONS):
            yield Effect(
                world=self.world.name,
                name=f"refunds come within {days} days",
                measured=_rounded_or_none(rate),
                true=_rounded_or_none(
                    self.rows(queries.COMPLETED.format(zone=zone, days=days))[0][0]
                ),
            )

    def codes(self) -> Iterator[Codes]:
        yield Codes(self.world.name, *self.rows(queries.CODES)[0])


COVERAGE_GOAL = (0.87, 0.93)
ERROR_GOAL = 1.10
LIFT_GOAL = 0.015
FALSE_CALL_GOAL = 0.12

_Badness = tuple[float, Callable[[float], float]]

TOLERANCES: dict[type, dict[str, _Badness]] = {
    Credit: {
        "factor": (0.03, lambda value: abs(value - 1.0)),
        "right_share": (0.02, lambda value: -value),
        "found_share": (0.02, lambda value: -value),
        "error": (0.05, lambda value: value),
        "rank": (0.02, lambda value: -value),
    },
    Rate: {
        "bias": (0.02, abs),
        "oracle_ratio": (0.03, lambda value: value),
        "oracle_ratio_seen": (0.03, lambda value: value),
        "coverage_seen": (0.02, lambda value: abs(value - LEVEL)),
        "seen": (0.01, lambda value: -value),
        "coverage": (0.02, lambda value: abs(value - LEVEL)),
        "rank": (0.02, lambda value: -value),
    },
    Tiers: {"called_right": (0.0, lambda value: -value)},
    Effect: {
        "distance": (0.005, lambda value: value),
        "coverage": (0.03, lambda value: abs(value - LEVEL)),
    },
    Codes: {
        "precision": (0.02, lambda value: -value),
        "recall": (0.02, lambda value: -value),
    },
}
"""By how much a figure may get worse, and how bad a value is."""


def compare_accepted(found: list[Recovery], accepted: list[Recovery]) -> list[str]:
    """A line for each figure that is worse than accepted by more than its tolerance.

    Rows that are new, as of another attribution model, are no worse than none.
    """
    known = {(type(row), _key(row)): row for one in found for row in one.rows()}
    alike = {world.name for world in (*WORLDS, *SMALL) if world.are_alike}
    lines = []
    for before in (row for one in accepted for row in one.rows()):
        row = known.get((type(before), _key(before)))
        place = ", ".join(_key(before))
        if row is None:
            lines.append(f"{place}: was there and is not now")
            continue
        rules = dict(TOLERANCES[type(row)])
        if isinstance(row, Tiers) and row.world in alike:
            rules["called"] = (0.0, lambda value: value)
        if isinstance(row, Credit) and not row.caused_share:
            rules["credited_share"] = (0.005, lambda value: value)
        lines += figures.worse(place, row, before, rules)
    return lines


Row = Credit | Rate | Tiers | Effect | Codes


def _key(row: Row) -> tuple[str, ...]:
    if isinstance(row, Credit):
        return row.world, row.model
    if isinstance(row, Effect):
        return row.world, row.name
    return row.world, type(row).__name__.lower()


def as_json(found: list[Recovery]) -> list[dict[str, Any]]:
    """What `figures.json` holds."""
    return [asdict(one) for one in found]


def from_json(values: list[dict[str, Any]]) -> list[Recovery]:
    """The same, back."""
    return [
        Recovery(
            world=one["world"],
            credits=tuple(Credit(**row) for row in one["credits"]),
            rates=tuple(Rate(**row) for row in one["rates"]),
            tiers=tuple(Tiers(**row) for row in one["tiers"]),
            effects=tuple(Effect(**row) for row in one["effects"]),
            codes=tuple(Codes(**row) for row in one["codes"]),
        )
        for one in values
    ]


@dataclass(frozen=True)
class Miss:
    """A goal that a world does not reach."""

    world: str
    goal: str
    observed: str


WHY: dict[tuple[str, str], str] = {
    ("demo", "coverage"): (
        "The interval is of the conversion that can be seen. Of what clickers bought by the true "
        "rates the pipeline sees the part under *seen*: who clicks in a platform's own browser, "
        "refuses cookies or loses them and buys elsewhere is two people. Against that part the "
        "coverage is under *coverage, seen*."
    ),
    ("demo", "error"): (
        "The oracle is told the true rates, also of purchases that nothing ties to a click, and "
        "the estimate is drawn towards what is seen. What is left when both aim at the part seen "
        "is under *error / oracle's, seen*; in crowds of people that are seen whole the "
        "estimator's error, not its coverage, is within the goal (above)."
    ),
    ("null", "lift"): (
        "Nobody causes anything here. Few visits can be followed for so long in one world of "
        "5,000 people, and the same people come again and again: how often the intervals, which "
        "take that into account, hold 0 stands in the last column."
    ),
    ("null", "false calls"): (
        "One draw: before these 5,000 people nano creators happened to convert best in truth too, "
        "and each pair has nano in it. Over the crowds above false calls are far below the goal."
    ),
}
"""Why a goal is missed where it is: (world, goal) → the words of the page."""


def misses(found: list[Recovery]) -> list[Miss]:
    """Goals not reached: coverage, error against the oracle's, lift where none is, false calls."""
    missed = []
    alike = {world.name for world in (*WORLDS, *SMALL) if world.are_alike}
    for one in found:
        for rate in one.rates:
            if not COVERAGE_GOAL[0] <= rate.coverage <= COVERAGE_GOAL[1]:
                missed.append(Miss(one.world, "coverage", percent(rate.coverage)))
            if rate.oracle_ratio is None or rate.oracle_ratio > ERROR_GOAL:
                missed.append(Miss(one.world, "error", plain(rate.oracle_ratio)))
        apart = [
            f"{effect.name}: {percent(effect.measured)}"
            for effect in one.effects
            if effect.name in LIFTS and effect.true == 0.0 and (effect.distance or 0.0) > LIFT_GOAL
        ]
        if apart:
            missed.append(Miss(one.world, "lift", "; ".join(apart)))
        for tiers in one.tiers if one.world in alike else ():
            if tiers.called > FALSE_CALL_GOAL * tiers.pairs:
                observed = f"{tiers.called} of {tiers.pairs} pairs"
                missed.append(Miss(one.world, "false calls", observed))
    return missed


CREDIT_COLUMNS = (
    "world",
    "model",
    "orders credited",
    "caused",
    "over-crediting",
    "credit that is right",
    "caused orders found",
    "bias",
    "error",
    "rank",
)
RATE_COLUMNS = (
    "world",
    "creators",
    "clickers each",
    "measured",
    "true",
    "bias",
    "error / oracle's",
    "raw / oracle's",
    "coverage",
    "seen",
    "error / oracle's, seen",
    "coverage, seen",
    "rank",
    "oracle's",
    "raw's",
)
EFFECT_COLUMNS = ("world", "what", "measured", "true", "intervals that hold 0")
CODE_COLUMNS = ("world", "leaked", "with a score", "suggested", "precision", "recall", "of all")
TIER_COLUMNS = ("world", "pairs", "called different", "rightly")


def tables(found: list[Recovery]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, columns and cells of each table."""
    rows = [row for one in found for row in one.rows()]
    return [
        ("credit and cause", CREDIT_COLUMNS, [_credit(row) for row in rows if type(row) is Credit]),
        ("conversion of creators", RATE_COLUMNS, [_rate(row) for row in rows if type(row) is Rate]),
        (
            "tiers called different",
            TIER_COLUMNS,
            [_tiers(row) for row in rows if type(row) is Tiers],
        ),
        ("effects", EFFECT_COLUMNS, [_effect(row) for row in rows if type(row) is Effect]),
        ("leaked codes", CODE_COLUMNS, [_codes(row) for row in rows if type(row) is Codes]),
    ]


def _credit(row: Credit) -> tuple[str, ...]:
    return (
        row.world,
        f"`{row.model}`",
        percent(row.credited_share),
        percent(row.caused_share),
        plain(row.factor),
        percent(row.right_share),
        percent(row.found_share),
        signed(row.bias),
        plain(row.error),
        plain(row.rank),
    )


def _rate(row: Rate) -> tuple[str, ...]:
    return (
        row.world,
        str(row.creators),
        f"{row.observed:.1f}",
        percent(row.measured),
        percent(row.true),
        signed(row.bias),
        plain(row.oracle_ratio),
        plain(row.raw_ratio),
        percent(row.coverage),
        percent(row.seen),
        plain(row.oracle_ratio_seen),
        percent(row.coverage_seen),
        plain(row.rank),
        plain(row.rank_oracle),
        plain(row.rank_raw),
    )


def _tiers(row: Tiers) -> tuple[str, ...]:
    right = "all false" if row.called_right is None else str(row.called_right)
    return row.world, str(row.pairs), str(row.called), right if row.called else "-"


def _effect(row: Effect) -> tuple[str, ...]:
    held = "-" if row.coverage is None else f"{percent(row.coverage)} of {row.intervals}"
    return row.world, row.name, percent(row.measured), percent(row.true), held


def _codes(row: Codes) -> tuple[str, ...]:
    return (
        row.world,
        str(row.leaked),
        str(row.leaked_scored),
        str(row.flagged),
        percent(row.precision),
        percent(row.recall),
        percent(row.flagged_right / row.leaked if row.leaked else None),
    )


def page(found: list[Recovery]) -> str:
    """The second part of docs/evaluation.md.

    Raises:
        ValueError: A goal is missed and `WHY` does not say why.
    """
    missed = misses(found)
    unexplained = sorted({(miss.world, miss.goal) for miss in missed} - WHY.keys())
    if unexplained:
        raise ValueError(f"missed goals without a reason in worlds.WHY: {unexplained}")
    lines = [_HEAD]
    lines += [f"- **{world.name}**: {world.sentence}." for world in WORLDS]
    for (title, columns, cells), words in zip(tables(found), _WORDS, strict=True):
        lines += ["", f"### {title.capitalize()}", "", *table(columns, cells), "", words]
    lines += ["", "### Goals missed by the pipeline, and why", ""]
    lines += [
        f"- **{miss.world}, {miss.goal}** ({miss.observed}). {WHY[miss.world, miss.goal]}"
        for miss in missed
    ] or ["None."]
    return "\n".join([*lines, ""])


_HEAD = """## The whole pipeline

The same question with nothing left out: worlds whose causes are known are delivered as drops,
fetched, loaded, checked and built with the settings of a new home, and the marts are held against
the truth, which the pipeline never reads. What people do not tell (a code not used, a browser
nobody signs in on, an order after a post seen and not clicked) is missing here as it is in life.
"""

_WORDS = (
    """\
**Credit is not cause.** *Over-crediting* is orders credited to creators over orders that creators
caused; *credit that is right* is the share of the credit that went to the creator who caused the
order, and *caused orders found* the share of caused orders credited to who caused them. So a
factor near 1 only says that wrong credit and missed orders cancel. In the null world no creator
caused anything and every credited order is wrong. *Bias* and *error* (root mean square) are of a
creator's credited less caused orders, over the mean of caused orders; *rank* is the rank
correlation over creators.""",
    """\
Person conversion within the default window, of creators with anybody observed and enough clickers
in the crowd to know the truth: the same creators before 200,000 other people. *Error / oracle's*:
over that of somebody who knows how true rates arise in each tier and has the same counts; the
luck of the crowd is taken off. The oracle is told true rates, the counts are of the people the
pipeline can tell apart: a click and an order that nothing ties together are two people, so both
are too low. A rank correlation over so few creators is known to about a tenth; over many sets of
the same world the estimate ranks as under [Crowds](#crowds-of-simulated-people).""",
    """\
`prob_nano_higher_observed` below 5 or above 95 % in `fct_tier_conversion`, all platforms, all
history. The rate of false calls over many draws stands under [Tiers](#tiers); three pairs a world
only show that the pipeline brings the same numbers to it.""",
    """\
Lift over all tiers and weeks, in points, against visits that would not have been without the
creator. Where something is caused the lift is too low, the more the sooner it is asked: a return
in another browser is somebody else's. Refunds: of what is returned in the end, the part that has
come. In the null world each interval of `fct_return_visit_lift` should hold 0 nine times in
ten.""",
    """\
A code counts as found if `is_review_suggested` is true in a week after it leaked. *Precision*:
share of suggested codes that leaked; *recall*: share of leaked codes with enough uses for a score
that are suggested, and *of all* leaked codes. A code with fewer than ten uses in four weeks has
no score.""",
)


def _rounded_or_none(value: float | None) -> float | None:
    return None if value is None else rounded(value)
