"""Drop folders: what is picked up, landed once, refused whole, and never written."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import contract, landing, sources
from ingestion.sources.drops import ndjson, unusable
from setae.errors import ConfigError, DataError
from setae.progress import Silent
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import make_home
from tests.unit.ingestion.dropping import (
    END,
    FORMATS,
    drop_home,
    encode,
    every_byte,
    fetch,
    good,
    put,
    rejects,
)

PRODUCT = {"product_id": "p-1", "title": "Shoe"}
LINE = json.dumps(PRODUCT) + "\n"


def test_fetching_the_same_file_again_does_nothing(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", LINE)
    first = fetch(settings)
    before = every_byte(Home(settings.home).landing)
    later = fetch(settings, start=END, end=END + timedelta(days=1))
    assert later == first
    assert every_byte(Home(settings.home).landing) == before


def test_a_file_of_another_name_or_content_is_another_delivery(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", LINE)
    put(settings, "products", "b.ndjson", LINE)
    put(settings, "products", "c.ndjson", LINE + LINE)
    assert len({manifest.name for manifest in fetch(settings)}) == 3


def test_the_window_dates_the_delivery_and_selects_nothing(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    event = contract.load("drops", "activity_events").example
    put(settings, "activity_events", "a.ndjson", json.dumps(event) + "\n")
    start, end = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC)
    (manifest,) = fetch(settings, start=start, end=end)
    assert (manifest.window_start_at, manifest.window_end_at) == (start, end)
    assert manifest.received_at == end
    assert manifest.good_count == 1
    assert manifest.min_event_at == datetime(2026, 11, 22, 3, 10, tzinfo=UTC)
    assert good(settings, manifest)[0]["_received_at"] == end.replace(tzinfo=None)


def test_without_a_window_the_pinned_now_dates_it(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    pinned = settings.model_copy(update={"as_of": END})
    put(pinned, "products", "a.ndjson", LINE)
    (manifest,) = fetch(pinned, end=None)
    assert (manifest.window_end_at, manifest.received_at) == (None, END)


def test_manifests_name_source_account_contract_and_key(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "deep.name.ndjson.gz", gzip.compress(LINE.encode()))
    (manifest,) = fetch(settings)
    assert (manifest.source, manifest.source_account, manifest.entity) == (
        "drops",
        "demo",
        "products",
    )
    assert (manifest.contract_version, manifest.key_id) == ("1.0", "k1")
    assert (manifest.origin.name, manifest.origin.format) == (
        "products/deep.name.ndjson.gz",
        "ndjson.gz",
    )
    assert manifest.file_id == f"drops/products/{manifest.name}"
    assert list(landing.iter_manifests(Home(settings.home).landing)) == [manifest]


@pytest.mark.parametrize(
    "name", [".a.ndjson", "_a.ndjson", "~$a.csv", "a.ndjson.tmp", "a.ndjson.part"]
)
def test_files_still_being_written_are_left_alone(tmp_path: Path, name: str) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", name, '{"product_id": "half')
    assert fetch(settings) == []


def _truncated_gzip() -> bytes:
    noise = random.Random(1)
    text = "".join(
        json.dumps({"product_id": f"p-{noise.random()}", "title": "Shoe"}) + "\n"
        for _ in range(5000)
    )
    packed = gzip.compress(text.encode())
    return packed[: len(packed) // 2]


def _truncated_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"product_id": ["p-1"]}), sink)
    return sink.getvalue().to_pybytes()[:-20]


def _damaged_parquet() -> bytes:
    sink = pa.BufferOutputStream()
    values = [f"p-{number}" for number in range(5000)]
    pq.write_table(pa.table({"product_id": values}), sink, compression="gzip")
    data = bytearray(sink.getvalue().to_pybytes())
    data[200:400] = bytes(200)
    return bytes(data)


WHOLE = [
    ("a.ndjson", b"", "is empty"),
    ("a.csv", b"", "is empty"),
    ("a.csv", b"  \n", "is empty"),
    ("a.parquet", b"", "is empty"),
    ("a.ndjson.gz", b"", "is empty"),
    ("a.ndjson.gz", gzip.compress(b""), "is empty"),
    ("a.ndjson.gz", _truncated_gzip(), "truncated gzip"),
    ("a.ndjson.gz", b"no gzip at all", "no gzip file"),
    ("a.ndjson.gz", gzip.compress(LINE.encode())[:-3] + b"xyz", "no gzip file"),
    ("a.parquet", _truncated_parquet(), "no Parquet file"),
    ("a.parquet", _damaged_parquet(), "no Parquet file"),
    ("a.parquet", b"PAR1", "no Parquet file"),
    ("a.csv", b"x,y\n1,2\n", "names no field of products"),
    ("a.csv", b"product_id,title,title\n1,2,3\n", "one name twice"),
    ("a.csv", "product_id\nä\n".encode("utf-16"), "UTF-16"),
    ("a.ndjson", LINE.encode("utf-16"), "UTF-16"),
    ("a.txt", b"hello", "no known form"),
    ("a.csv.gz", gzip.compress(b"product_id\n1\n"), "no known form"),
    ("a.xlsx", b"PK", "no known form"),
]


@pytest.mark.parametrize(("name", "data", "reason"), WHOLE, ids=[f"{n}-{r}" for n, _, r in WHOLE])
def test_a_file_that_is_no_data_is_refused_in_one_line_and_others_live(
    tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", name, data)
    put(settings, "products", "z.ndjson", LINE)
    refused, landed = sorted(fetch(settings), key=lambda one: one.good_count)
    assert landed.good_count == 1
    assert (refused.good_count, refused.rejected_count, refused.received_count) == (0, 1, 1)
    (reject,) = rejects(settings, refused)
    assert (reject["rule"], reject["_line"], reject["payload"]) == ("Q15", 0, None)
    assert reject["message"].startswith(f"products/{name}: ")
    assert reason in reject["message"]
    assert "\n" not in reject["message"]
    assert fetch(settings, end=END + timedelta(days=1)) == fetch(settings)


def test_a_folder_in_a_file_s_place_is_refused(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    (settings.home / "drops" / "products" / "a.ndjson").mkdir(parents=True)
    (manifest,) = fetch(settings)
    assert "is a folder" in rejects(settings, manifest)[0]["message"]


def test_what_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unusable, "RATIO_FROM_BYTES", 2**20)
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", 2**18)
    settings = drop_home(tmp_path)
    bomb = gzip.compress(b"\n" * 2**22)
    assert len(bomb) * unusable.MAXIMUM_RATIO < 2**22
    put(settings, "products", "a.ndjson.gz", bomb)
    (manifest,) = fetch(settings)
    assert "unpacks to more than 250 times its size" in rejects(settings, manifest)[0]["message"]


def test_a_file_with_a_header_or_schema_and_no_rows_is_no_error(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.csv", "product_id,title\n")
    put(settings, "products", "b.parquet", encode([PRODUCT], "parquet"))
    pq.write_table(
        pa.table({"product_id": pa.array([], pa.string())}),
        settings.home / "drops" / "products" / "b.parquet",
    )
    for manifest in fetch(settings):
        assert (manifest.good_count, manifest.rejected_count) == (0, 0)


def test_a_folder_of_no_entity_is_told_after_the_rest_has_landed(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "order", "a.ndjson", LINE)
    put(settings, "products", "a.ndjson", LINE)
    with pytest.raises(DataError, match=r"no entity of that name; rename it to orders"):
        fetch(settings)
    assert landing.count(Home(settings.home).landing) == 1


def test_a_file_outside_the_entities_folders_is_told(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    (settings.home / "drops" / "orders.ndjson").write_text(LINE)
    with pytest.raises(DataError, match="lies outside an entity's folder"):
        fetch(settings)


def test_a_file_that_changes_while_it_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = drop_home(tmp_path)
    path = put(settings, "products", "a.ndjson", LINE)
    original = ndjson.fill

    def slow(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        with path.open("a") as stream:
            stream.write(LINE)

    monkeypatch.setattr(ndjson, "fill", slow)
    with pytest.raises(DataError, match="changed while it was read"):
        fetch(settings)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ('[sources.drops]\nkind = "drops"\n', "has no folder"),
        ('[sources.drops]\nkind = "drops"\nfolder = "gone"\n', "no such folder"),
        ("", "no source 'drops'"),
    ],
)
def test_a_source_without_a_folder_is_a_setting_to_mend(
    tmp_path: Path, config: str, reason: str
) -> None:
    settings = make_home(tmp_path, config)
    with pytest.raises(ConfigError, match=reason):
        fetch(settings)


def test_without_a_key_nothing_is_read(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", LINE)
    (settings.home / "pii.key").unlink()
    with pytest.raises(ConfigError, match="no pseudonym key"):
        fetch(settings)
    assert not Home(settings.home).landing.exists()


def test_an_unknown_kind_of_source_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match="no source kind 'pigeons'"):
        sources.get("pigeons")


def test_the_source_s_currency_fills_in(tmp_path: Path) -> None:
    settings = drop_home(tmp_path, 'currency = "CHF"\n')
    order = contract.load("drops", "orders").example | {"currency": None}
    put(settings, "orders", "a.ndjson", json.dumps(order) + "\n")
    assert good(settings, *fetch(settings))[0]["currency"] == "CHF"


def test_history_begins_where_the_source_says(tmp_path: Path) -> None:
    settings = drop_home(tmp_path, "history_start_date = 2026-11-23\n")
    order = contract.load("drops", "orders").example
    put(settings, "orders", "a.ndjson", json.dumps(order) + "\n")
    (manifest,) = fetch(settings)
    assert rejects(settings, manifest)[0]["rule"] == "Q04"


CANARY = {
    "email": "canary-e7@example.com",
    "handle": "@canary_h7",
    "phone": "+34 677 123 987",
    "ip": "198.51.100.77",
    "user_agent": "CanaryBrowser/7.7 (phone)",
    "first_name": "Canaria",
    "note": "call Canaria",
}


def _canaries() -> dict[str, list[dict[str, object]]]:
    """Records full of people: good ones, broken ones, and fields nobody asked for."""
    load = lambda name: contract.load("drops", name).example  # noqa: E731
    extra = {
        "billing_email": CANARY["email"],
        "first_name": CANARY["first_name"],
        "phone": CANARY["phone"],
        "remark": f"{CANARY['email']} {CANARY['handle']} {CANARY['phone']} {CANARY['ip']}",
        CANARY["email"]: "as a name",
    }
    customer = load("customers") | extra | {"email": CANARY["email"]}
    click = (
        load("link_clicks")
        | extra
        | {
            "ip": CANARY["ip"],
            "user_agent": CANARY["user_agent"],
            "referrer": f"https://x.example/?mail={CANARY['email']}",
        }
    )
    event = (
        load("activity_events")
        | extra
        | {
            "url": f"https://x.example/u/{CANARY['email']}?email=canary-e7%40example.com",
            "user_agent": CANARY["user_agent"],
            "properties": {"email": CANARY["email"], "deep": [{"who": CANARY["handle"]}]},
            "user_id": CANARY["email"],
        }
    )
    post = (
        load("posts")
        | extra
        | {
            "caption": f"with {CANARY['handle']} {CANARY['email']}",
            "mentions": [CANARY["handle"]],
            "permalink": f"https://www.tiktok.com/{CANARY['handle']}/video/1",
        }
    )
    creator = (
        load("creators")
        | extra
        | {
            "handle": CANARY["handle"],
            "display_handle": CANARY["handle"],
            "consent_basis": "legit_interest",
        }
    )
    comment = (
        load("comments")
        | extra
        | {
            "commenter": CANARY["handle"],
            "text": f"{CANARY['first_name']} {CANARY['email']}",
        }
    )
    link = load("identity_links") | {"left_type": "email", "left_id": CANARY["email"]}
    return {
        "customers": [customer, customer | {"created_at": CANARY["email"]}],
        "link_clicks": [click, click | {"clicked_at": CANARY["phone"]}, click | {"country": "?"}],
        "activity_events": [event, event | {"event_type": CANARY["handle"]}],
        "posts": [post, post | {"format": CANARY["email"]}],
        "creators": [creator, creator | {"status": CANARY["first_name"]}],
        "comments": [comment, comment | {"like_count": CANARY["phone"]}],
        "identity_links": [link, link | {"confidence": CANARY["email"]}],
        "orders": [load("orders") | {"order_id": CANARY["email"], "email": CANARY["email"]}],
    }


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_that_names_people_is_written_anywhere(
    tmp_path: Path, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = drop_home(tmp_path)
    for entity, rows in _canaries().items():
        put(settings, entity, f"from-{CANARY['email']}.{form}", encode(rows, form))
    put(settings, "products", "broken.ndjson", f'{{"product_id": "{CANARY["email"]}\n')
    put(settings, "products", "broken.csv", f'product_id\n"{CANARY["email"]}" x\n')
    with caplog.at_level("DEBUG"):
        manifests = fetch(settings)
    assert sum(manifest.good_count for manifest in manifests) > 0
    assert sum(manifest.rejected_count for manifest in manifests) > 0
    written = every_byte(Home(settings.home).landing) + caplog.text.encode()
    for path in settings.home.iterdir():
        if path.is_file():
            written += path.read_bytes()
    for canary in [
        *("canary-e7", "canary_h7", "677 123 987", "198.51.100.77", "CanaryBrowser", "Canaria"),
        *("198.51.100", "677123987"),
    ]:
        assert canary.encode() not in written, canary


def test_consent_keeps_the_handle_that_may_be_shown(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    creator = contract.load("drops", "creators").example
    put(settings, "creators", "a.ndjson", json.dumps(creator) + "\n")
    assert good(settings, *fetch(settings))[0]["display_handle"] == "nano_ana"


KILLED = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from setae.settings import load_settings
from tests.unit.ingestion.dropping import fetch
fetch(load_settings(Path({home!r})))
"""


