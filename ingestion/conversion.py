"""From delivered records to landed rows, in SQL compiled from the contract.

Every format ends here: NDJSON lines, CSV cells and Parquet columns become one `select` that casts,
pseudonymises, derives and keys. The same statement judges each row (`_ok`), and that judgement is a
*sound filter*: what it accepts the strict rules of `ingestion.validate` accept as well, and make
the same row of. Anything it cannot vouch for (an odd number, a time of another shape, text that may
hold an address) is left to those rules. Rows they accept come back through the very same statement
in `trusted` form, so that a row has the same bits whichever way it took.

Patterns are shared with `ingestion.validate` and use what RE2 and Python's `re` read alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingestion import currency
from ingestion.contract import DUCKDB_TYPES, Column, EntityContract, Field
from ingestion.pseudonyms import EMAIL_SQL
from setae.warehouse import literal, quote

MAXIMUM_UNKNOWN_FIELDS = 200
"""Further unknown fields of one batch are dropped, and counted."""

MINUTES_AHEAD = 10
HOURS_AHEAD = 24
"""Q03: so far may a clock run ahead of the collector: unremarked, and at all."""

AMOUNT_TOLERANCE = "0.02"
"""Q06 and Q07: totals may differ by this."""

SECONDS_METRICS = ("watch_time_s", "avg_watch_s")
"""Metrics that are durations, so not whole numbers."""

UTM_MEMBERS = ("source", "medium", "campaign", "content", "term")

BOOLEANS = ("true", "True", "TRUE", "false", "False", "FALSE", "1", "0")
TRUE = ("true", "True", "TRUE", "1")

DENIED_NAME = (
    '[^"]*(?:mail|phone|mobile|addr|street|passw|secret|token|iban|cvv|passport|birth|surname'
    "|handle|user_?agent|postcode|postal|zip|note|message|comment|contact|credit_?card"
    "|(?:first|last|full|user|nick|display|given|family|middle|customer|client|person|recipient"
    '|buyer|shopper)[_ ]?name)[^"]*'
    '|(?:[^"]*[_.$ -])?(?:ip|ua|tel|fax|dob|ssn|lat|lng|lon|latitude|longitude)(?:[_.$ -][^"]*)?'
    "|name"
)
"""Unknown fields of these names may hold people's data and are dropped."""

KEPT_NAME = r"[A-Za-z_$][0-9A-Za-z_.$ -]{0,63}"
"""Unknown fields of other names than these are dropped: a name itself may be an address."""

PERSONAL = r"@|%40|\+[0-9][0-9 ().-]{6,}[0-9]|[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}"
"""Signs of e-mail addresses, handles, phone numbers and IP addresses in free text."""

_BLANK = (
    r"[\s\x0b\x1c-\x1e\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}"
    r"\x{3000}]"
)
_NOT_TEXT = (
    r"[{\[]|-?[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?:$|\x1f)"
    r"|(?:true|false|[+-]?[Nn][Aa][Nn]|[+-]?[Ii][Nn][Ff][A-Za-z]*)(?:$|\x1f)"
)
# What a JSON value that is no text looks like once it is text: only the strict rules can tell.
_SUSPECT_JSON_TEXT = rf"(?:^|\x1f)(?:{_BLANK}|{_NOT_TEXT})|\x00"
_SUSPECT_TEXT = rf"(?:^|\x1f){_BLANK}|\x00"

_SUSPECT_JSON = (
    "(?i)mail|phone|mobile|addr|street|passw|secret|token|iban|cvv|passport|birth|surname|handle"
    "|user_?agent|postcode|postal|zip|note|message|comment|contact|credit_?card"
    "|(?:first|last|full|user|nick|display|given|family|middle|customer|client|person|recipient"
    '|buyer|shopper)[_ ]?name|"name"'
    '|["_.$ -](?:ip|ua|tel|fax|dob|ssn|lat|lng|lon|latitude|longitude)["_.$ -]'
    rf"|{PERSONAL}|\\u0000|[:,\[]\s*-?(?:[0-9.]+[eE]|nan|inf)|[0-9]{{30}}"
    r'|,\s*[}\]]|",\s*":'
)
# Every name `DENIED_NAME` denies holds one of these, wherever it stands.
_JSON_KEYS = r'"((?:[^"\\]|\\.)*)"\s*:'
_SIMPLE_LIST = r'^\[(?:"[^"\\@%+.\x00]*"(?:,"[^"\\@%+.\x00]*")*)?\]$'
_SIMPLE_TEXT_LIST = r"^[^\[{@%+.\x00]*$"
_HANDLE_LIST = r'^\[(?:"@?[0-9A-Za-z._-]+"(?:,"@?[0-9A-Za-z._-]+")*)?\]$'

TIME = (
    r"^(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]{1,6})?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])$"
)
DATE = r"^(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$"
COUNTRY = r"^[A-Z]{2}$"
WHOLE = r"^(?:0|[1-9][0-9]{0,17})$"
RATE = r"^(?:0(?:\.[0-9]+)?|1(?:\.0+)?|[1-9](?:\.[0-9]+)?e-[0-9]+)$"
_HANDLE = r"^@?[0-9A-Za-z._-]+$"
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"^{_BYTE}(?:\.{_BYTE}){{3}}$"
_IPV6 = r"^[1-9A-Fa-f][0-9A-Fa-f]{0,3}(?::[0-9A-Fa-f]{1,4}){7}$"
_BOT = "bot|crawl|spider|slurp|headless|preview|monitor|python-|curl/|wget"
_IN_APP = (
    "instagram|fban|fbav|fb_iab|musical_ly|bytedancewebview|bytelocale|tiktok|ytapp|snapchat"
    "|pinterest/|linkedinapp|line/[0-9]"
)
"""Of the browsers that platforms open links in."""

