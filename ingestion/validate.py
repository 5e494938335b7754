"""The strict rules: one record at a time, the rule, the field and a message where it breaks one.

The bulk of a delivery is judged in SQL (`ingestion.conversion`); this module decides about every
row that SQL would not vouch for, and its word is final.

    Q01  an id that is needed is missing, blank, or is an address itself
    Q02  a time is missing, cannot be read, or has no offset
    Q03  a time lies more than 24 h ahead of its receipt (10 min to 24 h: kept, warned)
    Q04  a time lies before the source's history, or before 1990
    Q05  money is no decimal number, has more than 4 places, is negative where it may not be, or is
         in no currency of ISO 4217
    Q08  a value is not in its list
    Q09  a count or measure is negative, not whole, or no number
    Q11  neither of the ids is there that say who it was
    Q15  the record cannot be read at all: no JSON object, names twice, NUL, bad UTF-8, NaN, more
         than 1 MiB or 20 levels; in a table, a row with more or fewer cells than the header

Messages name the field and what is wrong, never the value: it may be an address in the wrong place.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field as dataclass_field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from ingestion import currency
from ingestion.contract import EntityContract, Field
from ingestion.conversion import (
    BOOLEANS,
    COUNTRY,
    DENIED_NAME,
    HOURS_AHEAD,
    KEPT_NAME,
    PERSONAL,
    SECONDS_METRICS,
    TRUE,
    UTM_MEMBERS,
    Terms,
    earliest,
    naive_utc,
)
from ingestion.pseudonyms import PATTERN as PSEUDONYM, Pseudonyms

MAXIMUM_BYTES = 2**20
MAXIMUM_DEPTH = 20
MAXIMUM_LOCAL_PART = 64
MAXIMUM_NAME = 200
MAXIMUM_DIGITS = 400
"""Longer integers are kept as text."""

MISSING_RULE = {
    "id": "Q01",
    "text": "Q01",
    "enum": "Q08",
    "ts": "Q02",
    "moment": "Q02",
    "date": "Q02",
    "money": "Q05",
    "fx": "Q05",
    "ccy": "Q05",
    "dec": "Q09",
    "int": "Q09",
    "rate": "Q09",
    "bool": "Q08",
    "cc": "Q08",
    "json": "Q15",
    "list": "Q15",
}
"""The rule a field breaks, by its type: missing where required, or not of that type."""

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})"
    r"(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DECIMAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]+)?")
_WHOLE = re.compile(r"([0-9]+)(?:\.0+)?")
_COUNTRY = re.compile(COUNTRY)
_KEPT_NAME = re.compile(KEPT_NAME)
_DENIED_NAME = re.compile(DENIED_NAME, re.IGNORECASE)
_PERSONAL = re.compile(PERSONAL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_AT = re.compile(r"@|%40")
_ADDRESS_END = re.compile(r"[\s@%\"'<>(),;:/?&=]")
_HANDLE_END = re.compile(r"[^0-9A-Za-z._-]")
_PHONE = re.compile(r"\+[0-9][0-9 ().-]{6,}[0-9]")
_ADDRESS = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}")
_SAFE_NUMBER = re.compile(r"-[0-9]{1,9}(?:[.,][0-9]{1,12})?|[0-9]{1,7}|[0-9]{1,9}[.,][0-9]{1,12}")
_SAFE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]{4,18}(?:Z|z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}"
)

_DIGITS = {"money": (14, 4), "dec": (16, 4), "fx": (9, 8)}


class NumberText(float):
    """A number and how it was written: `1e2`, `12.50` and `-0` are told apart by nothing else."""

    text: str

    def __new__(cls, text: str) -> NumberText:
        """The number that `text` spells."""
        made = super().__new__(cls, text)
        made.text = text
        return made


@dataclass(frozen=True)
class Violation:
    """A broken rule; `field` is None where the record as a whole breaks it."""

    rule: str
    field: str | None
    message: str


@dataclass
class Checked:
    """What the strict rules made of a record.

    Attributes:
        record: Fields that are fine, canonical; never plain where a pseudonym replaces it.
        overlay: Columns made here: pseudonyms.
        violations: Broken rules, in the contract's order of fields; empty if accepted.
        leftover: Of the broken fields, values that can be shown: numbers, times.
        notes: Counts of what was left out: dropped fields, masked values, invalid pseudonyms.
    """

    record: dict[str, Any] = dataclass_field(default_factory=dict)
    overlay: dict[str, str] = dataclass_field(default_factory=dict)
    violations: list[Violation] = dataclass_field(default_factory=list)
    leftover: dict[str, str] = dataclass_field(default_factory=dict)
    notes: dict[str, int] = dataclass_field(default_factory=dict)

    def note(self, name: str) -> None:
        """Count one more thing left out."""
        self.notes[name] = self.notes.get(name, 0) + 1


class _Unreadable(Exception):
    pass


class _Wrong(Exception):
    """A value breaks a rule; the message goes behind the field's name."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


