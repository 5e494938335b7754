"""SQL and the strict rules: what SQL accepts they accept, and both make the same row of it.

Each property runs the same records twice: the way a delivery goes (SQL first, the strict rules for
what it doubts), and through the strict rules alone. Rows, verdicts, messages and payloads must be
equal to the last bit, and no record may get lost on either way.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from ingestion import contract, typed_table, validate
from ingestion.conversion import Terms
from ingestion.intake import Intake, Place, RawRecord
from ingestion.landing import Draft, Facts
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.drops import delimited, ndjson
from tests.conftest import KEY

PSEUDONYMS = Pseudonyms(KEY)
WITH_CLOCK = Terms("drops", "demo", "EUR", datetime(2026, 12, 1, tzinfo=UTC))
WITHOUT = Terms("drops", "demo", None, None, datetime(2026, 1, 1, tzinfo=UTC))
ENTITIES = contract.entities("drops")

TABULAR = ("activity_events", "comments", "creators", "link_clicks", "orders", "posts")
"""Between them these have every type of field and every derived column."""

# JSON values as they may stand in a line: what is right for some field, nearly right, or evil.
TOKENS = [
    *("null", '""', '" "', '"\\u00a0"', "true", "false", '"True"', '"yes"', "{}", "[]", '"x"'),
    *("0", "1", "-0", "-1", "42", "42.0", "1.5", "12.50", "12.34567", "12.50000", "1e2", "1e400"),
    *("1e-5", "0.155", "NaN", "nan", "-Infinity", "inf", "100000.0", "9223372036854775807"),
    *("9223372036854775808", "123456789012345678901234567890", "12345678901234.1234", "1" * 500),
    *("0.12340000000000000001", "0.30000000000000004", "5.00", "-0.0", '"-0"', '"007"', '"1e2"'),
    *('"12.50"', '"-3.25"', '"-0.5"', '"1,234.5"', '".5"', '"99999999999999.9999"', '"1.5"'),
    *('"999999999999999"', '"true"', '"nan"', '"null"', '"0"', '"42"'),
    *('"2026-11-22T04:10:00+01:00"', '"2026-11-22T04:10Z"', '"2026-11-22 04:10:00.123456+0100"'),
    *('"2026-11-22T04:10:00.1234567Z"', '"2026-11-22T04:10:00"', '"2026-11-22"', '"2026-02-30"'),
    *('"2026-12-01T00:05:00Z"', '"2026-12-01T12:00:00Z"', '"2026-12-02T12:00:00Z"'),
    *('"1970-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59-05:00"'),
    *('"2026-11-22T24:00:00Z"', '"2026-11-22T04:10:00+15:30"', "1763784600"),
    *('"EUR"', '"eur"', '"XYZ"', '"E R"', '"ES"', '"es"', '"instagram"', '"paid"', '"views"'),
    *('"watch_time_s"', '"email"', '"user"', '"contract"', '"legit_interest"'),
    *('"@nano_ana"', '"Nano_Ana"', '"@"', '"nanö"', '"ﬁsh"', '"İstanbul"', '"a b"', '"a:b%c"'),
    *('"ana@example.com"', '" Ana.Lopez@Example.COM "', '"ana@münchen.de"', '"+34 600 123 456"'),
    *(
        '"203.0.113.7"',
        '"2001:db8:1:2:3:4:5:6"',
        '"2001:db8::1"',
        '"::ffff:1.2.3.4"',
        '"999.1.1.1"',
    ),
    '"https://shop.example/p/1?utm_source=ig&utm_campaign=a%20b&cid=c1&email=x%40y.co#f"',
    '"https://user:pw@shop.example:8080/x?utm_source=a+b"',
    *('"/p/1?utm_source=x"', '"shop.example/x"', '"http://x?a=1#?b"', '"//cdn.example/a"'),
    *('"https://www.tiktok.com/@nano_ana/video/731"', '"https://x.example#f?utm_source=z"'),
    *('"https://www.instagram.com/stories/nano_ana/1"', '"https://youtube.com/watch?v=dQw&t=1"'),
    *('"ANA10"', '" ana10 "', '"ana@10"', '"a|b;c , d"', '"[a"', '"{x"', '"{\\"a\\":1}"'),
    *('"x\\u0000y"', '"x\\ud83d\\ude00y"', '"\\ud800"', '"x\\"y\\\\z"', '"é\\u00e9"', '"\\/x"'),
    *('"😀👍🏽 hola que tal? dm me @you"', '"aaaaaa http://x"', '"Googlebot/2.1"', '"\u2028x"'),
    *('["a","b"]', '["@Ana","b.c"]', '["x@y.co"]', "[1,2]", '[null,"a"]', "[1.5]", '["",""," "]'),
    *('{"a":1}', '{"a":{"a":1}}', '{"a":1,"a":2}', '{"email":"x"}', '{"a":"x@y.co"}', "[1,]"),
    *('{"a":NaN}', '{"a":1e400}', '{"source":"ig","medium":"m"}', '{"source":1}', '{"foo":"x"}'),
    *('{"source":"x","source":"y"}', '{"source":"a@b.co"}', '{"a":[[[1]]],"b":[{"a":-0}]}'),
]
NAMES = ("foo", "Foo Bar", "first_name", "e_mail", "ip", "x@y.co", "a.b", '"q', "extra", "🙂")
ENDINGS = ["}"] * 12 + [" }", ",}", ", }", "} ", "}x", "", "}}"]


def _tokens_of(field: contract.Field) -> st.SearchStrategy[str]:
    fitting = [json.dumps(value) for value in field.enum]
    return st.sampled_from(fitting + TOKENS if fitting else TOKENS)


@st.composite
def lines(draw: st.DrawFn, entity: contract.EntityContract) -> bytes:
    """The example of an entity, mutated."""
    members = {
        name: json.dumps(value, ensure_ascii=draw(st.booleans()))
        for name, value in entity.example.items()
    }
    for field in draw(st.lists(st.sampled_from(entity.fields), max_size=3)):
        members[field.name] = draw(_tokens_of(field))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        members[name] = draw(st.sampled_from(TOKENS))
    if draw(st.integers(0, 9)) == 0:
        members.pop(draw(st.sampled_from(sorted(members))))
    pairs = list(members.items())
    if draw(st.integers(0, 19)) == 0:
        pairs.append(pairs[0])
    comma, colon = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    body = comma.join(json.dumps(name) + colon + token for name, token in pairs)
    data = ("{" + body + draw(st.sampled_from(ENDINGS))).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 19)) == 0:
        place = draw(st.integers(0, len(data) - 1))
        data = data[:place] + bytes([draw(st.integers(0, 255))]) + data[place + 1 :]
    return data.replace(b"\n", b" ")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": "2"}) as opened:
        opened.execute("set TimeZone = 'UTC'")
        PSEUDONYMS.install(opened)
        yield opened


Landed = tuple[Facts, dict[int, list[dict[str, Any]]], dict[int, list[dict[str, Any]]]]


@contextmanager
def an_intake(
    entity: contract.EntityContract, terms: Terms, connection: duckdb.DuckDBPyConnection
) -> Iterator[tuple[Intake, Path]]:
    with TemporaryDirectory() as folder:
        place = Path(folder)
        draft = Draft(None, place / "data.parquet", place / "rejects.parquet")  # type: ignore[arg-type]
        yield Intake(entity, terms, PSEUDONYMS, connection, draft), place


def land(
    entity: contract.EntityContract,
    terms: Terms,
    connection: duckdb.DuckDBPyConnection,
    fill: Callable[[Intake, Path], None],
) -> Landed:
    """What a delivery becomes: counts, good rows and rejects by line."""
    with an_intake(entity, terms, connection) as (intake, place):
        fill(intake, place)
        facts = intake.finish()
        good = _by_line(place / "data.parquet")
        rejected = _by_line(place / "rejects.parquet")
    return facts, good, rejected


def _by_line(path: Path) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    if path.exists():
        for row in pq.read_table(path).to_pylist():
            found.setdefault(row["_line"], []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: (row.get("severity", ""), row.get("rule", "")))
    return found


def assert_same(one: Landed, other: Landed) -> None:
    assert one[1] == other[1]
    assert one[2] == other[2]
    assert one[0].good_count == other[0].good_count
    assert one[0].rejected_count == other[0].rejected_count


PROPERTY = hypothesis_settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("name", ENTITIES)
@given(data=st.data())
@PROPERTY
def test_lines_end_the_same_on_the_fast_way_and_the_strict_one(
    name: str, connection: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    entity = contract.load("drops", name)
    terms = data.draw(st.sampled_from([WITH_CLOCK, WITHOUT]))
    delivered = data.draw(st.lists(lines(entity), min_size=20, max_size=60))

    def fast(intake: Intake, place: Path) -> None:
        path = place / "a.ndjson"
        path.write_bytes(b"\n".join(delivered) + b"\n")
        ndjson.fill(intake, path)

    def strict(intake: Intake, _place: Path) -> None:
        offset, records = 0, []
        for number, line in enumerate(delivered, start=1):
            place = Place(number, offset, len(line))
            records.append(RawRecord(place, validate.parse_line(line), line))
            offset += len(line) + 1
        intake.judge(iter(records))

    landed = land(entity, terms, connection, fast)
    assert_same(landed, land(entity, terms, connection, strict))
    received = sum(1 for line in delivered if line.strip(b" \t\r"))
    assert landed[0].good_count + landed[0].rejected_count == received


@pytest.mark.parametrize("name", ENTITIES)
def test_neighbours_of_a_mutated_line_live(
    name: str, connection: duckdb.DuckDBPyConnection
) -> None:
    """Every byte of a line in turn set to what JSON cannot have: the lines between them stay."""
    entity = contract.load("drops", name)
    line = json.dumps(entity.example).encode()
    delivered = [line]
    for place in range(len(line)):
        delivered += [line[:place] + b"\x01" + line[place + 1 :], line]

    def fill(intake: Intake, folder: Path) -> None:
        path = folder / "a.ndjson"
        path.write_bytes(b"\n".join(delivered) + b"\n")
        ndjson.fill(intake, path)

    facts, good, rejected = land(entity, WITHOUT, connection, fill)
    assert facts.good_count == len(line) + 1
    assert set(good) == set(range(1, 2 * len(line) + 2, 2))
    assert set(rejected) == set(range(2, 2 * len(line) + 1, 2))
    assert {row["rule"] for rows in rejected.values() for row in rows} == {"Q15"}
    assert {row["payload"] for rows in rejected.values() for row in rows} == {None}


# -- CSV ------------------------------------------------------------------------------------------

CELLS = [
    *("", " ", "x", "0", "1", "-1", "42", "42.0", "12.50", "12.34567", "1e2", "NaN", "-0", "007"),
    *("true", "False", "2026-11-22T04:10:00+01:00", "2026-11-22", "2026-11-22T04:10:00", "EUR"),
    *("eur", "ES", "instagram", "@nano_ana", "ana@example.com", "203.0.113.7", "a|b;c , d", "[1"),
    *(
        '["a","b"]',
        '{"a":1}',
        '{"a":1,"a":2}',
        "a,b",
        'say "x"',
        "two\nlines",
        "é😀",
        "https://x/?a#b",
    ),
]


@pytest.mark.parametrize("name", TABULAR)
@given(data=st.data())
@PROPERTY
def test_cells_end_the_same_on_the_fast_way_and_the_strict_one(
    name: str, connection: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    entity = contract.load("drops", name)
    names = [*entity.example, *data.draw(st.sampled_from([[], ["foo"], ["first_name"]]))]
    rows = [
        [
            data.draw(st.sampled_from(CELLS))
            if data.draw(st.integers(0, 7)) == 0
            else _cell(entity.example.get(column, "x"))
            for column in names
        ]
        for _ in range(data.draw(st.integers(10, 30)))
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=data.draw(st.sampled_from([",", ";", "\t"])),
        lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])),
        quoting=data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerow(names)
    writer.writerows(rows)
    content = text.getvalue().encode()
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(content)))
        evil = data.draw(st.sampled_from([b'"', b"\n", b",", b"\xff", b"\r", b"\0", b'"\n']))
        content = content[:place] + evil + content[place:]
    try:
        header = delimited.read_header(content, entity)
    except delimited.Unusable:
        return

    def fast(intake: Intake, place: Path) -> None:
        path = place / "a.csv"
        path.write_bytes(content)
        delimited.fill(intake, path)

    def strict(intake: Intake, _place: Path) -> None:
        intake.judge(delimited.rows(content[header.length :], header))

    assert_same(
        land(entity, WITH_CLOCK, connection, fast), land(entity, WITH_CLOCK, connection, strict)
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value)
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


# -- Parquet --------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

COLUMNS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.string(), ["x", "12.50", "EUR", "ana@example.com", "2026-11-22T04:10:00Z", ""]),
    (pa.dictionary(pa.int32(), pa.string()), ["x", "instagram", "EUR", "@a"]),
    (pa.int64(), [0, 1, 5, -1, 10**14, 10**15, 2**63 - 1]),
    (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    (
        pa.float64(),
        [
            *(0.0, -0.0, 1.0, 12.34, 0.1 + 0.2, 1e-5, 1e20, 1e10, 9999999999.9999, -3.25),
            *(1 / 3, 42.0, float("nan"), float("inf"), 123456789.12345, 1e15),
        ],
    ),
    (pa.float32(), [0.0, -0.0, 1.0, 12.34, 0.1, 1e-5, 1e20, float("nan"), -1.5]),
    (pa.decimal128(18, 2), [Decimal("0.00"), Decimal("12.50"), Decimal("-1.00")]),
    (
        pa.decimal128(24, 9),
        [Decimal("12.500000000"), Decimal("0.000010000"), Decimal("7.000000000")],
    ),
    (
        pa.timestamp("us", "UTC"),
        [NOON, datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)],
    ),
    (pa.timestamp("ns", "Europe/Madrid"), [NOON]),
    (pa.timestamp("us"), [NOON.replace(tzinfo=None)]),
    (pa.date32(), [date(2026, 11, 22), date(1800, 1, 1)]),
    (pa.bool_(), [True, False]),
    (pa.list_(pa.string()), [["a", "b"], [], ["@Ana"], [None, "a"], ["a@b.co"]]),
    (pa.struct({"source": pa.string(), "medium": pa.string()}), [{"source": "ig", "medium": None}]),
    (pa.binary(), [b"x"]),
    (pa.null(), [None]),
]


@pytest.mark.parametrize("name", TABULAR)
@given(data=st.data())
@PROPERTY
def test_columns_end_the_same_on_the_fast_way_and_the_strict_one(
    name: str, connection: duckdb.DuckDBPyConnection, data: st.DataObject
) -> None:
    entity = contract.load("drops", name)
    count = data.draw(st.integers(10, 30))
    table: dict[str, pa.Array] = {}
    for column, value in entity.example.items():
        plain = json.dumps(value) if isinstance(value, dict) else value
        table[column] = pa.array([plain] * count)
    changed = st.sampled_from([*(field.name for field in entity.fields), "foo", "first_name"])
    for column in data.draw(st.lists(changed, max_size=4)):
        data_type, values = data.draw(st.sampled_from(COLUMNS))
        chosen = data.draw(
            st.lists(st.sampled_from([None, *values]), min_size=count, max_size=count)
        )
        table[column] = pa.array(chosen, data_type)
    batch = typed_table.batch(entity, pa.table(table))

    def strict(intake: Intake, _place: Path) -> None:
        intake.judge(batch.record(row) for row in range(count))

    assert_same(
        land(entity, WITH_CLOCK, connection, lambda intake, _: intake.take(batch)),
        land(entity, WITH_CLOCK, connection, strict),
    )


# -- what single columns become, by hand ----------------------------------------------------------


def row_of(
    connection: duckdb.DuckDBPyConnection, name: str, terms: Terms = WITHOUT, **changes: Any
) -> dict[str, Any]:
    """The landed row of an entity's example with changes."""
    entity = contract.load("drops", name)
    line = json.dumps(entity.example | changes).encode()

    def fill(intake: Intake, place: Path) -> None:
        path = place / "a.ndjson"
        path.write_bytes(line + b"\n")
        ndjson.fill(intake, path)

    _, good, rejected = land(entity, terms, connection, fill)
    assert good, rejected
    return good[1][0]