NUMBERS_AS_WRITTEN = r'"\s*:\s*(?:-0|-?[0-9]+(?:\.[0-9]+)?[eE]|-?[0-9]+\.[0-9]{5,}|-?[0-9]{12,}\.)'
"""Numbers in a line whose text after parsing hides how they were written."""

NOT_A_NUMBER = r"(?i)[:,\[]\s*-?(?:nan|inf)"
"""Literals DuckDB's parser takes for numbers, and JSON does not have."""

NUMERIC = ("money", "dec", "fx", "int", "rate", "bool")

_DIGITS = {"money": (14, 4), "dec": (16, 4), "fx": (9, 8)}


@dataclass(frozen=True)
class Input:
    """What a format offers for one field.

    Attributes:
        sql: Expression over the relation `delivered`.
        kind: `json` (text of a JSON value), `text`, `int`, `float`, `single`, `decimal`, `instant`
            (time with zone), `local` (time without), `date`, `bool`, `nested`, or `other`.
        decimals: Scale of a `decimal`.
    """

    sql: str
    kind: str
    decimals: int = 0


@dataclass(frozen=True)
class Terms:
    """What holds for every row of a delivery."""

    source_kind: str
    account: str
    currency: str | None = None
    received_at: datetime | None = None
    history_start_at: datetime | None = None
    revision: int = 0

    @property
    def scope(self) -> str:
        """Scope of ids that are unique in one account."""
        return f"{self.source_kind}:{self.account}"


def decimal_pattern(x_type: str, *, is_non_negative: bool) -> str:
    """Numbers as text that need no second look: canonical, and never minus zero."""
    whole, places = _DIGITS[x_type]
    sign = "" if is_non_negative else "-?"
    return (
        rf"^(?:0(?:\.[0-9]{{1,{places}}})?|{sign}[1-9][0-9]{{0,{whole - 1}}}"
        rf"(?:\.[0-9]{{1,{places}}})?)$"
    )


def statement(
    contract: EntityContract,
    terms: Terms,
    inputs: Mapping[str, Input],
    *,
    unknown: Sequence[tuple[str, str]] = (),
    trusted: bool = False,
    also_ok: Iterable[str] = (),
    relation: str = "delivered",
) -> str:
    """The `select` that turns delivered rows into landed ones.

    Args:
        contract: Of the entity.
        terms: Of the delivery.
        inputs: What the format offers, by field name.
        unknown: Fields outside the contract to keep: name, and expression of JSON text.
        trusted: The rows were accepted (or are to be shown) by the strict rules; `relation` has a
            column `_overlay` with columns already made, and `_ok` only says that none is missing.
        also_ok: Further conditions of the format, over `relation`.
        relation: Table or subquery with the rows, numbered by `_row` and `_line`.

    Returns:
        SQL whose result has the contract's columns, those of landing, and `_row`, `_version`
        (hash of key and `updated_at`), `_ok`, `_warn` (bits of warnings) and, where trusted,
        `_canonical` (the row as canonical JSON).
    """
    return _Compiler(
        contract=contract,
        terms=terms,
        inputs=inputs,
        unknown=tuple(unknown)[:MAXIMUM_UNKNOWN_FIELDS],
        trusted=trusted,
        also_ok=tuple(also_ok),
        relation=relation,
    ).compile()


WARNINGS: dict[int, tuple[str, str | None, str]] = {
    1: ("Q03", None, "the time is ahead of the moment it was received"),
    2: (
        "Q06",
        "total_amount",
        "total_amount is not gross - discount + shipping + tax within 0.02",
    ),
    4: ("Q07", "refunded_amount", "refunded_amount is more than total_amount"),
}
"""Bits of `_warn`: rule, field, message. The row is kept."""


