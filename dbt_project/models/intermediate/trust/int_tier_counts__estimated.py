"""Engagement and trust by tier with intervals over creators, by `estimation.tiers`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:
    """Read the counts in a fixed order, estimate the cells, hand the table back to dbt."""
    from estimation.tiers import SORTED_BY, estimate

    counts = dbt.ref("int_tier_counts__grouped").order(", ".join(SORTED_BY))
    return estimate(
        counts.to_arrow_table(),
        level=float(dbt.config.get("ci_level")),
        least=int(dbt.config.get("least")),
        shares=tuple(dbt.config.get("shares")),
        sized=tuple(dbt.config.get("sized")),
    )
