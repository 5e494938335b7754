"""The roster: one spreadsheet, five entities, days of the business zone."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ingestion.pseudonyms import Pseudonyms
from setae.settings import Settings
from tests.conftest import KEY
from tests.unit.ingestion.dropping import drop_home, every_byte, fetch, good, put, rejects

PSEUDONYMS = Pseudonyms(KEY)
HEADER = [
    *("handle", "platform", "creator_id", "code", "link", "fee", "currency"),
    *("commission_rate", "status", "valid_from", "valid_to", "niche", "consent_basis"),
]
ANA: list[Any] = [
    *("@Nano_Ana", "instagram", "cr-17", "ana10; ANA-VIP"),
    "https://shop.example/?utm_source=ig&utm_campaign=ana&x=1 https://shop.example/two",
    *("150.00", "EUR", "0.12", "active", "2026-09-01", "2026-09-30", "running", "contract"),
]
BO: list[Any] = ["bo", "tiktok", *[None] * 7, "2026-09-01T12:00:00+02:00", *[None] * 3]


def as_csv(*rows: list[Any]) -> bytes:
    return "".join(
        ",".join("" if cell is None else str(cell) for cell in row) + "\n"
        for row in [HEADER, *rows]
    ).encode()


def as_xlsx(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in [HEADER, *rows]:
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = drop_home(tmp_path)
    return made.model_copy(update={"business_timezone": "Europe/Berlin"})


def landed(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    return {manifest.entity: good(settings, manifest) for manifest in fetch(settings)}


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_roster_is_fanned_out(settings: Settings, form: str) -> None:
    put(settings, "roster", f"a.{form}", (as_csv if form == "csv" else as_xlsx)(ANA, BO))
    found = landed(settings)
    ana, bo = found["creators"]
    assert (ana["creator_id"], ana["display_handle"]) == ("cr-17", "Nano_Ana")
    assert ana["creator_pid"] == "k1_ff0e702c8dafa58c856554a437732232"
    # 1 September in Berlin begins at 22:00 UTC the day before; the 30th ends at 22:00 UTC.
    assert ana["program_joined_at"] == datetime(2026, 8, 31, 22)
    assert ana["program_left_at"] == datetime(2026, 9, 30, 22)
    assert ana["agreed_commission_rate"] == 0.12
    assert (bo["status"], bo["consent_basis"]) == ("active", "legit_interest")
    assert bo["display_handle"] is None
    pid = PSEUDONYMS.make("handle", "tiktok", "bo")
    assert (bo["creator_id"], bo["creator_pid"]) == (pid, pid)
    assert bo["program_joined_at"] == datetime(2026, 9, 1, 10)

    accounts = found["creator_accounts"]
    assert [row["creator_id"] for row in accounts] == ["cr-17", pid]
    assert accounts[1]["platform_user_id"] == pid
    assert [row["code_norm"] for row in found["promo_codes"]] == ["ANA10", "ANA-VIP"]
    assert found["promo_codes"][0]["valid_to"] == datetime(2026, 9, 30, 22)
    links = found["tracked_links"]
    assert [row["target_url"] for row in links] == [
        "https://shop.example/?utm_source=ig&utm_campaign=ana",
        "https://shop.example/two",
    ]
    assert (links[0]["utm_source"], links[0]["utm_campaign"]) == ("ig", "ana")
    (cost,) = found["creator_costs"]
    assert (cost["cost_type"], str(cost["amount"]), cost["currency"]) == ("fee", "150.0000", "EUR")


def test_dates_and_numbers_of_a_spreadsheet_are_read_as_such(settings: Settings) -> None:
    row = [*ANA]
    row[5], row[7], row[9], row[10] = 150, 0.12, datetime(2026, 9, 1), date(2026, 9, 30)
    put(settings, "roster", "a.xlsx", as_xlsx(row))
    put(settings, "roster", "b.csv", as_csv(ANA))
    manifests = fetch(settings)
    for entity in ("creators", "promo_codes", "creator_costs"):
        pair = [good(settings, one)[0] for one in manifests if one.entity == entity]
        assert pair[0]["_record_hash"] == pair[1]["_record_hash"]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        (0, None, "Q01"),
        (0, "@", "Q01"),
        (1, "myspace", "Q08"),
        (5, "lots", "Q05"),
        (7, "12", "Q09"),
        (9, None, "Q02"),
        (9, "1.9.2026", "Q02"),
        (10, "2026-08-01", "Q02"),
    ],
)
def test_a_bad_row_is_rejected_whole_and_the_rest_goes_on(
    settings: Settings, form: str, column: int, value: str | None, rule: str
) -> None:
    broken = [*ANA]
    broken[column] = value
    put(settings, "roster", f"a.{form}", (as_csv if form == "csv" else as_xlsx)(BO, broken, BO))
    manifests = fetch(settings)
    (reject,) = rejects(settings, *manifests)
    assert (reject["rule"], reject["_line"], reject["payload"]) == (rule, 3, None)
    assert reject["message"].endswith("; mend the roster")
    creators = next(one for one in manifests if one.entity == "creators")
    assert (creators.good_count, creators.rejected_count) == (2, 1)
    assert all(one.good_count == 0 for one in manifests if one.entity == "promo_codes")
    assert b"Nano_Ana" not in every_byte(settings.home / "landing")


@pytest.mark.parametrize("last", [None, "9999-12-31"])
def test_a_row_without_an_end_is_open(settings: Settings, last: str | None) -> None:
    row = [*ANA]
    row[10] = last
    put(settings, "roster", "a.csv", as_csv(row))
    assert landed(settings)["promo_codes"][0]["valid_to"] is None


def test_handles_without_consent_are_not_written(settings: Settings) -> None:
    row = [*ANA]
    row[12] = "legit_interest"
    put(settings, "roster", "a.csv", as_csv(row))
    assert landed(settings)["creators"][0]["display_handle"] is None
    assert b"Nano_Ana" not in every_byte(settings.home / "landing")
    assert b"nano_ana" not in every_byte(settings.home / "landing")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.xlsx", b"PK\x03\x04 no", "no XLSX file"),
        ("a.xlsx", as_xlsx(ANA)[:-200], "no XLSX file"),
        ("a.csv", b"a,b\n1,2\n", "names no field of roster"),
        ("a.ndjson", b"{}\n", "no known form"),
    ],
)
def test_a_roster_that_is_none_is_refused(
    settings: Settings, name: str, data: bytes, reason: str
) -> None:
    put(settings, "roster", name, data)
    (manifest,) = fetch(settings)
    assert manifest.entity == "creators"
    assert reason in rejects(settings, manifest)[0]["message"]


def test_the_same_roster_again_does_nothing(settings: Settings) -> None:
    put(settings, "roster", "a.csv", as_csv(ANA))
    assert fetch(settings) == fetch(settings)
