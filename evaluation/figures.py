"""Accepted figures, and how a figure is written.

`figures.json` holds what was last accepted, one list of rows a form.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ACCEPTED = Path(__file__).with_name("figures.json")


def accepted(form: str) -> list[dict[str, Any]]:
    """The accepted rows of a form."""
    return list(json.loads(ACCEPTED.read_text(encoding="utf-8"))[form])


def write(**forms: list[Any]) -> None:
    """Accept figures: replace the rows of the forms given."""
    known = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    text = json.dumps(known | forms, indent=1, sort_keys=True)
    ACCEPTED.write_text(text + "\n", encoding="utf-8")


Rules = Mapping[str, tuple[float, Callable[[float], float]]]


def worse(place: str, now: object, before: object, rules: Rules) -> Iterator[str]:
    """A line for each figure of a row that is worse than the accepted row's.

    Args:
        place: What the row is of.
        now: The row.
        before: The accepted row.
        rules: By figure, how much worse it may get, and how bad a value is.
    """
    for name, (tolerance, badness) in rules.items():
        value, was = getattr(now, name), getattr(before, name)
        if (value is None) != (was is None):
            yield f"{place}: {name} {was} → {value}"
        # figures have four digits, their differences more noise
        elif value is not None and round(badness(value) - badness(was), 9) > tolerance:
            yield f"{place}: {name} {was} → {value}, worse by more than {tolerance}"


def rounded(value: float, digits: int = 4) -> float:
    """As it is accepted; never minus nought."""
    return round(float(value), digits) + 0.0


def percent(value: float | None, digits: int = 1) -> str:
    """A share as text."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def signed(value: float | None) -> str:
    """A difference of shares as text."""
    return "-" if value is None else f"{100 * value:+.1f} %"


def plain(value: float | None) -> str:
    """A ratio as text."""
    return "-" if value is None else f"{value:.2f}"


def table(columns: tuple[str, ...], cells: list[tuple[str, ...]]) -> Iterator[str]:
    """Lines of a table of the page."""
    yield "| " + " | ".join(column.strip() for column in columns) + " |"
    yield "|---|" + "---:|" * (len(columns) - 1)
    for row in cells:
        yield "| " + " | ".join(row) + " |"
