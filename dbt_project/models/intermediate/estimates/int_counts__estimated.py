"""Every counted metric with its estimates; the numerics are `estimation`, tested there."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:
    """Read the counts in a fixed order, estimate them, hand the table back to dbt."""
    from estimation.estimates import Thresholds
    from estimation.table import SORTED_BY, Plan, estimate

    plan = Plan(
        level=float(dbt.config.get("ci_level")),
        reference_tier=str(dbt.config.get("reference_tier")),
        thresholds=Thresholds(
            half_widths=tuple(dbt.config.get("reliability_half_widths")),
            own_weights=tuple(dbt.config.get("reliability_own_weights")),
        ),
    )
    counts = dbt.ref("int_counts__unioned").order(", ".join(SORTED_BY))
    return estimate(counts.to_arrow_table(), plan)