class _Compiler:
    def __init__(
        self,
        *,
        contract: EntityContract,
        terms: Terms,
        inputs: Mapping[str, Input],
        unknown: tuple[tuple[str, str], ...],
        trusted: bool,
        also_ok: tuple[str, ...],
        relation: str,
    ) -> None:
        self.contract = contract
        self.terms = terms
        self.inputs = inputs
        self.unknown = unknown
        self.relation = relation
        self.trusted = trusted
        self.ok: list[str] = list(also_ok)
        self.made: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self.steps: list[dict[str, str]] = []
        self.kept_text: list[str] = []
        self.plain_text: list[str] = []

    def compile(self) -> str:
        native = [f"{self._native(field)} as {_n(field.name)}" for field in self.contract.fields]
        format_ok = " and ".join(self.ok) or "true"
        self.ok = ["_format_ok"]
        for field in self.contract.fields:
            self._field(field)
        self._judge()
        columns = [self._column(column) for column in self.contract.columns]
        extra = self._extra()
        struct = ",".join(f'"{column.name}":"VARCHAR"' for column in self.contract.columns)
        passed = f"from_json(_overlay, {literal('{' + struct + '}')}) as _given, "
        passed = passed if self.trusted else ""
        typed_ok = " and ".join(self.ok) or "true"
        steps, last = [], "native"
        for number, step in enumerate(self.steps):
            listed = ", ".join(f"{sql} as {name}" for name, sql in step.items())
            steps.append(f"step_{number} as (select *, {listed} from {last}),\n")
            last = f"step_{number}"
        return f"""
with native as (
    select _row, _line, {passed}{extra} as _extra,
        {", ".join(native)}, {format_ok} as _format_ok
    from {self.relation}
),
{"".join(steps)}typed as (
    select *, coalesce({typed_ok}, false) as _typed_ok from {last}
),
made as (
    select _row, _line, _extra, {", ".join(columns)}, _typed_ok from typed
),
keyed as (
    select *, {self._clock()}, {self._canonical()} as _canonical from made
)
select
    {", ".join(self._output(column) for column in self.contract.columns)},
    {literal(self.terms.account)} as _source_account,
    {self._key()} as _record_key,
    md5(_canonical) as _record_hash,
    {self._updated_at()} as _source_updated_at,
    {self._revision()} as _revision,
    {self._received_at()} as _received_at,
    _line,
    _extra,
    _row,
    hash({self._key()}, {self._updated_at()}) as _version,
    coalesce({self._final_ok()}, false) as _ok,
    {self._warn()} as _warn{", _canonical" if self.trusted else ""}
from keyed
"""

    # -- fields ---------------------------------------------------------------------------------

    def _kind(self, field: Field) -> str:
        """Kind of `n_<name>`: what the format offers where it is read straight, else text."""
        if field.name not in self.inputs:
            return "text"
        given = self.inputs[field.name]
        if given.kind == "json":
            return "json"
        if not _is_taken(field, given) or given.kind in ("nested", "single"):
            return "text"
        return "text" if field.x_type in ("id", "text") else given.kind

    def _native(self, field: Field) -> str:
        """The field as `n_<name>`: text for text kinds, its own type where that is at hand."""
        if field.name not in self.inputs:
            return "null::varchar"
        given = self.inputs[field.name]
        if given.kind in ("json", "text"):
            return f"nullif({given.sql}, '')"
        if _is_taken(field, given):
            if given.kind == "nested":
                return f"to_json({given.sql})::varchar"
            if given.kind == "single":
                return f"({given.sql})::varchar"
            if given.kind in ("int", "decimal") and field.x_type in ("id", "text"):
                return f"({given.sql})::varchar"
            return given.sql
        # No rule for this pair of types: rows that have a value go to the strict rules.
        self.ok.append(f"({given.sql}) is null")
        return "null::varchar"

    def _need(self, condition: str, name: str) -> None:
        self.ok.append(f"({_n(name)} is null or {condition})")

    def _field(self, field: Field) -> None:
        name, kind = _n(field.name), self._kind(field)
        self._kinds[field.name] = kind
        if field.required and not (
            field.x_type == "ccy" and field.name == "currency" and self.terms.currency
        ):
            self.ok.append(f"{name} is not null")
        if field.pseudonym is not None:
            self._pseudonym(field)
        elif field.derive is None and not field.is_dropped:
            self.made[field.name] = self._value(field, kind)
        if field.derive is not None:
            self._derive(field)
        if field.is_dropped:
            self.plain_text.append(name)

    def _value(self, field: Field, kind: str) -> str:
        """Typed expression of a field that becomes its own column; its checks go to `ok`."""
        name, x_type = _n(field.name), field.x_type
        if x_type in ("id", "text"):
            self.kept_text.append(name)
            return name
        if x_type == "enum":
            self._need(f"{name} in ({_list(field.enum)})", field.name)
            return name
        if x_type == "ccy":
            # One search in a long text takes a tenth of the time of a list of 170.
            codes = literal(" ".join(sorted(currency.CODES)))
            self._need(
                f"strlen({name}) = 3 and not contains({name}, ' ') and contains({codes}, {name})",
                field.name,
            )
            if self.terms.currency and field.name == "currency":
                return f"coalesce({name}, {literal(self.terms.currency)})"
            return name
        if x_type == "cc":
            self._need(f"regexp_matches({name}, {literal(COUNTRY)})", field.name)
            return name
        if x_type == "json":
            return self._json(field.name)
        if x_type == "list":
            return self._text_list(field)
        if x_type == "bool":
            return self._bool(field, kind)
        if x_type in ("ts", "date"):
            return self._time(field, kind)
        return self._number(field, kind)

    def _time(self, field: Field, kind: str) -> str:
        name = _n(field.name)
        if kind == "instant":
            return f"cast({name} as timestamp)"
        if kind in ("local", "date"):
            return name
        if field.x_type == "date":
            made = f"try_cast({name} as date)"
            self._need(
                f"regexp_matches({name}, {literal(DATE)}) and {made} is not null", field.name
            )
            return made
        made = f"cast(try_cast({name} as timestamptz) as timestamp)"
        self._need(f"regexp_matches({name}, {literal(TIME)}) and {made} is not null", field.name)
        return made

    def _bool(self, field: Field, kind: str) -> str:
        name = _n(field.name)
        if kind == "bool":
            made = name
        elif kind == "int":
            self._need(f"{name} in (0, 1)", field.name)
            made = f"{name} = 1"
        else:
            self._need(f"{name} in ({_list(BOOLEANS)})", field.name)
            made = f"{name} in ({_list(TRUE)})"
        if field.default is not None:
            made = f"coalesce({made}, {'true' if field.default else 'false'})"
        return made

    def _number(self, field: Field, kind: str) -> str:
        if field.x_type == "int":
            return self._whole(field, kind)
        if field.x_type == "rate":
            return self._rate(field, kind)
        if kind in ("json", "text"):
            return self._written_amount(field)
        return self._typed_amount(field, kind)

    def _rate(self, field: Field, kind: str) -> str:
        name = _n(field.name)
        if kind in ("json", "text"):
            self._need(
                f"regexp_matches({name}, {literal(RATE)}) and "
                f"try_cast({name} as double) between 0 and 1",
                field.name,
            )
            return f"try_cast({name} as double)"
        self._need(f"{name} between 0 and 1", field.name)
        if kind == "float":
            self._need(_not_minus_zero(name), field.name)
        return f"cast({name} as double)"

    def _written_amount(self, field: Field) -> str:
        name = _n(field.name)
        made = f"try_cast({name} as {DUCKDB_TYPES[field.x_type]})"
        if field.x_type == "dec":
            # Beyond 18 digits DuckDB casts in 128 bits, which takes fifty times as long.
            short = f"try_cast({name} as decimal(18,4))::decimal(20,4)"
            made = f"case when strlen({name}) <= 14 then {short} else {made} end"
        if not self.trusted:
            pattern = decimal_pattern(field.x_type, is_non_negative=field.is_non_negative)
            self._need(f"regexp_matches({name}, {literal(pattern)})", field.name)
        return made

    def _typed_amount(self, field: Field, kind: str) -> str:
        name = _n(field.name)
        whole, places = _DIGITS[field.x_type]
        if kind == "float":
            # Below 1e10 fifteen digits hold every amount with 4 places, so that equality to the
            # rounded value means that the number was written with no more places.
            near = f"{name} = round({name}, {places})"
            if field.tolerance:
                near = f"abs({name} - round({name}, {places})) <= {field.tolerance}"
            conditions = [f"abs({name}) < 1e{15 - places - 1}", near, _not_minus_zero(name)]
        elif kind == "decimal":
            conditions = [f"abs({name}) < 1{'0' * whole}", f"{name} = round({name}, {places})"]
        else:
            most = 10 ** min(whole, 14) - 1
            conditions = [f"{name} between -{most} and {most}"]
        if field.is_non_negative:
            conditions.append(f"{name} >= 0")
        self._need(" and ".join(conditions), field.name)
        return f"try_cast({name} as {DUCKDB_TYPES[field.x_type]})"

    def _whole(self, field: Field, kind: str) -> str:
        name = _n(field.name)
        if kind in ("json", "text"):
            self._need(f"regexp_matches({name}, {literal(WHOLE)})", field.name)
        elif kind == "int":
            self._need(f"{name} between 0 and 9223372036854775807", field.name)
        else:
            self._need(f"{name} = floor({name}) and {name} between 0 and 1e15", field.name)
            if kind == "float":
                self._need(_not_minus_zero(name), field.name)
        return f"try_cast({name} as bigint)"

    def _json(self, field_name: str) -> str:
        name = _n(field_name)
        self._need(
            f"case when left({name}, 1) in ('{{', '[') and json_valid({name}) "
            f"then {_plain_json(name)} else false end",
            field_name,
        )
        return f"case when {name} is not null and json_valid({name}) then json({name})::varchar end"

    def _items(self, name: str, separators: str = "[|;,]") -> str:
        """A list as DuckDB list of non-blank text, from a JSON array or from separated text."""
        return (
            f"list_filter(list_transform(case when left({name}, 1) = '[' "
            f"then case when json_valid({name}) then from_json({name}, '[\"VARCHAR\"]') end "
            f"else string_split_regex({name}, {literal(separators)}) end, "
            f"lambda item: trim(item, ' ' || chr(9) || chr(10) || chr(13))), "
            f"lambda item: item <> '')"
        )

    def _list_ok(self, field: Field, kind: str) -> None:
        name = _n(field.name)
        simple = f"regexp_matches({name}, {literal(_SIMPLE_LIST)})"
        if kind == "text":
            simple = f"({simple} or regexp_matches({name}, {literal(_SIMPLE_TEXT_LIST)}))"
        self._need(simple, field.name)

    def _text_list(self, field: Field, each: str = "item") -> str:
        name = _n(field.name)
        self._list_ok(field, self._kind(field))
        listed = self._items(name)
        if each != "item":
            listed = f"list_transform({listed}, lambda item: {each})"
        return f"case when {name} is not null then to_json({listed})::varchar end"

    # -- pseudonyms -----------------------------------------------------------------------------

    def _pseudonym(self, field: Field) -> None:
        assert field.pseudonym is not None
        name, spec = _n(field.name), field.pseudonym
        scope = self._scope(spec.scope)
        if field.x_type == "list":
            self._need(f"regexp_matches({name}, {literal(_HANDLE_LIST)})", field.name)
            self.made[spec.column] = (
                f"case when {name} is not null and json_valid({name}) then "
                f"to_json(list_transform(from_json({name}, '[\"VARCHAR\"]'), lambda item: "
                f"pid_handle({scope}, lower(ltrim(item, '@')))))::varchar end"
            )
            return
        self.plain_text.append(name)
        if spec.key_class.startswith("by:"):
            by = _n(spec.key_class.removeprefix("by:"))
            self._need(
                f"({by} <> 'email' or regexp_matches({name}, {literal(EMAIL_SQL)}))", field.name
            )
            account = literal(self.terms.scope)
            self.made[spec.column] = (
                f"case {by} when 'visitor' then pid_device({account}, {name}) "
                f"when 'user' then pid_user({account}, {name}) "
                f"when 'customer' then pid_customer({account}, {name}) "
                f"when 'email' then pid_email('', lower({name})) end"
            )
            return
        value = name
        if spec.key_class == "email":
            self._need(f"regexp_matches({name}, {literal(EMAIL_SQL)})", field.name)
            self._need(f"strlen({name}) <= 254", field.name)
            value = f"lower({name})"
        elif spec.key_class == "handle":
            self._need(f"regexp_matches({name}, {literal(_HANDLE)})", field.name)
            value = f"lower(ltrim({name}, '@'))"
        elif spec.key_class == "ip_net":
            self._need(
                f"(regexp_matches({name}, {literal(_IPV4)}) or "
                f"regexp_matches({name}, {literal(_IPV6)}))",
                field.name,
            )
            parts = " || ".join(
                f"lpad(regexp_extract(lower({name}), "
                f"'^([0-9a-f]+):([0-9a-f]+):([0-9a-f]+)', {number}), 4, '0')"
                for number in (1, 2, 3)
            )
            value = (
                f"case when contains({name}, ':') then {parts} || '/48' else "
                f"regexp_extract({name}, '^([0-9]+[.][0-9]+[.][0-9]+)[.]', 1) || '.0/24' end"
            )
        self.made[spec.column] = (
            f"case when {name} is not null then pid_{spec.key_class}({scope}, {value}) end"
        )

    def _scope(self, scope: str) -> str:
        if scope == "account" or scope.startswith("by:"):
            return literal(self.terms.scope)
        if scope == "platform":
            return f"coalesce({_n('platform')}, '')"
        if scope == "day":
            time = self.contract.time_column
            assert time is not None
            return f"coalesce(cast(cast({self.made[time]} as date) as varchar), '')"
        return "''"

    # -- derived columns ------------------------------------------------------------------------

    def _derive(self, field: Field) -> None:
        getattr(self, f"_derive_{field.derive}")(field)

    def _derive_consented(self, field: Field) -> None:
        name = _n(field.name)
        self.plain_text.append(name)
        self._need(f"not regexp_matches(ltrim({name}, '@'), {literal(PERSONAL)})", field.name)
        self.made[field.name] = (
            f"case when {_n('consent_basis')} in ('contract', 'consent') "
            f"then nullif(trim({name}, '@ '), '') end"
        )

    def _derive_code(self, field: Field) -> None:
        name = _n(field.name)
        self.kept_text.append(name)
        self.made["code_norm"] = f"nullif(upper(trim({name}, ' ' || chr(9))), '')"
        if any(column.name == "code_display" for column in field.columns):
            self.made["code_display"] = name

    def _derive_code_list(self, field: Field) -> None:
        self.made[field.name] = self._text_list(field, "upper(item)")

    def _derive_hashtags(self, field: Field) -> None:
        self.made[field.name] = self._text_list(field, "lower(ltrim(item, '#'))")

    def _derive_caption(self, field: Field) -> None:
        self.made["caption_len"] = f"length({_n(field.name)})"

    def _derive_host(self, field: Field) -> None:
        name = _n(field.name)
        self.plain_text.append(name)
        host = (
            f"regexp_extract({name}, "
            r"'^(?:(?:[A-Za-z][0-9A-Za-z+.-]*:)?//)?(?:[^/?#@]*@)?([^/?#:@]*)', 1)"
        )
        self.made[field.columns[0].name] = f"nullif(lower({host}), '')"

    def _derive_path(self, field: Field) -> None:
        name = _n(field.name)
        self.kept_text.append(name)
        self.made[field.name] = (
            f"nullif(regexp_extract({name}, "
            r"'^(?:(?:[A-Za-z][0-9A-Za-z+.-]*:)?//[^/?#]*)?([^?#]*)', 1), '')"
        )

    def _derive_url(self, field: Field) -> None:
        name = _n(field.name)
        self.kept_text.append(name)
        # In steps, each a projection of its own: within `case` nothing is computed only once, and
        # split_part is a macro that repeats its argument.
        self.steps = [
            {"_ask": f"instr({name}, '?')", "_hash": f"instr({name}, '#')"},
            {
                "_base": (
                    "case when _hash > 0 and (_ask = 0 or _hash < _ask) "
                    f"then left({name}, _hash - 1) "
                    f"when _ask > 0 then left({name}, _ask - 1) else {name} end"
                ),
                "_query": (
                    f"case when _ask > 0 and _hash > _ask "
                    f"then '&' || substr({name}, _ask + 1, _hash - _ask - 1) "
                    f"when _ask > 0 and _hash = 0 then '&' || substr({name}, _ask + 1) end"
                ),
            },
            {
                "_rest": (
                    "case when starts_with(_base, '//') or "
                    "(not starts_with(_base, '/') and contains(_base, '://')) "
                    "then substr(_base, instr(_base, '//') + 2) end"
                ),
                **{
                    f"_{key}": (
                        f"case when contains(_query, '&{key}=') "
                        f"then regexp_extract(_query, '&{key}=([^&]*)', 1) end"
                    )
                    for key in (*(f"utm_{member}" for member in UTM_MEMBERS), "cid")
                },
            },
            {"_cut": "instr(_rest, '/')"},
            {"_authority": "case when _cut > 0 then left(_rest, _cut - 1) else _rest end"},
        ]
        host = (
            "case when contains(_authority, ':') or contains(_authority, '@') "
            "then regexp_extract(_authority, '^(?:.*@)?([^:]*)', 1) else _authority end"
        )
        self.made["url_host"] = f"nullif(lower({host}), '')"
        self.made["url_path"] = (
            "case when _rest is null then case when _base = '' then '/' else _base end "
            "when _cut > 0 then substr(_rest, _cut) else '/' end"
        )

    def _query_value(self, key: str) -> str:
        """A parameter of `url`'s query, decoded; NULL where absent."""
        part = f"_{key}"
        return (
            f"nullif(case when contains({part}, '%') or contains({part}, '+') "
            f"then try(url_decode(replace({part}, '+', ' '))) else {part} end, '')"
        )

    def _derive_utm(self, field: Field) -> None:
        name = _n(field.name)
        simple = (
            r'^\{(?:"(?:source|medium|campaign|content|term)":(?:"[^"\\@%+]*"|null)'
            r'(?:,"(?:source|medium|campaign|content|term)":(?:"[^"\\@%+]*"|null))*)?\}$'
        )
        self._need(
            f"case when {name} = '{{}}' then true when regexp_matches({name}, {literal(simple)}) "
            f"then not regexp_matches({name}, {literal(PERSONAL)}) and len(json_keys({name})) = "
            f"len(list_distinct(json_keys({name}))) else false end",
            field.name,
        )
        for member in UTM_MEMBERS:
            given = (
                f"case when {name} <> '{{}}' and json_valid({name}) "
                f"then nullif(json_extract_string({name}, '$.{member}'), '') end"
            )
            self.made[f"utm_{member}"] = f"coalesce({given}, {self._query_value(f'utm_{member}')})"

    def _derive_click_id(self, field: Field) -> None:
        self.kept_text.append(_n(field.name))
        self.made[field.name] = f"coalesce({_n(field.name)}, {self._query_value('cid')})"

    def _derive_target_url(self, field: Field) -> None:
        name = _n(field.name)
        self.kept_text.append(name)
        base = f"regexp_extract({name}, '^[^?#]*')"
        query = (
            f"array_to_string(list_filter(string_split(regexp_extract({name}, "
            r"'^[^?#]*[?]([^#]*)', 1)"
            ", '&'), lambda part: starts_with(part, 'utm_') or starts_with(part, 'cid=')), '&')"
        )
        self.made[field.name] = (
            f"case when {name} is not null then {base} || "
            f"case when {query} <> '' then '?' || {query} else '' end end"
        )

    def _derive_permalink(self, field: Field) -> None:
        name = _n(field.name)
        self.plain_text.append(name)
        host = f"regexp_extract({name}, '^(?:https?://)?(?:[^/?#@]*@)?([^/?#:@]*)', 1)"
        path = f"regexp_extract({name}, '^(?:https?://)?[^/?#]*(/[^?#]*)', 1)"
        # Handles stand before these parts of a path, and after `stories`.
        marked = (
            f"regexp_extract({path}, '/(?:(?:p|reel|reels|tv|video|videos|photo|status|posts|shorts"
            f"|pin|clip|clips|watch|live|embed)(?:/.*)?)$', 0)"
        )
        story = f"regexp_extract({path}, '^/stories/[^/]*(/.*)$', 1)"
        watched = f"regexp_extract({name}, '[?&](v=[0-9A-Za-z_-]+)', 1)"
        tail = (
            f"case when {story} <> '' then '/stories/_' || {story} "
            f"when {marked} <> '' then {marked} "
            f"when {_n('platform')} in ('blog', 'other') then {path} else '' end"
        )
        made = (
            f"'https://' || lower({host}) || regexp_replace({tail}, '@[^/]*', '_', 'g') || "
            f"case when {watched} <> '' then '?' || {watched} else '' end"
        )
        self.made[field.name] = f"case when {name} is not null and {host} <> '' then {made} end"

    def _bot(self) -> str:
        return f"regexp_matches({_n('user_agent')}, {literal(f'(?i){_BOT}')})"

    def _derive_is_bot(self, field: Field) -> None:
        self.made[field.name] = f"coalesce({self._bool(field, self._kind(field))}, {self._bot()})"

    def _derive_is_in_app_browser(self, field: Field) -> None:
        told = f"regexp_matches({_n('user_agent')}, {literal(f'(?i){_IN_APP}')})"
        self.made[field.name] = f"coalesce({self._bool(field, self._kind(field))}, {told})"

    def _derive_ua_class(self, field: Field) -> None:
        name = _n(field.name)
        self.plain_text.append(name)
        self.made["ua_class"] = (
            f"case when {name} is null then null when {self._bot()} then 'bot' "
            f"when regexp_matches({name}, '(?i)ipad|tablet') or (regexp_matches({name}, "
            f"'(?i)android') and not regexp_matches({name}, '(?i)mobile')) then 'tablet' "
            f"when regexp_matches({name}, '(?i)mobi|iphone|android') then 'mobile' "
            f"when regexp_matches({name}, '(?i)windows|macintosh|linux|cros|x11') then 'desktop' "
            "else 'other' end"
        )

    def _derive_comment_text(self, field: Field) -> None:
        name = _n(field.name)
        words = {
            "de": "und|der|die|das|ist|nicht|ich|wo|sehr|mit|auch|ein|eine|für|wie",
            "en": "the|and|is|are|you|this|where|love|so|my|what|it|get|did|these",
            "es": "el|los|las|que|es|donde|dónde|muy|para|con|una|por|cómo|qué|gracias",
            "fr": "le|les|est|et|une|pour|avec|je|où|très|pas|vous|merci|dans|c'est",
            "it": "il|che|è|sono|per|con|dove|molto|una|non|bello|grazie|questo|anche|ma",
            "pt": "o|os|que|é|onde|muito|uma|para|com|não|você|obrigado|obrigada|isso|por",
        }
        # Blanks are doubled, so that one may end a word and the other begin the next.
        spaced = f"regexp_replace(lower({name}), '[^\\pL'']+', '  ', 'g')"
        hits = {
            language: f"len(regexp_extract_all({spaced}, {literal(f'(?:^| )(?:{listed})(?: |$)')}))"
            for language, listed in words.items()
        }
        best = f"greatest({', '.join(hits.values())})"
        ties = " + ".join(f"case when {one} = {best} then 1 else 0 end" for one in hits.values())
        named = " ".join(f"when {one} = {best} then '{language}'" for language, one in hits.items())
        repeated = "|".join(f"{letter}{{5}}" for letter in "abcdefghijklmnopqrstuvwxyz0!")
        emoji = (
            r"[^\x{1F1E6}-\x{1F1FF}\x{1F300}-\x{1F64F}\x{1F680}-\x{1F6FF}\x{1F900}-\x{1FAFF}"
            r"\x{2600}-\x{27BF}]"
        )
        tone = r"[\x{1F3FB}-\x{1F3FF}]"
        self.made |= {
            "text_len": f"length({name})",
            "lang": f"case when {best} = 0 or {ties} > 1 then null {named} end",
            "is_question": f"regexp_matches({name}, '[?\\x{{037E}}\\x{{061F}}\\x{{FF1F}}]')",
            "has_mention": f"regexp_matches({name}, '(?:^|[^0-9A-Za-z._-])@[0-9A-Za-z_]')",
            "emoji_count": (
                f"length(regexp_replace(regexp_replace({name}, '{tone}', '', 'g'), "
                f"'{emoji}', '', 'g'))"
            ),
            "is_spam_like": (
                f"regexp_matches(lower({name}), 'https?://|www[.]|(?:^|[^a-z])(?:dm|pm) (?:me|us)|"
                f"link in (?:my )?bio|whatsapp|telegram|{repeated}|[?]{{5}}|[$]{{3}}')"
            ),
        }

    # -- judgement ------------------------------------------------------------------------------

    def _judge(self) -> None:
        is_json = any(one.kind == "json" for one in self.inputs.values())
        suspect = _SUSPECT_JSON_TEXT if is_json else _SUSPECT_TEXT
        if self.kept_text:
            joined = f"concat_ws(chr(31), {', '.join(dict.fromkeys(self.kept_text))})"
            both = literal(f"{suspect}|{PERSONAL}")
            self.ok.append(f"not regexp_matches({joined}, {both})")
        plain = [name for name in dict.fromkeys(self.plain_text) if name not in self.kept_text]
        if plain:
            joined = f"concat_ws(chr(31), {', '.join(plain)})"
            self.ok.append(f"not regexp_matches({joined}, {literal(suspect)})")
        for one in self.contract.any_of:
            given = " or ".join(f"{_n(name)} is not null" for name in one.fields)
            self.ok.append(f"({given})")
        if self.unknown:
            self.ok.append(f"(_extra is null or {_plain_json('_extra')})")
        if "whole_counts" in self.contract.rules:
            value = _n("value")
            is_text = self._kinds["value"] in ("json", "text")
            whole = f"not contains({value}, '.')" if is_text else f"{value} = floor({value})"
            self.ok.append(f"({_n('metric')} in ({_list(SECONDS_METRICS)}) or {whole})")
        if "positive_rate" in self.contract.rules:
            self.ok.append(f"{self.made['rate']} > 0")
        if self.trusted:
            self.ok = ["_format_ok"]

    def _column(self, column: Column) -> str:
        name = quote(column.name)
        made = self.made.get(column.name, f"null::{column.duckdb_type}")
        if column.x_type in ("id", "text", "enum", "ccy", "cc", "json", "list"):
            made = f"({made})::varchar"
        elif column.x_type == "int":
            made = f"({made})::bigint"
        if self.trusted:
            given = f"_given.{name}"
            if column.x_type == "ts":
                given = f"cast(try_cast({given} as timestamptz) as timestamp)"
            elif column.duckdb_type != "VARCHAR":
                given = f"try_cast({given} as {column.duckdb_type})"
            made = f"coalesce({given}, {made})"
        return f"{made} as {name}"

    def _extra(self) -> str:
        if not self.unknown:
            return "null::varchar"
        parts = ", ".join(
            f"{literal(_json_name(name) + ':')} || nullif({sql}, 'null')"
            for name, sql in sorted(self.unknown)
        )
        members = f"concat_ws(',', {parts})"
        return f"case when {members} <> '' then '{{' || {members} || '}}' end"

    def _clock(self) -> str:
        """Columns `_now` (when the row was received) and `_occurred` (what it says of itself)."""
        occurred = "null::timestamp"
        if self.contract.is_occurrence and self.contract.time_column is not None:
            column = self.contract.column(self.contract.time_column)
            occurred = f"cast({quote(column.name)} as timestamp)"
        return f"{self._received_at()} as _now, {occurred} as _occurred"

    def _received_at(self) -> str:
        fallback = (
            f"{_timestamp(self.terms.received_at)}" if self.terms.received_at else "null::timestamp"
        )
        if any(column.name == "received_at" for column in self.contract.columns):
            return f"coalesce(received_at, {fallback})"
        return fallback

    def _final_ok(self) -> str:
        conditions = ["_typed_ok"]
        conditions += [
            f"{quote(column.name)} is not null"
            for column in self.contract.columns
            if column.required and column.name not in self._derived_names()
        ]
        if not self.trusted and self.contract.is_occurrence:
            conditions += [
                f"_occurred <= coalesce(_now + interval {MINUTES_AHEAD} minute, _occurred)",
                f"_occurred >= {_timestamp(earliest(self.terms))}",
            ]
        return " and ".join(conditions)

    def _derived_names(self) -> set[str]:
        made = {column.name for field in self.contract.fields for column in field.columns}
        return {column.name for column in self.contract.columns if column.name not in made}

    def _output(self, column: Column) -> str:
        name = quote(column.name)
        if "time_quality" in self._derived_names():
            ahead = f"_occurred > _now + interval {MINUTES_AHEAD} minute"
            if column.name == self.contract.time_column:
                return f"case when {ahead} then _now else {name} end as {name}"
            if column.name == "time_quality":
                return (
                    f"case when {ahead} then 'future_clamped' when _occurred > _now then "
                    f"'clock_skew' else 'ok' end as {name}"
                )
        return name

    def _canonical(self) -> str:
        """The business columns as JSON: sorted, text only, without those that are NULL."""
        parts = []
        derived = self._derived_names()
        for column in sorted(self.contract.columns, key=lambda one: one.name):
            if column.name in derived:
                continue
            name = quote(column.name)
            label = _json_name(column.name) + ":"
            is_pseudonym = column.pii == "P1" and column.x_type != "list"
            if is_pseudonym or column.x_type in ("enum", "ccy", "cc"):
                text = f"'\"' || {name} || '\"'"
            elif column.duckdb_type == "VARCHAR":
                text = f"to_json({name})::varchar"
            elif column.duckdb_type == "TIMESTAMP":
                text = f"'\"' || replace({name}::varchar, ' ', 'T') || 'Z\"'"
            else:
                text = f"'\"' || {name}::varchar || '\"'"
            parts.append(f"{literal(label)} || {text}")
        return f"'{{' || concat_ws(',', {', '.join(parts)}) || '}}'"

    def _key(self) -> str:
        parts = []
        columns = [self.contract.column(name) for name in self.contract.key]
        for column in columns:
            name = quote(column.name)
            if column.duckdb_type == "TIMESTAMP":
                text = f"replace({name}::varchar, ' ', 'T') || 'Z'"
            elif column.duckdb_type != "VARCHAR":
                text = f"{name}::varchar"
            elif len(columns) > 1 and column.x_type in ("id", "text") and column.pii != "P1":
                # A colon inside an id must not pass for the one between two ids.
                text = (
                    f"case when contains({name}, ':') or contains({name}, '%') then "
                    f"replace(replace({name}, '%', '%25'), ':', '%3A') else {name} end"
                )
            else:
                text = name
            parts.append(f"coalesce({text}, '')")
        head = literal(f"{self.terms.source_kind}:{self.terms.account}:")
        return f"{head} || {' || {} || '.format(literal(':')).join(parts)}"

    def _updated_at(self) -> str:
        has = any(column.name == "updated_at" for column in self.contract.columns)
        return "updated_at" if has else "null::timestamp"

    def _revision(self) -> str:
        has = any(column.name == "revision" for column in self.contract.columns)
        given = "coalesce(revision, 0)" if has else "0::bigint"
        return f"({given} + {self.terms.revision})::bigint"

    def _warn(self) -> str:
        bits = []
        if self.contract.is_occurrence:
            bits.append(
                f"case when _occurred > _now + interval {MINUTES_AHEAD} minute then 1 else 0 end"
            )
        if "order_total" in self.contract.rules:
            due = (
                f"{_wide('gross_amount')} - {_wide('discount_amount')} "
                f"+ {_wide('shipping_amount')} + {_wide('tax_amount')}"
            )
            bits.append(
                f"case when abs(total_amount - ({due})) > {AMOUNT_TOLERANCE} then 2 else 0 end"
            )
        if "order_refunded" in self.contract.rules:
            bits.append(
                f"case when refunded_amount > {_wide('total_amount', missing='null')} "
                f"+ {AMOUNT_TOLERANCE} then 4 else 0 end"
            )
        return f"({' + '.join(bits) or '0'})::integer"


