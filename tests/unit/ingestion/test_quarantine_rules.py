"""Every quarantine rule in every format: the bad row is told with file and line, its neighbours
live, received is good plus rejected, and a corrected delivery (or a release) loads it."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import contract
from ingestion.landing import Manifest
from ingestion.sources.drops import release as releasing
from ingestion.sources.drops.release import ReleaseRow
from setae.settings import Settings
from tests.unit.ingestion.dropping import (
    FORMATS,
    drop_home,
    encode,
    fetch,
    good,
    line_of,
    put,
    rejects,
)


@dataclass(frozen=True)
class Case:
    """A rule and a row that breaks it.

    Attributes:
        broken: Changes of the entity's example that break the rule.
        set_fields: What an operator sets to release the row; None where it has to be delivered
            again.
    """

    rule: str
    entity: str
    key: str
    broken: dict[str, Any]
    field: str | None
    set_fields: dict[str, str] | None = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.rule}-{self.field or self.entity}"


CASES = [
    Case("Q01", "orders", "order_id", {"order_id": None}, "order_id", {"order_id": "7"}),
    Case("Q01", "order_lines", "line_id", {"order_id": "  "}, "order_id", {"order_id": "7"}),
    Case(
        "Q02",
        "orders",
        "order_id",
        {"ordered_at": "2026-11-22T04:12:00"},
        "ordered_at",
        {"ordered_at": "2026-11-22T04:12:00Z"},
    ),
    Case(
        "Q02",
        "activity_events",
        "event_id",
        {"occurred_at": "yesterday"},
        "occurred_at",
        {"occurred_at": "2026-11-22T04:12:00Z"},
    ),
    Case(
        "Q03",
        "activity_events",
        "event_id",
        {"occurred_at": "2026-11-24T00:00:00Z", "received_at": "2026-11-22T23:59:59Z"},
        "occurred_at",
        {"occurred_at": "2026-11-22T00:00:00Z"},
    ),
    Case(
        "Q04",
        "orders",
        "order_id",
        {"ordered_at": "1970-01-01T00:00:00Z"},
        "ordered_at",
        {"ordered_at": "2026-11-22T00:00:00Z"},
    ),
    Case(
        "Q05", "orders", "order_id", {"gross_amount": "NaN"}, "gross_amount", {"gross_amount": "1"}
    ),
    Case(
        "Q05",
        "orders",
        "order_id",
        {"gross_amount": "12.34567"},
        "gross_amount",
        {"gross_amount": "12.35"},
    ),
    Case(
        "Q05", "orders", "order_id", {"gross_amount": "-1"}, "gross_amount", {"gross_amount": "1"}
    ),
    Case("Q05", "orders", "order_id", {"currency": "eur"}, "currency", {"currency": "EUR"}),
    Case(
        "Q08",
        "activity_events",
        "event_id",
        {"event_type": "page_vew"},
        "event_type",
        {"event_type": "page_view"},
    ),
    Case(
        "Q08", "orders", "order_id", {"ship_country": "es"}, "ship_country", {"ship_country": "ES"}
    ),
    Case("Q09", "post_metric_snapshots", "post_id", {"value": "-1"}, "value", {"value": "1"}),
    Case("Q09", "post_metric_snapshots", "post_id", {"value": "1.5"}, "value", {"value": "2"}),
    Case("Q09", "order_lines", "line_id", {"quantity": "1.5"}, "quantity", {"quantity": "1"}),
    Case("Q11", "activity_events", "event_id", {"anonymous_id": None}, None, {"user_id": "u-1"}),
]


def rows_of(case: Case) -> list[dict[str, Any]]:
    """Three records; the second breaks the rule."""
    example = contract.load("drops", case.entity).example
    rows = [example | {case.key: f"n-{number}"} for number in range(3)]
    rows[1] |= case.broken
    return rows


def identity(manifest: Manifest) -> None:
    assert manifest.received_count == manifest.good_count + manifest.rejected_count


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_row_is_rejected_its_neighbours_live_and_the_fix_loads_it(
    tmp_path: Path, case: Case, form: str
) -> None:
    settings = drop_home(tmp_path)
    put(settings, case.entity, f"a.{form}", encode(rows_of(case), form))
    (manifest,) = fetch(settings)

    identity(manifest)
    assert (manifest.received_count, manifest.rejected_count) == (3, 1)
    assert manifest.origin.name == f"{case.entity}/a.{form}"
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["field"], reject["severity"]) == (
        case.rule,
        case.field,
        "reject",
    )
    assert json.loads(reject["reasons"])[0] == case.rule
    assert reject["_line"] == line_of(2, form)
    assert [row["_line"] for row in good(settings, manifest)] == [
        line_of(1, form),
        line_of(3, form),
    ]

    released = _release(settings, case, reject)
    assert len(good(settings, released)) == 1
    assert (released.kind, released.revision) == ("release", 1)

    corrected = rows_of(case)
    corrected[1] = contract.load("drops", case.entity).example | {case.key: "n-1"}
    put(settings, case.entity, f"a.{form}", encode(corrected, form))
    again = next(one for one in fetch(settings) if one.kind == "data")
    assert (again.good_count, again.rejected_count) == (3, 0)
    assert again.name != manifest.name


def _release(settings: Settings, case: Case, reject: dict[str, Any]) -> Manifest:
    row = ReleaseRow("q-1", json.loads(reject["payload"]), case.set_fields or {})
    outcome = releasing.release(
        settings, source="drops", source_account="demo", entity=case.entity, rows=[row]
    )
    assert outcome.refused == {}
    assert outcome.manifest is not None
    return outcome.manifest


def _table(rows: list[dict[str, Any]], **columns: pa.Array) -> bytes:
    table = pa.table(
        {name: pa.array([row.get(name) for row in rows]) for name in rows[0]} | columns
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def unreadable(form: str) -> bytes:
    """Three products; the second cannot be read at all."""
    products = [{"product_id": f"p-{number}", "title": "Shoe"} for number in range(3)]
    if form.startswith("ndjson"):
        lines = [json.dumps(row).encode() for row in products]
        lines[1] = b'{"product_id": "p-1", "title": '
        data = b"\n".join(lines) + b"\n"
        return gzip.compress(data, mtime=0) if form.endswith("gz") else data
    if form == "csv":
        return b"product_id,title\np-0,Shoe\np-1,Shoe,one too many\np-2,Shoe\n"
    products[1]["title"] = "S\0hoe"
    return _table(products)


@pytest.mark.parametrize("form", FORMATS)
def test_a_row_that_cannot_be_read_breaks_q15(tmp_path: Path, form: str) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", f"a.{form}", unreadable(form))
    (manifest,) = fetch(settings)
    identity(manifest)
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["_line"]) == ("Q15", line_of(2, form))
    assert len(reject["payload_digest"]) == 64
    assert len(good(settings, manifest)) == 2
    if form != "parquet":  # a typed row can be read, so that it can be shown
        assert reject["payload"] is None
        assert reject["_byte_length"] > 0


@pytest.mark.parametrize("form", FORMATS)
def test_an_oversized_row_breaks_q15(tmp_path: Path, form: str) -> None:
    settings = drop_home(tmp_path)
    rows = [{"product_id": f"p-{number}", "title": "Shoe"} for number in range(3)]
    rows[1]["title"] = "x" * (2**20 + 1)
    put(settings, "products", f"a.{form}", encode(rows, form))
    (manifest,) = fetch(settings)
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["_line"]) == ("Q15", line_of(2, form))
    assert manifest.good_count == 2


WARNINGS = [
    ("Q03", "orders", "order_id", {"ordered_at": "2026-12-01T12:00:00Z"}, "ordered_at"),
    ("Q06", "orders", "order_id", {"total_amount": "58.03"}, "total_amount"),
    ("Q07", "orders", "order_id", {"refunded_amount": "58.03"}, "refunded_amount"),
]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("rule", "entity", "key", "odd", "name"), WARNINGS)
def test_odd_rows_are_kept_and_warned_of(
    tmp_path: Path,
    rule: str,
    entity: str,
    key: str,
    odd: dict[str, Any],
    name: str,
    form: str,
) -> None:
    settings = drop_home(tmp_path)
    rows = rows_of(Case(rule, entity, key, odd, name))
    put(settings, entity, f"a.{form}", encode(rows, form))
    (manifest,) = fetch(settings)
    assert (manifest.good_count, manifest.rejected_count, manifest.warning_count) == (3, 0, 1)
    (warning,) = rejects(settings, manifest)
    assert (warning["rule"], warning["severity"], warning["field"]) == (rule, "warn", name)
    assert warning["record_key"] == "drops:demo:n-1"
    assert warning["_line"] == line_of(2, form)


@pytest.mark.parametrize("form", FORMATS)
def test_totals_within_two_cents_are_no_warning(tmp_path: Path, form: str) -> None:
    settings = drop_home(tmp_path)
    rows = rows_of(Case("Q06", "orders", "order_id", {"total_amount": "58.02"}, None))
    put(settings, "orders", f"a.{form}", encode(rows, form))
    (manifest,) = fetch(settings)
    assert manifest.warning_count == 0


@pytest.mark.parametrize("form", FORMATS)
def test_a_counter_that_falls_is_warned_of(tmp_path: Path, form: str) -> None:
    """Both more than 20 % and more than 100: 1000 → 799 is, 799 → 700 and 400 → 301 are not."""
    settings = drop_home(tmp_path)
    example = contract.load("drops", "post_metric_snapshots").example
    rows = [
        example | {"post_id": post, "value": value, "observed_at": f"2026-11-{day}T06:00:00Z"}
        for post, value, day in [
            ("a", 1000, 20),
            ("a", 799, 21),
            ("a", 700, 22),
            ("b", 400, 20),
            ("b", 301, 21),
        ]
    ]
    put(settings, "post_metric_snapshots", f"a.{form}", encode(rows, form))
    (manifest,) = fetch(settings)
    (warning,) = rejects(settings, manifest)
    assert (warning["rule"], warning["_line"]) == ("Q10", line_of(2, form))
    assert manifest.good_count == 5


@pytest.mark.parametrize("form", FORMATS)
def test_one_key_with_two_contents_is_warned_of(tmp_path: Path, form: str) -> None:
    settings = drop_home(tmp_path)
    example = contract.load("drops", "products").example
    rows = [
        example | {"product_id": "p-1", "title": "one"},
        example | {"product_id": "p-1", "title": "two"},
        example | {"product_id": "p-1", "title": "three", "updated_at": "2026-01-01T00:00:00Z"},
        example | {"product_id": "p-2"},
        example | {"product_id": "p-2"},  # the same again is a duplicate, no conflict
    ]
    put(settings, "products", f"a.{form}", encode(rows, form))
    (manifest,) = fetch(settings)
    (warning,) = rejects(settings, manifest)
    assert (warning["rule"], warning["severity"]) == ("Q14", "warn")
    assert warning["record_key"] == "drops:demo:p-1"
    assert manifest.good_count == 5


@pytest.mark.parametrize("form", FORMATS)
def test_tests_insiders_and_bots_are_flagged_not_rejected(tmp_path: Path, form: str) -> None:
    """Q13: the marts leave them out."""
    settings = drop_home(tmp_path)
    orders = rows_of(Case("Q13", "orders", "order_id", {"is_test": True}, None))
    put(settings, "orders", f"a.{form}", encode(orders, form))
    events = rows_of(
        Case("Q13", "activity_events", "event_id", {"user_agent": "Googlebot/2.1"}, None)
    )
    events[2] |= {"is_internal": True}
    put(settings, "activity_events", f"a.{form}", encode(events, form))
    landed_events, landed_orders = fetch(settings)
    assert [row["is_test"] for row in good(settings, landed_orders)] == [None, True, None]
    assert [row["is_bot"] for row in good(settings, landed_events)] == [None, True, None]
    assert [row["is_internal"] for row in good(settings, landed_events)] == [None, None, True]


def test_floats_for_money_are_rejected_where_they_are_no_amount(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    example = contract.load("drops", "orders").example
    rows = [
        {name: example[name] for name in ("ordered_at", "currency")} | {"order_id": str(number)}
        for number in range(5)
    ]
    amounts = pa.array([12.5, float("nan"), float("inf"), 0.12345, 60.0], pa.float64())
    put(settings, "orders", "a.parquet", _table(rows, gross_amount=amounts))
    (manifest,) = fetch(settings)
    assert [row["_line"] for row in good(settings, manifest)] == [1, 5]
    assert [(row["_line"], row["rule"]) for row in rejects(settings, manifest)] == [
        (2, "Q05"),
        (3, "Q05"),
        (4, "Q05"),
    ]


def test_all_formats_of_the_same_records_land_the_same_rows(tmp_path: Path) -> None:
    """Good rows and rejects alike, but for where they lay."""
    landed = []
    for form in FORMATS:
        settings = drop_home(tmp_path / form)
        for name in contract.entities("drops"):
            example = contract.load("drops", name).example
            put(settings, name, f"a.{form}", encode([example, example | {"updated_at": "x"}], form))
        manifests = fetch(settings)
        rows = [
            {name: value for name, value in row.items() if name != "_line"}
            for row in good(settings, *manifests)
        ]
        refused = [
            (row["rule"], row["field"], row["message"], row["payload"], row["record_key"])
            for row in rejects(settings, *manifests)
        ]
        landed.append((sorted(rows, key=str), sorted(refused, key=str)))
    assert len(landed[0][0]) == len(contract.entities("drops"))
    assert len(landed[0][1]) == len(contract.entities("drops"))
    assert all(one == landed[0] for one in landed)