# -- reading ------------------------------------------------------------------------------------


def parse_line(data: bytes) -> dict[str, Any] | Violation | None:
    """One line of NDJSON, strictly.

    Returns:
        The object; None for a blank line; the violation where it cannot be read.
    """
    if len(data) > MAXIMUM_BYTES:
        return Violation("Q15", None, "the line is longer than 1 MiB; deliver smaller records")
    if b"\0" in data:
        return Violation("Q15", None, "the line holds a NUL byte; write text as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return Violation("Q15", None, f"not UTF-8 at byte {error.start + 1} of the line")
    if not text.strip(" \t\r\n"):
        return None
    try:
        value = parse_json(text)
    except _Unreadable as error:
        return Violation("Q15", None, str(error))
    if not isinstance(value, dict):
        return Violation("Q15", None, "the line is JSON but no object; write one object a line")
    return value


def parse_json(text: str) -> Any:
    """JSON without NaN, without names that occur twice, and not deeper than 20 levels.

    Raises:
        _Unreadable: It is not that; the message names the place, never the text.
    """
    if text.count("{") + text.count("[") > MAXIMUM_DEPTH and _depth(text) > MAXIMUM_DEPTH:
        raise _Unreadable("nested deeper than 20 levels")
    try:
        value = json.loads(
            text,
            parse_float=NumberText,
            parse_int=_integer,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise _Unreadable(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise _Unreadable("nested deeper than 20 levels") from None
    if "\\u" in text and (_SURROGATE.search(text) or "\\u0000" in text):
        for one in _strings(value):
            if "\0" in one:
                raise _Unreadable("a text holds a NUL character")
            if any("\ud800" <= letter <= "\udfff" for letter in one):
                raise _Unreadable("a text holds half of a surrogate pair")
    return value


def _integer(text: str) -> int | NumberText:
    # Python refuses to read integers of thousands of digits, and has no minus zero.
    return NumberText(text) if text == "-0" or len(text) > MAXIMUM_DIGITS else int(text)


def _refuse_constant(text: str) -> Any:
    raise _Unreadable(f"{text} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Unreadable("a name occurs twice in one object")
    return made


def _depth(text: str) -> int:
    depth = deepest = 0
    is_text = is_escaped = False
    for letter in text:
        if is_text:
            if is_escaped:
                is_escaped = False
            elif letter == "\\":
                is_escaped = True
            elif letter == '"':
                is_text = False
        elif letter == '"':
            is_text = True
        elif letter in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "}]":
            depth -= 1
    return deepest


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


# -- names and texts that may hold people's data -----------------------------------------------


def is_kept_name(name: str) -> bool:
    """Whether a field the contract does not know may be kept."""
    return bool(_KEPT_NAME.fullmatch(name)) and not _is_denied(name)


def _is_denied(name: str) -> bool:
    """Whether a field of this name may hold people's data."""
    return len(name) > MAXIMUM_NAME or bool(_DENIED_NAME.fullmatch(name))


def mask(text: str) -> str:
    """Free text without e-mail addresses, handles, phone numbers and IP addresses.

    One pass over the text, however long and whatever it holds.
    """
    if "@" in text or "%40" in text:
        text = _mask_at_signs(text)
    if "+" in text:
        text = _PHONE.sub("[phone]", text)
    if "." in text:
        text = _ADDRESS.sub("[ip]", text)
    return text


def _mask_at_signs(text: str) -> str:
    made: list[str] = []
    done = 0
    for sign in _AT.finditer(text):
        begin, after = sign.span()
        if begin < done:
            continue
        end = _ADDRESS_END.search(text, after)
        host = text[after : end.start() if end else len(text)]
        local = 0
        while (
            local < MAXIMUM_LOCAL_PART
            and begin - local > done
            and not _ADDRESS_END.match(text[begin - local - 1])
        ):
            local += 1
        if local and "." in host.strip("."):
            made += [text[done : begin - local], "[email]"]
            done = after + len(host)
            continue
        stop = _HANDLE_END.search(text, after)
        handle = text[after : stop.start() if stop else len(text)]
        if handle[:1].isalnum() or handle.startswith("_"):
            made += [text[done:begin], "[handle]"]
            done = after + len(handle)
    return "".join([*made, text[done:]])


def _is_personal(identifier: str) -> bool:
    """Whether an id is itself an address or a handle."""
    local, at, host = identifier.partition("@")
    if at and (not local or ("." in host and "@" not in host)):
        return True
    return bool(_PHONE.fullmatch(identifier) or _ADDRESS.fullmatch(identifier))


def _mask_url(text: str) -> str:
    return mask(re.sub(r"//[^/?#@]*@", "//", text))


# -- checking -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """The strict rules of one entity, under the terms of one delivery."""

    contract: EntityContract
    terms: Terms
    pseudonyms: Pseudonyms

    def check(self, given: Mapping[str, Any], overlay: Mapping[str, str] | None = None) -> Checked:
        """Judge one record.

        Args:
            given: Fields as delivered; values are JSON's, numbers as `int` or `NumberText`.
            overlay: Columns that are made already (a release).

        Returns:
            What is fine, and what is not.
        """
        out = Checked(overlay=dict(overlay or {}))
        known = {field.name for field in self.contract.fields}
        # A pseudonym's class and scope may be in a field that comes after it.
        for field in sorted(self.contract.fields, key=lambda one: one.pseudonym is not None):
            self._check_field(field, given.get(field.name), out)
        order = {field.name: number for number, field in enumerate(self.contract.fields)}
        out.violations.sort(key=lambda one: order.get(one.field or "", len(order)))
        for name, value in given.items():
            if name not in known and value is not None:
                self._check_unknown(name, value, out)
        self._check_together(given, out)
        return out

    def _check_field(self, field: Field, value: Any, out: Checked) -> None:
        if value is None or value == "":
            value = None
        try:
            if value is not None:
                value = _CHECKS[field.x_type](field, value)
            if value is None:
                if field.required and not self._is_made(field, out):
                    out.violations.append(
                        Violation(
                            MISSING_RULE[field.x_type], field.name, f"{field.name} is missing"
                        )
                    )
                return
            self._keep(field, value, out)
        except _Wrong as wrong:
            out.violations.append(
                Violation(wrong.rule, field.name, f"{field.name} {wrong.message}")
            )
            shown = _leftover(field, value)
            if shown is not None:
                out.leftover[field.name] = shown

    def _is_made(self, field: Field, out: Checked) -> bool:
        if field.name == "currency" and self.terms.currency:
            return True
        return bool(field.columns) and all(column.name in out.overlay for column in field.columns)

    def _keep(self, field: Field, value: Any, out: Checked) -> None:
        if field.pseudonym is not None:
            self._pseudonymise(field, value, out)
            if field.derive in ("caption", "comment_text"):
                out.record[field.name] = value
            return
        if field.x_type in ("id", "text") and isinstance(value, str):
            value = self._clean(field, value, out)
        elif field.x_type == "list":
            is_code = field.derive == "code_list"
            cleaned = [item if is_code and not _is_personal(item) else mask(item) for item in value]
            if cleaned != value:
                out.note("masked_values")
            value = cleaned
        elif field.x_type == "json":
            value = self._scrub(value, out)
        out.record[field.name] = value

    def _clean(self, field: Field, value: str, out: Checked) -> str:
        if field.x_type == "id" or field.derive == "code":
            if _is_personal(value):
                raise _Wrong("Q01", "holds an address or a handle; deliver an opaque id")
            return value
        if field.is_dropped or field.derive in ("host", "permalink", "ua_class"):
            return value
        if field.derive == "consented":
            inner = value.strip("@ ")
            cleaned = mask(inner)
        elif field.derive in ("url", "target_url", "path"):
            inner, cleaned = value, _mask_url(value)
        else:
            inner, cleaned = value, mask(value)
        if cleaned != inner:
            out.note("masked_values")
        return cleaned

    def _pseudonymise(self, field: Field, value: Any, out: Checked) -> None:
        assert field.pseudonym is not None
        spec = field.pseudonym
        scope = self._scope(spec.scope, out)
        if field.x_type == "list":
            made = [self.pseudonyms.make("handle", scope, item) for item in value]
            out.overlay[spec.column] = json.dumps(
                [one for one in made if one is not None], separators=(",", ":")
            )
            return
        key_class = spec.key_class
        if key_class.startswith("by:"):
            kind = out.record.get(key_class.removeprefix("by:"))
            if kind is None:
                return
            key_class = {"visitor": "device"}.get(kind, kind)
            if key_class == "email":
                scope = ""
        pid = self.pseudonyms.make(key_class, scope, value)
        if pid is not None:
            out.overlay[spec.column] = pid
            return
        out.note("invalid_pseudonyms")
        if field.required:
            raise _Wrong("Q01", "cannot be read as what it should be")

    def _scope(self, scope: str, out: Checked) -> str:
        if scope == "account" or scope.startswith("by:"):
            return self.terms.scope
        if scope == "platform":
            return str(out.record.get("platform") or "")
        if scope == "day":
            assert self.contract.time_column is not None
            return str(out.record.get(self.contract.time_column) or "")[:10]
        return ""

    def _check_unknown(self, name: str, value: Any, out: Checked) -> None:
        if not is_kept_name(name):
            return  # counted by the batch, for all rows at once
        try:
            out.record[name] = self._scrub(value, out)
        except _Wrong as wrong:
            out.violations.append(Violation(wrong.rule, name, f"{name} {wrong.message}"))

    def _scrub(self, value: Any, out: Checked) -> Any:
        """JSON without members that name people, and with addresses in texts masked."""
        if isinstance(value, str):
            cleaned = mask(value)
            if cleaned != value:
                out.note("masked_values")
            return cleaned
        if isinstance(value, list):
            return [self._scrub(item, out) for item in value]
        if isinstance(value, dict):
            kept = {}
            for name, item in value.items():
                if _is_denied(name) or _PERSONAL.search(name):
                    out.note("dropped_fields")
                else:
                    kept[name] = self._scrub(item, out)
            return kept
        if isinstance(value, NumberText) and value.text == "-0":
            return 0
        if isinstance(value, float) and not math.isfinite(value):
            raise _Wrong("Q15", "holds a number that is out of range")
        return value

    def _check_together(self, given: Mapping[str, Any], out: Checked) -> None:
        contract = self.contract
        broken = {one.field for one in out.violations}
        for one in contract.any_of:
            columns = {
                column.name
                for name in one.fields
                if (field := contract.field(name)) is not None
                for column in field.columns
            }
            present = any(_is_there(given.get(name)) for name in one.fields)
            if not present and not columns & set(out.overlay):
                listed = " and ".join(one.fields)
                out.violations.append(Violation(one.rule, None, f"{listed} are both missing"))
        if "whole_counts" in contract.rules and "value" in out.record and "metric" in out.record:
            value = Decimal(out.record["value"])
            if out.record["metric"] not in SECONDS_METRICS and value != value.to_integral_value():
                out.violations.append(Violation("Q09", "value", "value of a count is not whole"))
                out.leftover["value"] = out.record.pop("value")
        if "positive_rate" in contract.rules and Decimal(out.record.get("rate", "1")) <= 0:
            out.violations.append(Violation("Q05", "rate", "rate is not above 0"))
            out.leftover["rate"] = out.record.pop("rate")
        if contract.is_occurrence and contract.time_column not in broken:
            self._check_clock(out)

    def _check_clock(self, out: Checked) -> None:
        name = self.contract.time_column
        assert name is not None
        if name not in out.record:
            return
        occurred = datetime.fromisoformat(out.record[name]).replace(tzinfo=None)
        received = self.terms.received_at and naive_utc(self.terms.received_at)
        if "received_at" in out.record:
            received = datetime.fromisoformat(out.record["received_at"]).replace(tzinfo=None)
        message = rule = None
        if received is not None and occurred - received > timedelta(hours=HOURS_AHEAD):
            rule, message = "Q03", "is more than 24 hours ahead of when it was received"
        elif occurred < earliest(self.terms):
            rule, message = "Q04", "lies before the source's history"
        if rule is not None:
            out.violations.append(Violation(rule, name, f"{name} {message}"))
            out.leftover[name] = out.record.pop(name)


def _is_there(value: Any) -> bool:
    return bool(str(value).strip()) if value is not None else False


def _leftover(field: Field, value: Any) -> str | None:
    """A broken value, where its shape says that it names nobody."""
    text = value.text if isinstance(value, NumberText) else value
    if isinstance(text, bool):
        return str(text).lower()
    if isinstance(text, int):
        text = str(text)
        return text if len(text) <= 9 else None
    if not isinstance(text, str):
        return None
    if field.pseudonym is not None or field.is_dropped:
        return None
    if field.x_type in ("money", "dec", "fx", "int", "rate"):
        return text if _SAFE_NUMBER.fullmatch(text) else None
    if field.x_type in ("ts", "date", "moment"):
        return text if _SAFE_TIME.fullmatch(text) else None
    if field.x_type == "enum":
        return text if text.strip().lower() in field.enum else None
    if field.x_type == "ccy":
        return text if text.strip().upper() in currency.CODES else None
    return None


# -- types --------------------------------------------------------------------------------------


def _text_of(value: Any) -> str | None:
    """Text, or a whole number as text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, NumberText):
        if value.text == "-0":
            return "0"
        return value.text if value.text.removeprefix("-").isdecimal() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _number_text(value: Any) -> str | None:
    """A number as it was written, from JSON or from text; None for anything else."""
    if isinstance(value, NumberText):
        return value.text
    if isinstance(value, bool):
        return None
    if isinstance(value, int | str):
        return str(value)
    return None


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise _Wrong("Q15", "holds a NUL character")
    return text


def _check_id(_field: Field, value: Any) -> str | None:
    text = _text_of(value)
    if text is None:
        raise _Wrong("Q01", "is neither text nor a whole number")
    return _no_nul(text) if text.strip() else None


def _check_text(field: Field, value: Any) -> str | None:
    text = _text_of(value)
    if text is None:
        raise _Wrong(MISSING_RULE["text"] if field.required else "Q15", "is not text")
    if not text.strip():
        return None
    return _no_nul(text)


def _check_enum(field: Field, value: Any) -> str:
    if not isinstance(value, str) or value not in field.enum:
        raise _Wrong("Q08", f"is not one of {', '.join(field.enum)}")
    return value


def _check_currency(_field: Field, value: Any) -> str:
    if not isinstance(value, str) or value not in currency.CODES:
        raise _Wrong("Q05", "is not a currency code of ISO 4217 in capitals, such as EUR")
    return value


def _check_country(_field: Field, value: Any) -> str:
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        raise _Wrong("Q08", "is not a country code of two capitals, such as ES")
    return value


def _check_bool(_field: Field, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else _number_text(value)
    if text not in BOOLEANS:
        raise _Wrong("Q08", "is neither true nor false")
    return "true" if text in TRUE else "false"


def _check_decimal(field: Field, value: Any) -> str:
    rule = MISSING_RULE[field.x_type]
    whole, places = _DIGITS[field.x_type]
    text = _number_text(value)
    if field.tolerance and isinstance(value, NumberText) and math.isfinite(value):
        text = format(Decimal(value.text), "f")
    if text is None or not _DECIMAL.fullmatch(text):
        raise _Wrong(rule, "is not a decimal number, written like 1234.56")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _Wrong(rule, "is not a decimal number, written like 1234.56") from None
    if text.startswith("-") and number == 0:
        raise _Wrong(rule, "is minus zero")
    if number < 0 and field.is_non_negative:
        raise _Wrong(rule, "is negative")
    if field.tolerance:
        nearest = round(number, places)
        if abs(number - nearest) <= Decimal(repr(field.tolerance)):
            number = nearest
    canonical = format(number, "f")
    if "." in canonical:
        canonical = canonical.rstrip("0").rstrip(".")
    head, _, tail = canonical.removeprefix("-").partition(".")
    if len(tail) > places:
        raise _Wrong(rule, f"has more than {places} decimal places")
    if len(head.lstrip("0")) > whole:
        raise _Wrong(rule, f"has more than {whole} digits before the point")
    sign = "-" if canonical.startswith("-") else ""
    head = head.lstrip("0") or "0"
    return f"{sign}{head}.{tail}" if tail else f"{sign}{head}"


def _check_whole(_field: Field, value: Any) -> str:
    text = _number_text(value)
    found = _WHOLE.fullmatch(text) if text is not None else None
    if found is None:
        raise _Wrong("Q09", "is not a whole number of 0 or more")
    number = int(found[1]) if len(found[1]) <= MAXIMUM_DIGITS else 2**63
    if number >= 2**63:
        raise _Wrong("Q09", "is larger than a 64-bit number")
    return str(number)


def _check_rate(_field: Field, value: Any) -> str:
    text = _number_text(value)
    if text is None or not _NUMBER.fullmatch(text) or not 0 <= float(text) <= 1:
        raise _Wrong("Q09", "is not a fraction from 0 to 1")
    number = float(text)
    return str(int(number)) if number.is_integer() else repr(number)


def _check_time(field: Field, value: Any) -> str:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise _Wrong("Q02", "is not a time as ISO 8601 has it, such as 2026-11-22T04:10:00+01:00")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if offset is None:
        if field.declared_timezone != "UTC":
            raise _Wrong("Q02", "has no offset; write 2026-11-22T04:10:00+01:00, or Z for UTC")
        offset = "Z"
    try:
        local = datetime(  # noqa: DTZ001 - the offset is taken off below
            int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        )
        instant = local - _offset(offset)
    except (ValueError, OverflowError):
        raise _Wrong("Q02", "is no time of the calendar") from None
    return f"{instant.isoformat(timespec='microseconds')}+00:00"


def _offset(text: str) -> timedelta:
    if text in ("Z", "z"):
        return timedelta()
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 15 or minutes > 59:
        raise ValueError(text)
    total = timedelta(hours=hours, minutes=minutes)
    return -total if text.startswith("-") else total


def _check_date(_field: Field, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise _Wrong("Q02", "is not a date, such as 2026-11-22")
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _Wrong("Q02", "is no day of the calendar") from None


def _check_moment(field: Field, value: Any) -> str:
    if isinstance(value, str) and len(value) == 10:
        return _check_date(field, value)
    return _check_time(field, value)


def _check_json(field: Field, value: Any) -> Any:
    if isinstance(value, str):
        if len(value.encode("utf-8", "surrogatepass")) > MAXIMUM_BYTES:
            raise _Wrong("Q15", "is longer than 1 MiB")
        try:
            value = parse_json(value)
        except _Unreadable as error:
            raise _Wrong("Q15", f"is {error}") from None
    if not isinstance(value, dict | list):
        raise _Wrong("Q15", "is neither a JSON object nor an array")
    if field.derive == "utm":
        if not isinstance(value, dict):
            raise _Wrong("Q15", "is not a JSON object")
        if any(not isinstance(value.get(name), str | None) for name in UTM_MEMBERS):
            raise _Wrong("Q15", "has a member that is not text")
        return {name: value[name] for name in UTM_MEMBERS if value.get(name)}
    return value


def _check_list(_field: Field, value: Any) -> list[str] | None:
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = parse_json(text)
            except _Unreadable as error:
                raise _Wrong("Q15", f"is {error}") from None
        else:
            value = re.split(r"[|;,]", text)
    if not isinstance(value, list):
        raise _Wrong("Q15", "is not a list of text")
    items = [_text_of(item) for item in value if item is not None]
    if any(item is None for item in items):
        raise _Wrong("Q15", "is not a list of text")
    return [_no_nul(item.strip(" \t\r\n")) for item in items if item and item.strip(" \t\r\n")]


_CHECKS: dict[str, Callable[[Field, Any], Any]] = {
    "id": _check_id,
    "text": _check_text,
    "enum": _check_enum,
    "ccy": _check_currency,
    "cc": _check_country,
    "bool": _check_bool,
    "money": _check_decimal,
    "dec": _check_decimal,
    "fx": _check_decimal,
    "int": _check_whole,
    "rate": _check_rate,
    "ts": _check_time,
    "date": _check_date,
    "moment": _check_moment,
    "json": _check_json,
    "list": _check_list,
}


# -- the quarantine's way back ------------------------------------------------------------------


def revalidate(
    contract: EntityContract,
    payload: Mapping[str, Any],
    set_fields: Mapping[str, str],
    *,
    terms: Terms,
    pseudonyms: Pseudonyms,
) -> Checked:
    """Run a stored, pseudonymised payload through today's rules, with some fields set by hand.

    Args:
        contract: Of the entity, as it is now.
        payload: Columns as stored: canonical text, pseudonyms for people.
        set_fields: New values by field name as delivered (`email`, `currency`) or by column name.
        terms: Of the release.
        pseudonyms: Makes pseudonyms of fields set to plain values.

    Returns:
        As `Rules.check`; `overlay` holds the pseudonyms and derived columns of the payload.
    """
    names = {field.name for field in contract.fields} | {one.name for one in contract.columns}
    wrong = [
        Violation("Q01", name, f"{name} is no field of {contract.entity}")
        for name in set_fields
        if name not in names
    ]
    merged = dict(payload)
    for name, value in set_fields.items():
        field = contract.field(name)
        for column in field.columns if field is not None else ():
            merged.pop(column.name, None)
        merged[name] = value
    given: dict[str, Any] = {}
    overlay: dict[str, str] = {}
    for name, value in merged.items():
        if value is None or name not in names:
            continue
        field = contract.field(name)
        if field is not None and (name in set_fields or _is_own(field)):
            given[name] = value
        elif _is_stored(contract, name, value):
            overlay[name] = str(value)
        else:
            wrong.append(Violation("Q01", name, f"{name} is not a pseudonym"))
    _offer_code(contract, given, overlay, set_fields)
    checked = Rules(contract=contract, terms=terms, pseudonyms=pseudonyms).check(given, overlay)
    checked.violations[:0] = wrong
    return checked


def _is_own(field: Field) -> bool:
    """Whether a field is stored under its own name and as it is."""
    names = [column.name for column in field.columns]
    return field.pseudonym is None and names == [field.name]


def _is_stored(contract: EntityContract, name: str, value: Any) -> bool:
    """Whether a value may stand in a column as it is; in a pseudonym's only a pseudonym may."""
    try:
        column = contract.column(name)
    except KeyError:
        return False
    return column.pii != "P1" or _is_pseudonym(value, column.x_type)


def _offer_code(
    contract: EntityContract,
    given: dict[str, Any],
    overlay: Mapping[str, str],
    set_fields: Mapping[str, str],
) -> None:
    """Show the rules a code that is stored under other names than it was delivered."""
    for field in contract.fields:
        if field.derive == "code" and field.name not in given:
            code = overlay.get("code_norm")
            if "code_norm" not in set_fields:
                code = overlay.get("code_display") or code
            if code is not None:
                given[field.name] = code


def _is_pseudonym(value: Any, x_type: str) -> bool:
    if x_type == "list":
        try:
            items = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return False
        return isinstance(items, list) and all(_is_pseudonym(item, "text") for item in items)
    return isinstance(value, str) and bool(PSEUDONYM.fullmatch(value))


def as_line(checked: Checked) -> tuple[str, str | None]:
    """An accepted record as a line of JSON for the trusted conversion, and its overlay."""
    line = json.dumps(checked.record, ensure_ascii=False, separators=(",", ":"))
    overlay = json.dumps(checked.overlay, ensure_ascii=False) if checked.overlay else None
    return line, overlay


def reasons(checked: Checked) -> list[str]:
    """The rules broken, each once, in order."""
    return list(dict.fromkeys(violation.rule for violation in checked.violations))
