"""Removal effects of every chain; the numerics are `estimation.removal`, tested there."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:
    """Read the steps in a fixed order, solve the chains, hand the table back to dbt."""
    from estimation.removal import SORTED_BY, removal_effects

    steps = dbt.ref("int_markov_transitions__counted").order(", ".join(SORTED_BY))
    return removal_effects(steps.to_arrow_table())