@pytest.mark.parametrize(
    ("url", "host", "path", "source", "click"),
    [
        (
            "https://Shop.Example:8080/a/b?utm_source=ig&cid=c-1#x",
            "shop.example",
            "/a/b",
            "ig",
            "c-1",
        ),
        ("https://shop.example", "shop.example", "/", None, None),
        ("https://shop.example?utm_source=a%20b+c", "shop.example", "/", "a b c", None),
        ("/a?xutm_source=no&utm_source=yes", None, "/a", "yes", None),
        ("//cdn.example/a?b", "cdn.example", "/a", None, None),
        ("/go/https://other.example/x", None, "/go/https://other.example/x", None, None),
        ("https://x.example/a#?utm_source=z", "x.example", "/a", None, None),
        ("app://product/3", "product", "/3", None, None),
    ],
)
def test_urls_are_taken_apart(
    connection: duckdb.DuckDBPyConnection,
    url: str,
    host: str | None,
    path: str,
    source: str | None,
    click: str | None,
) -> None:
    row = row_of(connection, "activity_events", url=url, click_id=None)
    found = (row["url_host"], row["url_path"], row["utm_source"], row["click_id"])
    assert found == (host, path, source, click)


def test_campaign_tags_of_their_own_win_over_the_url_s(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    row = row_of(
        connection,
        "activity_events",
        url="https://x.example/?utm_source=a&utm_medium=b",
        utm={"source": "given"},
    )
    assert (row["utm_source"], row["utm_medium"]) == ("given", "b")


@pytest.mark.parametrize(
    ("occurred", "expected", "quality", "landed_at"),
    [
        ("2026-11-22T04:00:00Z", "ok", [], "2026-11-22T04:00:00"),
        ("2026-11-22T04:05:00Z", "clock_skew", [], "2026-11-22T04:05:00"),
        ("2026-11-22T04:10:00Z", "clock_skew", [], "2026-11-22T04:10:00"),
        ("2026-11-22T04:10:01Z", "future_clamped", ["Q03"], "2026-11-22T04:00:00"),
    ],
)
def test_clocks_that_run_ahead(
    connection: duckdb.DuckDBPyConnection,
    occurred: str,
    expected: str,
    quality: list[str],
    landed_at: str,
) -> None:
    entity = contract.load("drops", "activity_events")
    given = entity.example | {"occurred_at": occurred, "received_at": "2026-11-22T04:00:00Z"}

    def fill(intake: Intake, place: Path) -> None:
        (place / "a.ndjson").write_text(json.dumps(given) + "\n")
        ndjson.fill(intake, place / "a.ndjson")

    facts, good, rejected = land(entity, WITHOUT, connection, fill)
    row = good[1][0]
    assert row["time_quality"] == expected
    assert row["occurred_at"] == datetime.fromisoformat(landed_at)
    assert [one["rule"] for one in rejected.get(1, [])] == quality
    assert (facts.rejected_count, facts.warning_count) == (0, len(quality))


@pytest.mark.parametrize(
    ("platform", "link", "expected"),
    [
        ("tiktok", "https://www.tiktok.com/@nano_ana/video/73", "https://www.tiktok.com/video/73"),
        (
            "instagram",
            "https://www.instagram.com/nano_ana/reel/Cx1/?igsh=1",
            "https://www.instagram.com/reel/Cx1/",
        ),
        (
            "instagram",
            "https://www.instagram.com/stories/nano_ana/12",
            "https://www.instagram.com/stories/_/12",
        ),
        ("youtube", "https://youtube.com/watch?v=dQw&t=1", "https://youtube.com/watch?v=dQw"),
        ("instagram", "https://www.instagram.com/nano_ana", "https://www.instagram.com"),
        ("blog", "https://ana.blog/2026/shoes?x=1", "https://ana.blog/2026/shoes"),
    ],
)
def test_permalinks_lose_the_handle(
    connection: duckdb.DuckDBPyConnection, platform: str, link: str, expected: str
) -> None:
    assert row_of(connection, "posts", platform=platform, permalink=link)["permalink"] == expected


@pytest.mark.parametrize(
    ("basis", "expected"),
    [("contract", "nano_ana"), ("consent", "nano_ana"), ("legit_interest", None)],
)
def test_a_handle_is_shown_with_consent_only(
    connection: duckdb.DuckDBPyConnection, basis: str, expected: str | None
) -> None:
    row = row_of(connection, "creators", display_handle="@nano_ana", consent_basis=basis)
    assert row["display_handle"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where did you get these?", (24, "en", True, False, 0, False)),
        ("qué bonito, ¿dónde es?", (22, "es", True, False, 0, False)),
        ("😀👍🏽 @bo", (7, None, False, True, 2, False)),
        ("dm me for a deal http://x.example", (33, None, False, False, 0, True)),
        ("wooooow", (7, None, False, False, 0, True)),
        ("ok", (2, None, False, False, 0, False)),
    ],
)
def test_comments_become_features(
    connection: duckdb.DuckDBPyConnection, text: str, expected: tuple[Any, ...]
) -> None:
    row = row_of(connection, "comments", text=text)
    names = ("text_len", "lang", "is_question", "has_mention", "emoji_count", "is_spam_like")
    assert tuple(row[name] for name in names) == expected
    assert row["text_hash"] == PSEUDONYMS.make("comment_text", "", text)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148", ("mobile", False)),
        ("Mozilla/5.0 (iPad; CPU OS 19_0 like Mac OS X)", ("tablet", False)),
        ("Mozilla/5.0 (Linux; Android 16; SM-X900)", ("tablet", False)),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64)", ("desktop", False)),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", ("bot", True)),
        ("something", ("other", False)),
        (None, (None, None)),
    ],
)
def test_user_agents_become_a_class(
    connection: duckdb.DuckDBPyConnection, agent: str | None, expected: tuple[Any, Any]
) -> None:
    row = row_of(connection, "link_clicks", user_agent=agent)
    assert (row["ua_class"], row["is_bot"]) == expected


