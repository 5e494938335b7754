"""NDJSON: lines across chunks, odd endings, and where a bad line lies."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ingestion import validate
from ingestion.sources.drops import ndjson
from tests.unit.ingestion.dropping import drop_home, fetch, good, put, rejects


def lines(count: int) -> list[bytes]:
    return [
        json.dumps({"product_id": f"p-{number}", "title": "Schuh für 東京" * (number % 5)}).encode()
        for number in range(count)
    ]


@pytest.mark.parametrize("chunk_bytes", [7, 64, 1000, 2**20])
@pytest.mark.parametrize("suffix", [".ndjson", ".ndjson.gz"])
def test_lines_are_found_whatever_the_chunks_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, suffix: str
) -> None:
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", chunk_bytes)
    delivered = lines(23)
    delivered[11] = b'{"product_id": '
    data = b"\n".join(delivered) + b"\n"
    settings = drop_home(tmp_path)
    put(settings, "products", f"a{suffix}", gzip.compress(data) if suffix.endswith("gz") else data)
    (manifest,) = fetch(settings)
    rows = good(settings, manifest)
    assert [row["_line"] for row in rows] == [n for n in range(1, 24) if n != 12]
    assert [row["product_id"] for row in rows] == [f"p-{n}" for n in range(23) if n != 11]
    (reject,) = rejects(settings, manifest)
    assert reject["_line"] == 12
    assert reject["_byte_offset"] == data.index(b'{"product_id": \n')
    assert reject["_byte_length"] == len(delivered[11])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"product_id":"a"}\n{"product_id":"b"}', [1, 2]),  # no newline at the end
        (b'{"product_id":"a"}\r\n{"product_id":"b"}\r\n', [1, 2]),
        (b'\n\n{"product_id":"a"}\n \t\n{"product_id":"b"}\n\n', [3, 5]),
        (b'\xef\xbb\xbf{"product_id":"a"}\n{"product_id":"b"}\n', [1, 2]),
        (b'{"product_id":"a"}\n\xef\xbb\xbf{"product_id":"b"}\n', [1]),
    ],
)
def test_line_endings_blank_lines_and_marks(
    tmp_path: Path, data: bytes, expected: list[int]
) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", data)
    assert [row["_line"] for row in good(settings, *fetch(settings))] == expected


def test_blank_lines_are_not_received(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", b'\n{"product_id":"a"}\n\n')
    (manifest,) = fetch(settings)
    assert manifest.received_count == 1


def test_bad_utf8_spoils_its_line_only(tmp_path: Path) -> None:
    delivered = lines(9)
    delivered[4] = b'{"product_id":"p-\xff"}'
    data = b"\n".join(delivered) + b"\n"
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", data)
    (manifest,) = fetch(settings)
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["_line"]) == ("Q15", 5)
    assert reject["_byte_offset"] == data.index(delivered[4])
    assert reject["message"] == "not UTF-8 at byte 18 of the line"
    assert [row["_line"] for row in good(settings, manifest)] == [1, 2, 3, 4, 6, 7, 8, 9]


@pytest.mark.parametrize("is_last", [True, False])
def test_a_line_too_long_to_hold_is_skipped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_last: bool
) -> None:
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", 2**16)
    long = b'{"product_id":"' + b"x" * (3 * validate.MAXIMUM_BYTES) + b'"}'
    delivered = [*lines(2), long, *([] if is_last else lines(2))]
    data = b"\n".join(delivered) + (b"" if is_last else b"\n")
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", data)
    (manifest,) = fetch(settings)
    (reject,) = rejects(settings, manifest)
    assert (reject["rule"], reject["_line"]) == ("Q15", 3)
    assert (reject["_byte_offset"], reject["_byte_length"]) == (data.index(long), len(long))
    expected = [1, 2] if is_last else [1, 2, 4, 5]
    assert [row["_line"] for row in good(settings, manifest)] == expected


def test_a_file_of_one_line_that_never_ends_is_one_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", 2**16)
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", b"x" * (2 * validate.MAXIMUM_BYTES))
    (manifest,) = fetch(settings)
    assert (manifest.received_count, manifest.rejected_count) == (1, 1)


def test_equal_bad_lines_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", b"broken\nbroken\nother\n")
    first, second, third = rejects(settings, *fetch(settings))
    assert first["payload_digest"] == second["payload_digest"] != third["payload_digest"]


def test_ten_thousand_names_do_no_harm(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    row = {"product_id": "a"} | {f"field {number}": number for number in range(10_000)}
    put(settings, "products", "a.ndjson", json.dumps(row) + '\n{"product_id":"b"}\n')
    (manifest,) = fetch(settings)
    assert manifest.good_count == 2
    assert manifest.notes["dropped_fields"] == 9_800
    assert len(json.loads(good(settings, manifest)[0]["_extra"])) == 200