def run_killed(settings: Settings, place: str) -> int:
    """Fetch in a process of its own that dies at a fail point."""
    root = Path(__file__).resolve().parents[4]
    return subprocess.run(
        [sys.executable, "-c", KILLED.format(root=str(root), home=str(settings.home))],
        env=os.environ | {"SETAE_FAILPOINT": place},
        check=False,
    ).returncode


@pytest.mark.parametrize("place", ["fetch:after_data:2", "fetch:after_file:1"])
def test_a_fetch_that_dies_half_way_is_finished_by_the_next(tmp_path: Path, place: str) -> None:
    settings = drop_home(tmp_path / "killed")
    whole = drop_home(tmp_path / "whole")
    for home in (settings, whole):
        for number in range(3):
            put(home, "products", f"{number}.ndjson", LINE * (number + 1))
    assert run_killed(settings, place) == 137
    fetch(settings)
    fetch(whole)
    landing.sweep(Home(settings.home).landing)
    assert every_byte(Home(settings.home).landing) == every_byte(Home(whole.home).landing)


def test_fetching_tells_about_each_file(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    put(settings, "products", "a.ndjson", LINE)
    put(settings, "products", "b.ndjson", LINE)
    told: list[tuple[int, int, str]] = []

    class Told(Silent):
        def advance(self, done: int, total: int, text: str = "") -> None:
            told.append((done, total, text))

    sources.get("drops").fetch(settings, name="drops", start=None, end=None, progress=Told())
    assert told == [(0, 2, "products/a.ndjson"), (1, 2, "products/b.ndjson"), (2, 2, "")]
