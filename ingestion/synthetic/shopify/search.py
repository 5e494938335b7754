"""Shopify's search syntax, as far as the lists of this shop know fields.

`updated_at:>='2026-05-01T00:00:00Z' AND updated_at:<'2026-05-02T00:00:00Z'`: terms `field:value`
with a comparison, joined by AND (also by nothing), OR, NOT or a minus, with parentheses. As the
real shop does, a term it does not understand is **left out with a warning** in
`extensions.search`: a misspelt window returns every order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.synthetic.shopify.database import Integers, Mask, seconds

Filter = Callable[[str, str], Mask]
"""(comparison, value) -> which rows; raises ValueError for a value it cannot read."""

TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) |
        (?P<minus>-)(?=[a-z_]+:) |
        (?P<field>[a-z_]+):\s*(?P<operator><=|>=|<|>|=)?\s*
            (?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s()]+)) |
        (?P<word>[^\s()]+)
    )""",
    re.VERBOSE,
)


@dataclass
class Search:
    """One search over a list.

    Attributes:
        filters: The fields that may be asked for.
        size: Number of rows of the list.
        warnings: What was left out, as `extensions.search` says it.
    """

    filters: Mapping[str, Filter]
    size: int
    warnings: list[dict[str, str]] = field(default_factory=list)
    _tokens: list[re.Match[str]] = field(default_factory=list)
    _at: int = 0

    def run(self, query: str) -> Mask:
        """The rows that the query asks for."""
        self._tokens = list(TOKEN.finditer(query.strip()))
        self._at = 0
        found = self._either()
        return np.ones(self.size, dtype=np.bool_) if found is None else found

    def _peek(self) -> re.Match[str] | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _either(self) -> Mask | None:
        found = self._both()
        while (token := self._peek()) is not None and token["word"] == "OR":
            self._at += 1
            other = self._both()
            found = other if found is None else found if other is None else found | other
        return found

    def _both(self) -> Mask | None:
        found: Mask | None = None
        while (token := self._peek()) is not None and not token["close"] and token["word"] != "OR":
            if token["word"] == "AND":
                self._at += 1
                continue
            other = self._one()
            found = other if found is None else found if other is None else found & other
        return found

    def _one(self) -> Mask | None:
        token = self._peek()
        if token is None:
            return None
        self._at += 1
        if token["minus"] or token["word"] == "NOT":
            found = self._one()
            return None if found is None else ~found
        if token["open"]:
            found = self._either()
            self._at += 1  # the closing parenthesis, when there is one
            return found
        if token["field"] is None:
            self._warn(token["word"] or "", "Text search is not simulated.", "invalid_field")
            return None
        return self._term(token)

    def _term(self, token: re.Match[str]) -> Mask | None:
        name = token["field"]
        quoted = token["single"] if token["single"] is not None else token["double"]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token["bare"]
        known = self.filters.get(name)
        if known is None:
            self._warn(name, "Invalid search field for this query.", "invalid_field")
            return None
        try:
            return known(token["operator"] or "=", value)
        except ValueError:
            self._warn(name, f"Input `{value}` is not an accepted value.", "invalid_value")
            return None

    def _warn(self, name: str, message: str, code: str) -> None:
        self.warnings.append({"field": name, "message": message, "code": code})


def compare(operator: str, left: Any, right: Any) -> Mask:
    """`left` operator `right`, element by element."""
    operations = {
        "=": np.equal,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
    }
    mask: Mask = operations[operator](left, right)
    return mask


def by_instant(values: Integers, timezone: ZoneInfo) -> Filter:
    """A filter on instants; a date or a time without offset is in the shop's timezone."""

    def filter_rows(operator: str, value: str) -> Mask:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone)
        if operator == "=" and len(value) == 10:
            day = date.fromisoformat(value)
            after = datetime.combine(date.fromordinal(day.toordinal() + 1), moment.timetz())
            return (values >= seconds(moment)) & (values < seconds(after))
        # A fraction of a second: the instants are whole, so the bound is rounded up.
        whole = seconds(moment)
        fraction = moment.astimezone(UTC).microsecond > 0
        if fraction and operator in {"<", ">="}:
            whole += 1
        if fraction and operator == "=":
            return np.zeros(len(values), dtype=np.bool_)
        return compare(operator, values, whole)

    return filter_rows


def by_number(values: Integers) -> Filter:
    """A filter on ids; a GID counts by its number."""

    def filter_rows(operator: str, value: str) -> Mask:
        return compare(operator, values, int(value.rsplit("/", 1)[-1]))

    return filter_rows


def by_text(values: Callable[[], Any]) -> Filter:
    """A filter on lower-case text, equal regardless of case; the column is read when asked for."""

    def filter_rows(operator: str, value: str) -> Mask:
        if operator != "=":
            raise ValueError(operator)
        return compare("=", values(), value.lower())

    return filter_rows


def by_flag(values: Callable[[], Any]) -> Filter:
    """A filter on true and false."""

    def filter_rows(operator: str, value: str) -> Mask:
        if operator != "=" or value not in {"true", "false"}:
            raise ValueError(value)
        return compare("=", values(), value == "true")

    return filter_rows