@pytest.mark.parametrize(
    ("agent", "said", "expected"),
    [
        ("Mozilla/5.0 (iPhone) Mobile/15E148 Instagram 400.0.0", None, True),
        ("Mozilla/5.0 (iPhone) [FBAN/FBIOS;FBAV/500.0]", None, True),
        ("Mozilla/5.0 (Linux) musical_ly BytedanceWebview", None, True),
        ("Mozilla/5.0 (iPhone) Mobile/15E148 Safari/604.1", None, False),
        ("Mozilla/5.0 (iPhone) Mobile/15E148 Safari/604.1", True, True),
        ("Mozilla/5.0 (iPhone) Mobile/15E148 Instagram 400.0.0", False, False),
        (None, None, None),
    ],
)
def test_browsers_of_platforms_are_told_by_their_name(
    connection: duckdb.DuckDBPyConnection, agent: str | None, said: bool | None, expected: Any
) -> None:
    row = row_of(connection, "activity_events", user_agent=agent, is_in_app_browser=said)
    assert row["is_in_app_browser"] == expected
    assert "user_agent" not in row


def test_networks_are_pseudonyms_of_a_day(connection: duckdb.DuckDBPyConnection) -> None:
    clicked = {"clicked_at": "2026-11-22T23:30:00-02:00"}
    row = row_of(connection, "link_clicks", ip="203.0.113.7", **clicked)
    assert row["ip_net_pid"] == PSEUDONYMS.make("ip_net", "2026-11-23", "203.0.113.99")
    six = row_of(connection, "link_clicks", ip="2001:db8:1:2:3:4:5:6", **clicked)
    assert six["ip_net_pid"] == PSEUDONYMS.make("ip_net", "2026-11-23", "2001:db8:1::1")


