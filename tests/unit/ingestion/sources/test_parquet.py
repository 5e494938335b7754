"""Parquet: typed columns straight, in batches, with row numbers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.sources.drops import parquet
from setae.settings import Settings
from tests.unit.ingestion.dropping import drop_home, fetch, good, rejects


def drop(settings: Settings, entity: str, table: pa.Table) -> None:
    path = settings.home / "drops" / entity / "a.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def test_typed_columns_are_taken_as_they_are(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    at = datetime(2026, 11, 22, 4, 10, tzinfo=UTC)
    table = pa.table(
        {
            "order_id": pa.array([6012345], pa.int64()),
            "ordered_at": pa.array([at], pa.timestamp("ns", "Europe/Madrid")),
            "currency": pa.array(["EUR"]).dictionary_encode(),
            "gross_amount": pa.array([Decimal("60.000000")], pa.decimal128(38, 6)),
            "discount_amount": pa.array([6.1], pa.float64()),
            "shipping_amount": pa.array([4], pa.int32()),
            "tax_amount": pa.array([0.1], pa.float32()),
            "is_test": pa.array([False]),
            "discount_codes": pa.array([["Ana10"]], pa.list_(pa.string())),
            "when": pa.array([date(2026, 11, 22)]),
        }
    )
    drop(settings, "orders", table)
    (row,) = good(settings, *fetch(settings))
    assert row["order_id"] == "6012345"
    assert row["ordered_at"] == datetime(2026, 11, 22, 4, 10)
    assert row["gross_amount"] == Decimal("60.0000")
    assert row["discount_amount"] == Decimal("6.1000")
    assert row["shipping_amount"] == Decimal("4.0000")
    assert row["tax_amount"] == Decimal("0.1000")
    assert row["is_test"] is False
    assert row["discount_codes"] == '["ANA10"]'
    assert row["_extra"] == '{"when":"2026-11-22"}'


def test_a_time_without_zone_breaks_q02(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    table = pa.table(
        {
            "order_id": ["1"],
            "ordered_at": pa.array([datetime(2026, 11, 22)], pa.timestamp("us")),
            "currency": ["EUR"],
            "gross_amount": ["1"],
        }
    )
    drop(settings, "orders", table)
    (reject,) = rejects(settings, *fetch(settings))
    assert (reject["rule"], reject["field"]) == ("Q02", "ordered_at")
    assert "has no offset" in reject["message"]


def test_an_id_that_became_a_float_breaks_q01(tmp_path: Path) -> None:
    """What a spreadsheet library makes of a column of numbers with a gap."""
    settings = drop_home(tmp_path)
    drop(settings, "products", pa.table({"product_id": pa.array([1001.0, None], pa.float64())}))
    found = [(row["rule"], row["_line"]) for row in rejects(settings, *fetch(settings))]
    assert found == [("Q01", 1), ("Q01", 2)]


def test_rows_are_numbered_across_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 10)
    settings = drop_home(tmp_path)
    ids = [f"p-{number}" if number != 25 else None for number in range(1, 41)]
    drop(settings, "products", pa.table({"product_id": ids}))
    (manifest,) = fetch(settings)
    assert [row["_line"] for row in good(settings, manifest)] == [
        number for number in range(1, 41) if number != 25
    ]
    assert [row["_line"] for row in rejects(settings, manifest)] == [25]


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["product_id", "product_id"])
    drop(settings, "products", table)
    (reject,) = rejects(settings, *fetch(settings))
    assert "two columns of one name" in reject["message"]
