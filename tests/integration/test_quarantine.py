"""Each rule in each format: the bad row is set aside with file and line, its neighbours live, the
identity holds, and the fix loads it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from setae import stages
from setae.settings import Settings
from setae.warehouse import connect
from tests.conftest import make_home
from tests.integration.conftest import run_cli

CONFIG = """
as_of = 2026-05-01T00:00:00Z
threads = 1
memory_limit = "512MiB"
[sources.drops]
kind = "drops"
folder = "drops"
currency = "EUR"
history_start_date = 2020-01-01
small_reject_minimum_count = 50
"""

ORDER: dict[str, Any] = {
    "order_id": "good1",
    "ordered_at": "2026-03-05T10:00:00+01:00",
    "currency": "EUR",
    "gross_amount": "10.00",
    "total_amount": "10.00",
    "financial_status": "paid",
}
SNAPSHOT: dict[str, Any] = {
    "platform": "instagram",
    "platform_user_id": "ig1",
    "observed_at": "2026-03-05T10:00:00Z",
    "follower_count": 900,
    "follower_precision": "exact",
    "method": "profile",
}
EVENT: dict[str, Any] = {
    "event_id": "good1",
    "event_type": "page_view",
    "occurred_at": "2026-03-05T10:00:00Z",
    "received_at": "2026-03-05T10:00:05Z",
    "anonymous_id": "device1",
}

CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], str | None, dict[str, str]]] = {
    # rule: entity, a good row, what breaks it, the field named, what mends it
    "Q01": ("orders", ORDER, {"order_id": None}, "order_id", {"order_id": "mended"}),
    "Q02": (
        "orders",
        ORDER,
        {"ordered_at": "2026-03-05T10:00:00"},
        "ordered_at",
        {"ordered_at": "2026-03-05T10:00:00Z"},
    ),
    "Q03": (
        "activity_events",
        EVENT,
        {"occurred_at": "2026-03-09T10:00:00Z"},
        "occurred_at",
        {"occurred_at": "2026-03-05T10:00:00Z"},
    ),
    "Q04": (
        "orders",
        ORDER,
        {"ordered_at": "2019-12-31T23:59:59Z"},
        "ordered_at",
        {"ordered_at": "2026-03-05T10:00:00Z"},
    ),
    "Q05": ("orders", ORDER, {"gross_amount": "1,234.5"}, "gross_amount", {"gross_amount": "12.5"}),
    "Q08": (
        "orders",
        ORDER,
        {"financial_status": "settled"},
        "financial_status",
        {"financial_status": "paid"},
    ),
    "Q09": (
        "creator_follower_snapshots",
        SNAPSHOT,
        {"follower_count": -3},
        "follower_count",
        {"follower_count": "3"},
    ),
    "Q11": (
        "activity_events",
        EVENT,
        {"anonymous_id": None},
        None,  # either id would do
        {"anonymous_id": "device2"},
    ),
}
KEYS = {
    "orders": "order_id",
    "activity_events": "event_id",
    "creator_follower_snapshots": "platform_user_id",
}


def rows_of(entity: str, good: dict[str, Any], broken: dict[str, Any]) -> list[dict[str, Any]]:
    """Good, bad, good: the bad one in the middle with a key of its own unless that is the fault."""
    key = KEYS[entity]
    return [good, {**good, key: "bad", **broken}, {**good, key: "good2"}]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "" if v is None else v for k, v in row.items()} for row in rows)
        path.write_text(stream.getvalue())
    elif path.suffix == ".parquet":
        json_path = path.with_suffix(".tmp")
        json_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        columns = ", ".join(
            f"'{name}': '{'BIGINT' if isinstance(value, int) else 'VARCHAR'}'"
            for name, value in rows[0].items()
        )
        duckdb.execute(
            f"copy (select * from read_json('{json_path}', format='newline_delimited', "
            f"columns={{{columns}}})) to '{path}' (format parquet)"
        )
        json_path.unlink()
    else:
        data = "".join(
            json.dumps({k: v for k, v in row.items() if v is not None}) + "\n" for row in rows
        ).encode()
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def raw_keys(settings: Settings, entity: str) -> list[str]:
    column = KEYS[entity]
    with connect(settings) as connection:
        return [
            str(value)
            for (value,) in connection.execute(
                f"select {column} from raw_drops.{entity} where not _is_parked order by 1"
            ).fetchall()
        ]


@pytest.mark.parametrize("suffix", [".ndjson", ".ndjson.gz", ".csv", ".parquet"])
@pytest.mark.parametrize("rule", sorted(CASES))
def test_a_bad_row_is_set_aside_and_its_fix_is_loaded(
    tmp_path: Path, rule: str, suffix: str
) -> None:
    entity, good, broken, field, fix = CASES[rule]
    settings = make_home(tmp_path / "home", CONFIG)
    path = settings.home / "drops" / entity / f"file{suffix}"
    write(path, rows_of(entity, good, broken))

    stages.fetch(settings, source="drops")
    first = stages.load(settings)
    assert (first.received, first.loaded, first.quarantined) == (3, 2, 1)
    with connect(settings) as connection:
        (found,) = connection.execute(
            "select rule, origin_name, line, field, status, payload is not null, quarantine_id "
            "from ops.quarantine_records where severity = 'reject'"
        ).fetchall()
    # Line 1 of a CSV is its header; of the other formats the first record.
    line = 3 if suffix == ".csv" else 2
    assert found[:6] == (rule, f"{entity}/file{suffix}", line, field, "open", True)
    before = raw_keys(settings, entity)
    assert len(before) == 2

    stages.release(settings, ids=(found[6],), set_fields=fix)
    second = stages.load(settings)
    assert (second.received, second.loaded, second.quarantined) == (1, 1, 0)
    assert len(raw_keys(settings, entity)) == 3
    with connect(settings) as connection:
        assert connection.execute(
            "select status from ops.quarantine_records where severity = 'reject'"
        ).fetchall() == [("released",)]


REST = '"ordered_at":"2026-03-05T10:00:00Z","currency":"EUR"'
UNPARSABLE = {
    "no JSON": "{not json",
    "NaN": f'{{"order_id":"bad",{REST},"gross_amount":NaN}}',
    "a number beyond range": f'{{"order_id":"bad",{REST},"gross_amount":1e400}}',
    "a key twice": f'{{"order_id":"bad","order_id":"good2",{REST},"gross_amount":"1"}}',
    "no object": "[1, 2]",
    "a lone surrogate": f'{{"order_id":"\\ud800",{REST},"gross_amount":"1"}}',
    "too deep": '{"order_id":"bad","x":' + "[" * 30 + "]" * 30 + "}",
}


@pytest.mark.parametrize("fault", sorted(UNPARSABLE))
def test_a_line_that_is_no_record_is_named_and_delivered_again(tmp_path: Path, fault: str) -> None:
    settings = make_home(tmp_path / "home", CONFIG)
    path = settings.home / "drops" / "orders" / "file.ndjson"
    path.parent.mkdir(parents=True)
    good = [json.dumps(ORDER), json.dumps({**ORDER, "order_id": "good2"})]
    path.write_text("\n".join([good[0], UNPARSABLE[fault], good[1]]) + "\n")
    stages.fetch(settings, source="drops")
    result = stages.load(settings)
    assert (result.received, result.loaded, result.quarantined) == (3, 2, 1)
    with connect(settings) as connection:
        (found,) = connection.execute(
            "select origin_name, line, byte_offset, status from ops.quarantine_records"
        ).fetchall()
    assert found == ("orders/file.ndjson", 2, len(good[0]) + 1, "open")

    corrected = {**ORDER, "order_id": "bad"}
    (path.parent / "corrected.ndjson").write_text(json.dumps(corrected) + "\n")
    stages.fetch(settings, source="drops")
    assert stages.load(settings).loaded == 1
    assert raw_keys(settings, "orders") == ["bad", "good1", "good2"]


def test_invalid_utf8_is_one_bad_line(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", CONFIG)
    path = settings.home / "drops" / "orders" / "file.ndjson"
    path.parent.mkdir(parents=True)
    good = json.dumps(ORDER).encode()
    path.write_bytes(good + b'\n{"order_id":"\xff"}\n' + good.replace(b"good1", b"good2") + b"\n")
    stages.fetch(settings, source="drops")
    result = stages.load(settings)
    assert (result.loaded, result.quarantined) == (2, 1)


def test_a_corrected_delivery_marks_the_record_fixed(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", CONFIG)
    folder = settings.home / "drops" / "orders"
    write(folder / "one.ndjson", [ORDER, {**ORDER, "order_id": "bad", "currency": "eur"}])
    stages.fetch(settings, source="drops")
    stages.load(settings)
    write(folder / "two.ndjson", [{**ORDER, "order_id": "bad"}])
    stages.fetch(settings, source="drops")
    stages.load(settings)
    with connect(settings) as connection:
        assert connection.execute("select rule, status from ops.quarantine_records").fetchall() == [
            ("Q05", "fixed")
        ]


def test_the_command_line_lists_shows_and_releases(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", CONFIG)
    write(
        settings.home / "drops" / "orders" / "one.ndjson",
        [ORDER, {**ORDER, "order_id": "bad", "currency": "eur"}],
    )
    stages.fetch(settings, source="drops")
    stages.load(settings)
    listed = run_cli(settings.home, "quarantine", "list")
    assert "orders/one.ndjson:2" in listed.stdout
    assert "Q05" in listed.stdout
    short = listed.stdout.splitlines()[1].split()[0]
    shown = run_cli(settings.home, "quarantine", "show", short)
    assert "currency" in shown.stdout
    refused = run_cli(settings.home, "quarantine", "release", short, "--set", "currency=euro")
    assert refused.returncode == 65
    assert "still refused" in refused.stderr
    released = run_cli(settings.home, "quarantine", "release", short, "--set", "currency=EUR")
    assert released.returncode == 0, released.stderr
    run_cli(settings.home, "load")
    assert "the quarantine is empty" in run_cli(settings.home, "quarantine", "list").stdout
