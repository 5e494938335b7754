"""Properties of the estimates, whatever the counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from estimation.estimates import Thresholds, estimate_units, label
from estimation.hierarchy import Counts, believe

creators = st.lists(
    st.tuples(st.integers(1, 300), st.floats(0, 1), st.integers(0, 2)), min_size=2, max_size=25
)


def counts_of(family: str, rows: list[tuple[int, float, int]]) -> Counts:
    n = np.array([row[0] for row in rows], dtype=float)
    x = np.floor(np.array([row[0] * row[1] ** 3 for row in rows]))
    cell = np.array([row[2] for row in rows])
    return Counts(
        family=family,  # type: ignore[arg-type]
        x=x,
        n=n,
        units=np.ones(len(n), dtype=np.int64),
        cell=cell,
        platform=np.zeros(3, dtype=np.int64),
    )


@pytest.mark.parametrize("family", ["rate", "exposure"])
@settings(max_examples=12, deadline=None)
@given(rows=creators)
def test_order_does_not_matter_and_more_events_mean_a_higher_estimate(
    family: str, rows: list[tuple[int, float, int]]
) -> None:
    counts = counts_of(family, rows)
    units = estimate_units(counts, believe(counts))
    assert (units.ci_low <= units.shrunk).all()
    assert (units.shrunk <= units.ci_high).all()
    backwards = counts_of(family, rows[::-1])
    again = estimate_units(backwards, believe(backwards))
    assert again.shrunk[::-1] == pytest.approx(units.shrunk, rel=1e-9)
    assert again.ci_high[::-1] == pytest.approx(units.ci_high, rel=1e-7)
    for one in range(len(rows)):
        for other in range(len(rows)):
            same = counts.cell[one] == counts.cell[other] and counts.n[one] == counts.n[other]
            if same and counts.x[one] < counts.x[other]:
                assert units.shrunk[one] < units.shrunk[other]
                assert units.ci_low[one] <= units.ci_low[other]


@settings(max_examples=12, deadline=None)
@given(rows=creators)
def test_an_estimate_lies_between_the_raw_rate_and_the_prior(
    rows: list[tuple[int, float, int]],
) -> None:
    """Given strength and mean it does so exactly; summed out, the mean of priors bounds it."""
    counts = counts_of("rate", [(n, share, 0) for n, share, _ in rows])
    beliefs = believe(counts)
    units = estimate_units(counts, beliefs)
    means = beliefs.mean[[0, -1]]
    raw = counts.x / counts.n
    assert (units.shrunk >= np.minimum(raw, means[0]) - 1e-12).all()
    assert (units.shrunk <= np.maximum(raw, means[1]) + 1e-12).all()
    assert ((units.own_weight > 0) & (units.own_weight < 1)).all()


def test_equal_units_in_one_row_are_as_good_as_in_many() -> None:
    x, n, units = [0.0, 1.0, 4.0], [10.0, 20.0, 50.0], [30, 9, 3]
    packed = Counts(
        "rate", np.array(x), np.array(n), np.array(units), np.zeros(3, int), np.zeros(1, int)
    )
    rows = np.repeat(np.arange(3), units)
    spread = Counts(
        "rate",
        np.array(x)[rows],
        np.array(n)[rows],
        np.ones(42, dtype=np.int64),
        np.zeros(42, int),
        np.zeros(1, int),
    )
    one = estimate_units(packed, believe(packed), seed=4)
    many = estimate_units(spread, believe(spread), seed=4)
    first = np.array([0, 30, 39])
    assert one.shrunk == pytest.approx(many.shrunk[first], rel=1e-10)
    assert one.ci_low == pytest.approx(many.ci_low[first], rel=1e-8)
    mean = [many.prob_top_decile[rows == row].mean() for row in range(3)]
    assert one.prob_top_decile == pytest.approx(mean, abs=1e-9)


def test_chances_of_the_top_decile_sum_to_its_places() -> None:
    luck = np.random.default_rng(8)
    n = luck.integers(5, 200, 60).astype(float)
    x = luck.binomial(n.astype(int), 0.05).astype(float)
    counts = Counts("rate", x, n, np.ones(60, dtype=np.int64), np.zeros(60, int), np.zeros(1, int))
    chances = estimate_units(counts, believe(counts), seed=2).prob_top_decile
    assert chances.sum() == pytest.approx(6.0, abs=0.15)
    few = Counts(
        "rate", x[:9], n[:9], np.ones(9, dtype=np.int64), np.zeros(9, int), np.zeros(1, int)
    )
    assert np.isnan(estimate_units(few, believe(few), seed=2).prob_top_decile).all()


def test_no_orders_from_thousands_of_clicks_is_strong_evidence() -> None:
    """Half-width over the cell's mean, not over the estimate that is nearly nought."""
    found = label(
        np.array([0.0005, 0.02, 0.02, 0.02, 0.02]),
        np.array([0.0, 0.016, 0.014, 0.011, 0.0]),
        np.array([0.0015, 0.024, 0.026, 0.029, 0.08]),
        np.full(5, 0.02),
        np.array([0.95, 0.6, 0.4, 0.25, 0.9]),
        Thresholds(),
    )
    assert found.tolist() == ["reliable", "reliable", "usable", "directional", "insufficient"]


def test_a_narrow_interval_of_other_peoples_data_is_not_reliable() -> None:
    found = label(
        np.array([0.02]),
        np.array([0.018]),
        np.array([0.022]),
        np.array([0.02]),
        np.array([0.1]),
        Thresholds(),
    )
    assert found.tolist() == ["insufficient"]


@pytest.mark.parametrize("family", ["rate", "exposure"])
def test_an_interval_holds_its_estimate_where_creators_are_far_apart(family: str) -> None:
    """Two sell nine of ten clicks, 118 nothing: nearly all of a posterior lies at nought."""
    counts = Counts(
        family=family,  # type: ignore[arg-type]
        x=np.array([0.0, 900.0]),
        n=np.array([50.0, 1000.0]),
        units=np.array([118, 2]),
        cell=np.zeros(2, dtype=np.int64),
        platform=np.zeros(1, dtype=np.int64),
    )
    units = estimate_units(counts, believe(counts))
    assert (units.ci_low <= units.shrunk).all()
    assert units.ci_high[0] == units.shrunk[0]
    assert units.ci_high[1] > units.shrunk[1]
