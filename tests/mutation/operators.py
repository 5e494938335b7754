"""Small wrong formulas: what a slip of the hand does to a model's SQL.

A mutant is one change of one place in a model's file, outside of comments, strings and Jinja. The
operators are the slips that change a number and leave the query running: a bound moved by one
(`<` for `<=`), a dedupe that is gone, an inner join for a left one, the wrong end of an order, a
sum that is none. Those that cannot run at all prove nothing and are not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HIDDEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One wrong version of a model."""

    model: str
    line: int
    operator: str
    before: str
    """The line as it is, without its indent."""
    sql: str


@dataclass(frozen=True, slots=True)
class _Operator:
    name: str
    pattern: re.Pattern[str]
    replacement: str


def _operator(name: str, pattern: str, replacement: str) -> _Operator:
    return _Operator(name, re.compile(pattern), replacement)


OPERATORS = (
    _operator("< for <=", r"(?<=\s)<=(?=\s)", "<"),
    _operator("<= for <", r"(?<=\s)<(?=\s)", "<="),
    _operator("> for >=", r"(?<=\s)>=(?=\s)", ">"),
    _operator(">= for >", r"(?<=\s)>(?=\s)", ">="),
    _operator("= for !=", r"(?<=\s)!=(?=\s)", "="),
    _operator("inner for left", r"\bleft join\b", "inner join"),
    _operator("no distinct in count", r"\bcount\(distinct\s", "count("),
    _operator("no distinct", r"\bselect distinct\b", "select"),
    _operator("no dedupe", r"(?<=_rank )= 1\b", ">= 1"),
    _operator("duplicates kept", r"(?m)^\s*union$", "union all"),
    _operator("- for +", r"(?<=\s)\+(?=\s)", "-"),
    _operator("+ for -", r"(?<=\s)-(?=\s)", "+"),
    _operator("+ for *", r"(?<=[\w)] )(?<!select )\*(?=\s)", "+"),
    _operator("or for and", r"(?m)^(\s*)and\b", r"\1or"),
    _operator("and for or", r"(?m)^(\s*)or\b", r"\1and"),
    _operator("max for min", r"\bmin\(", "max("),
    _operator("min for max", r"\bmax\(", "min("),
    _operator("max for sum", r"\bsum\(", "max("),
    _operator("lead for lag", r"\blag\(", "lead("),
    _operator("lag for lead", r"\blead\(", "lag("),
    _operator("not null for null", r"\bis null\b", "is not null"),
    _operator("null for not null", r"\bis not null\b", "is null"),
)


def mutants(model: str, sql: str) -> Iterator[Mutant]:
    """Every wrong version of a model, in the order of its lines within each operator."""
    # Same length, so that a place found in the veiled text is that place in the true one.
    veiled = _HIDDEN.sub(lambda found: re.sub(r"[^\n]", "\x00", found.group(0)), sql)
    for operator in OPERATORS:
        for found in operator.pattern.finditer(veiled):
            start, end = found.span()
            if operator.name in {"or for and", "and for or"} and _is_between(veiled, start):
                continue
            wrong = sql[:start] + found.expand(operator.replacement) + sql[end:]
            line = sql.count("\n", 0, start + len(found.group(0)) - len(found.group(0).lstrip()))
            yield Mutant(model, line + 1, operator.name, sql.splitlines()[line].strip(), wrong)


def _is_between(text: str, start: int) -> bool:
    """Whether the `and` belongs to a `between`, not to a condition."""
    earlier = text[:start].lower()
    return earlier.rfind(" between ") > max(earlier.rfind(" and "), earlier.rfind("\n"), 0)
