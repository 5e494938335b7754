"""CSV: delimiters, quotes, newlines in cells, and rows that are not as the header has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.sources.drops import delimited
from tests.unit.ingestion.dropping import drop_home, fetch, good, put, rejects


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_header_tells_the_delimiter(
    tmp_path: Path, delimiter: str, ending: str, mark: str
) -> None:
    rows = [["product_id", "title"], ["p-1", "Shoe"], ["p-2", ""]]
    text = mark + "".join(delimiter.join(row) + ending for row in rows)
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", text)
    found = [(row["product_id"], row["title"]) for row in good(settings, *fetch(settings))]
    assert found == [("p-1", "Shoe"), ("p-2", None)]


@pytest.mark.parametrize("chunk_bytes", [16, 100, 2**20])
def test_cells_with_newlines_and_quotes_keep_an_editor_s_line_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk_bytes)
    text = (
        "product_id,title,currency\n"  # line 1
        'p-1,"two\nlines",EUR\n'  # 2 and 3
        'p-2,"say ""hello"", twice",EUR\n'  # 4
        "p-3,plain,euro\n"  # 5
        "\n"  # 6
        'p-4,"a\n\nb",EUR\n'  # 7, 8, 9
        "p-5,last,EUR"  # 10
    )
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", text)
    (manifest,) = fetch(settings)
    assert [(row["_line"], row["title"]) for row in good(settings, manifest)] == [
        (2, "two\nlines"),
        (4, 'say "hello", twice'),
        (7, "a\n\nb"),
        (10, "last"),
    ]
    (reject,) = rejects(settings, manifest)
    assert (reject["_line"], reject["rule"], reject["field"]) == (5, "Q05", "currency")
    assert reject["_byte_offset"] == text.index("p-3")
    assert reject["_byte_length"] == len("p-3,plain,euro")


@pytest.mark.parametrize("chunk_bytes", [16, 2**20])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("p-2,too,many,cells", "4 cells where the header has 3"),
        ("p-2,few", "2 cells where the header has 3"),
        ('p-2,"opened,EUR', "a quote or line break stands where CSV has none"),
        ('p-2,"quoted" and on,EUR', "a quote or line break stands where CSV has none"),
        ("p-2,in\rside,EUR", "a quote or line break stands where CSV has none"),
    ],
)
def test_a_row_that_is_not_as_the_header_has_it_is_rejected_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, message: str, chunk_bytes: int
) -> None:
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk_bytes)
    settings = drop_home(tmp_path)
    text = f'product_id,title,currency\np-1,"a ""b""",EUR\n{bad}\np-3,c,EUR\np-4,"d",EUR\n'
    put(settings, "products", "a.csv", text)
    (manifest,) = fetch(settings)
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["_line"], reject["message"]) == ("Q15", 3, message)
    assert [row["_line"] for row in good(settings, manifest)] == [2, 4, 5]


def test_a_quote_inside_an_unquoted_cell_is_text(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", 'product_id,title\np-1,5" pipe\np-2,x\n')
    titles = [row["title"] for row in good(settings, *fetch(settings))]
    assert titles == ['5" pipe', "x"]


def test_bad_utf8_spoils_its_row_only(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", b"product_id,title\np-1,a\np-2,\xff\np-3,c\n")
    (manifest,) = fetch(settings)
    assert [row["_line"] for row in rejects(settings, manifest)] == [3]
    assert [row["_line"] for row in good(settings, manifest)] == [2, 4]


def test_columns_without_a_name_are_dropped(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", "product_id,,\np-1,x,\np-2,,\n")
    (manifest,) = fetch(settings)
    assert manifest.good_count == 2
    assert manifest.notes == {"dropped_fields": 1}
    assert good(settings, manifest)[0]["_extra"] is None


def test_a_missing_column_that_is_needed_rejects_each_row_by_its_rule(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "orders", "a.csv", "order_id,currency,gross_amount\n1,EUR,5\n2,EUR,6\n")
    (manifest,) = fetch(settings)
    assert [row["rule"] for row in rejects(settings, manifest)] == ["Q02", "Q02"]


def test_lists_and_json_in_cells(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    text = (
        "order_id;ordered_at;currency;gross_amount;discount_codes\n"
        "1;2026-11-22T00:00:00Z;EUR;5;ana10|Bo5\n"
        '2;2026-11-22T00:00:00Z;EUR;5;"[""ana10"", ""Bo5""]"\n'
    )
    put(settings, "orders", "a.csv", text)
    codes = [row["discount_codes"] for row in good(settings, *fetch(settings))]
    assert codes == ['["ANA10","BO5"]', '["ANA10","BO5"]']