def _is_taken(field: Field, given: Input) -> bool:
    """Whether a typed input of this kind is read straight."""
    x_type, kind = field.x_type, given.kind
    if kind == "int":
        return x_type in ("id", "text", "money", "dec", "fx", "int", "rate", "bool")
    if kind == "decimal":
        if x_type in ("id", "text"):
            return False
        return x_type in ("money", "dec", "fx", "int", "rate")
    if kind == "float":
        return x_type in ("money", "dec", "int", "rate")
    if kind == "single":
        return x_type in ("money", "dec", "rate")
    return (x_type, kind) in {
        ("ts", "instant"),
        ("date", "date"),
        ("bool", "bool"),
        ("json", "nested"),
        ("list", "nested"),
    } or (x_type == "ts" and kind == "local" and field.declared_timezone == "UTC")


def _not_minus_zero(name: str) -> str:
    return f"not ({name} = 0 and {name}::varchar like '-%')"


def _plain_json(name: str) -> str:
    """SQL: JSON text that holds nothing personal, no name twice, and is not deep."""
    keys = f"regexp_extract_all({name}, {literal(_JSON_KEYS)}, 1)"
    openings = f"strlen({name}) - strlen(replace(replace({name}, '{{', ''), '[', ''))"
    rest = f"substr({name}, 2)"
    return (
        f"(strlen({name}) <= 2 or (not regexp_matches({name}, {literal(_SUSPECT_JSON)}) and "
        f"case when contains({rest}, '{{') or contains({rest}, '[') "
        f"then {openings} <= 18 and list_unique({keys}) = len({keys}) "
        f"else list_unique(json_keys({name})) = len(json_keys({name})) end))"
    )


def earliest(terms: Terms) -> datetime:
    """Q04: nothing happened before."""
    floor = naive_utc(datetime(1990, 1, 1, tzinfo=UTC))
    start = terms.history_start_at
    return max(floor, naive_utc(start)) if start is not None else floor


def _timestamp(value: datetime) -> str:
    return f"timestamp {literal(naive_utc(value).isoformat(sep=' '))}"


def naive_utc(value: datetime) -> datetime:
    """The instant as the warehouse holds it."""
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _wide(name: str, *, missing: str = "0") -> str:
    """An amount with room for sums of the largest."""
    return f"coalesce({quote(name)}, {missing})::decimal(30,4)"


def _n(name: str) -> str:
    return quote(f"n_{name}")


def _json_name(name: str) -> str:
    return f'"{name}"'


def _list(values: Iterable[str]) -> str:
    return ", ".join(literal(value) for value in values)
