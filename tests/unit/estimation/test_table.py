"""The table of counts as a build hands it over."""

from __future__ import annotations

import pyarrow as pa

from estimation.table import Plan, estimate


def test_a_shop_without_a_single_click_has_nothing_to_estimate() -> None:
    names = ("metric", "family", "population", "platform", "tier")
    counts = pa.table({name: pa.array([], pa.string()) for name in names})
    assert estimate(counts, Plan(level=0.9, reference_tier="nano")).num_rows == 0
