"""What sqlfluff's jinja templater needs of dbt to render the models without a database.

`var` answers from the real `vars:` of `dbt_project.yml`, so that models may calculate with them.
The rest stands in for macros that dispatch on the engine, in the shape that DuckDB gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

PROJECT_FILE = Path(__file__).resolve().parents[2] / "dbt_project" / "dbt_project.yml"


@cache
def _vars() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    return values


def var(name: str, default: Any = "") -> Any:
    """A var of the project; those the transform stage hands in are empty there."""
    return _vars().get(name, default)


dbt = SimpleNamespace(
    dateadd=lambda part, count, moment: f"({moment} + {count} * interval '1 {part}')",
    datediff=lambda first, last, part: f"date_diff('{part}', {first}, {last})",
    date_trunc=lambda part, moment: f"date_trunc('{part}', {moment})",
    last_day=lambda moment, part: f"last_day(date_trunc('{part}', {moment}))",
    type_float=lambda: "double",
)


def weekday_number(day: str) -> str:
    """Stand-in for macros/compat/weekday_number.sql."""
    return f"cast(extract(isodow from {day}) as integer)"


def ordered_list(value: str, order_by: str, separator: str = ",") -> str:
    """Stand-in for macros/compat/ordered_list.sql."""
    return f"string_agg({value}, '{separator}' order by {order_by})"


def date_series(relation: str, first_date: str, last_date: str, alias: str) -> str:
    """Stand-in for macros/compat/date_series.sql."""
    return f"select unnest(range({first_date}, {last_date})) as {alias} from {relation}"


def number_series(relation: str, columns: Sequence[str], first: str, last: str, alias: str) -> str:
    """Stand-in for macros/compat/number_series.sql."""
    kept = ", ".join(columns)
    return f"select {kept}, unnest(range({first}, {last})) as {alias} from {relation}"
