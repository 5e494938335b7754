"""What each experiment added, or why it cannot tell; the numerics are `estimation.lift`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:
    """Read the outcomes in a fixed order, estimate each design, hand the table back to dbt."""
    from estimation.designs import SORTED_BY, estimate
    from estimation.lift import Rules

    rules = Rules(
        level=float(dbt.config.get("ci_level")),
        minimum_units=dict(dbt.config.get("minimum_units")),
        minimum_events=int(dbt.config.get("minimum_events")),
        minimum_history_days=dict(dbt.config.get("minimum_history_days")),
        exact_limit=int(dbt.config.get("exact_limit")),
        sample=int(dbt.config.get("sample")),
    )
    outcomes = dbt.ref("int_experiment_outcomes__counted").order(", ".join(SORTED_BY))
    return estimate(outcomes.to_arrow_table(), rules)
