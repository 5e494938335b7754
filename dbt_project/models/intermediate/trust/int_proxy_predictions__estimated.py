"""Whether a proxy tells the next month's conversion; the numerics are `estimation.prediction`."""

from __future__ import annotations

from typing import Any


def model(dbt: Any, session: Any) -> Any:
    """Read the pairs in a fixed order, ask every month, hand the table back to dbt."""
    from estimation.prediction import SORTED_BY, estimate

    pairs = dbt.ref("int_proxy_predictions__paired").order(", ".join(SORTED_BY))
    return estimate(
        pairs.to_arrow_table(),
        level=float(dbt.config.get("ci_level")),
        least=int(dbt.config.get("least")),
    )