def test_codes_are_compared_in_capitals(connection: duckdb.DuckDBPyConnection) -> None:
    row = row_of(connection, "promo_codes", code="Ana10 ")
    assert (row["code_norm"], row["code_display"]) == ("ANA10", "Ana10 ")
    order = row_of(connection, "orders", discount_codes=["ana10", " Bo5", ""])
    assert order["discount_codes"] == '["ANA10","BO5"]'


def test_unknown_fields_are_kept_but_for_those_that_name_people(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    row = row_of(
        connection, "orders", colour="red", nested={"b": 1.50}, first_name="Ana", gone=None
    )
    assert row["_extra"] == '{"colour":"red","nested":{"b":1.5}}'


def test_keys_of_several_parts_cannot_be_mistaken(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    one = row_of(connection, "order_lines", order_id="a:b", line_id="c")
    other = row_of(connection, "order_lines", order_id="a", line_id="b:c")
    assert one["_record_key"] == "drops:demo:a%3Ab:c"
    assert other["_record_key"] == "drops:demo:a:b%3Ac"


def test_the_hash_is_of_what_was_said_not_of_when_or_where(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    one = row_of(connection, "orders", WITHOUT)
    other = row_of(connection, "orders", WITH_CLOCK, colour="red")
    assert one["_record_hash"] == other["_record_hash"]
    changed = row_of(connection, "orders", WITHOUT, updated_at="2026-11-23T00:00:00Z")
    assert changed["_record_hash"] != one["_record_hash"]
    later = row_of(connection, "orders", WITHOUT, revision=1)
    assert later["_record_hash"] != one["_record_hash"]
    assert (one["_revision"], later["_revision"]) == (0, 1)


def test_when_a_row_was_received(connection: duckdb.DuckDBPyConnection) -> None:
    own = row_of(connection, "activity_events", WITH_CLOCK, received_at="2026-11-22T05:00:00Z")
    assert own["_received_at"] == datetime(2026, 11, 22, 5)
    window = row_of(connection, "activity_events", WITH_CLOCK)
    assert window["_received_at"] == datetime(2026, 12, 1)
    neither = row_of(connection, "activity_events", WITHOUT)
    assert neither["_received_at"] is None
