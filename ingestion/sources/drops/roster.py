"""The roster: the spreadsheet of creators every team has, fanned out into what it says.

    one row  →  creators, creator_accounts            always
                promo_codes, tracked_links            one for each code and link
                creator_costs                         where there is a fee

A row that breaks the contract is rejected whole, under `creators`; the rest of the roster goes on.
Days are those of the business time zone: `valid_from` begins with its first moment, `valid_to` is
the last day that counts. Where no creator or account id is given, the pseudonym of the handle
stands in for it, the same each time.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from ingestion import contract
from ingestion.conversion import Terms
from ingestion.intake import Place, RawRecord
from ingestion.pseudonyms import Pseudonyms
from ingestion.sources.drops import delimited
from ingestion.sources.drops.unusable import Unusable, check_unpacked
from ingestion.validate import NumberText, Rules, Violation

FIRST = "creators"
"""The entity under which a row that breaks the contract is rejected."""

ENTITIES = ("creators", "creator_accounts", "promo_codes", "tracked_links", "creator_costs")

MAXIMUM_ROWS = 200_000


def read(path: Path, form: str) -> Iterator[RawRecord]:
    """The rows of a roster file.

    Args:
        path: The file.
        form: `csv` or `xlsx`.

    Raises:
        Unusable: The file as a whole cannot be read.
    """
    return _read_csv(path) if form == "csv" else _read_xlsx(path)


def _read_csv(path: Path) -> Iterator[RawRecord]:
    data = path.read_bytes()
    if len(data) > 64 * 2**20:
        raise Unusable("is larger than 64 MiB; a roster has a row per creator")
    header = delimited.read_header(data, contract.load("drops", "roster"))
    yield from delimited.rows(data[header.length :], header)


def _read_xlsx(path: Path) -> Iterator[RawRecord]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_unpacked(sum(one.file_size for one in archive.infolist()), path.stat().st_size)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError):
        raise Unusable("is truncated, damaged or no XLSX file; deliver it again") from None
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        first = next(rows, ())
        names = [str(cell).strip() if cell is not None else "" for cell in first]
        known = {field.name for field in contract.load("drops", "roster").fields}
        if not known.intersection(names):
            raise Unusable(
                "has a first row that names no field of roster; give it a header row "
                "(see docs/sources/drops.md)"
            )
        for number, cells in enumerate(rows, start=2):
            if number > MAXIMUM_ROWS:
                raise Unusable(f"has more than {MAXIMUM_ROWS} rows; a roster has one per creator")
            value = {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name}
            if any(cell is not None for cell in value.values()):
                yield RawRecord(Place(number), value, _spelling(value))
    except (zipfile.BadZipFile, ValueError, EOFError, SyntaxError):
        raise Unusable("is damaged; save it again as XLSX and deliver it") from None
    finally:
        book.close()


def _plain(cell: Any) -> Any:
    """A cell's value as JSON would hold it."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else NumberText(repr(cell))
    if cell is None or isinstance(cell, str | int | bool):
        return cell
    return str(cell)


def _spelling(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")


def fan_out(
    rows: list[RawRecord], *, terms: Terms, pseudonyms: Pseudonyms, timezone: str
) -> dict[str, list[RawRecord]]:
    """What the rows say, by entity.

    Args:
        rows: Of the roster.
        terms: Of the delivery.
        pseudonyms: For handles that stand in as ids.
        timezone: Days of the roster are days of this zone.
    """
    rules = Rules(contract.load("drops", "roster"), terms, pseudonyms)
    out: dict[str, list[RawRecord]] = {entity: [] for entity in ENTITIES}
    for row in rows:
        if row.value is None:
            continue
        if isinstance(row.value, Violation):
            out[FIRST].append(row)
            continue
        checked = rules.check(row.value)
        if checked.violations:
            first = checked.violations[0]
            message = "; ".join(dict.fromkeys(one.message for one in checked.violations))
            violation = Violation(first.rule, first.field, f"{message}; mend the roster")
            out[FIRST].append(RawRecord(row.place, violation, row.data))
            continue
        # The handle as it was written: the rules mask handles in free text.
        record = checked.record | {"handle": str(row.value["handle"]).strip()}
        try:
            made = list(_records(record, pseudonyms, ZoneInfo(timezone)))
        except _Refused as refused:
            violation = Violation(refused.rule, refused.name, f"{refused}; mend the roster")
            out[FIRST].append(RawRecord(row.place, violation, row.data))
            continue
        for entity, value in made:
            out[entity].append(RawRecord(row.place, value, _spelling(value)))
    return out


class _Refused(Exception):
    def __init__(self, rule: str, name: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.name = name


def _records(
    row: Mapping[str, Any], pseudonyms: Pseudonyms, zone: ZoneInfo
) -> Iterator[tuple[str, dict[str, Any]]]:
    platform, handle = row["platform"], row["handle"]
    pid = pseudonyms.make("handle", platform, handle)
    if pid is None:
        raise _Refused("Q01", "handle", "handle is missing")
    creator_id = row.get("creator_id") or pid
    begin = _moment(row["valid_from"], zone, is_end=False)
    last = row.get("valid_to")
    # Spreadsheets write "for ever" as the calendar's last day.
    end = None
    if last is not None and not last.startswith("9999"):
        end = _moment(last, zone, is_end=True)
    if end is not None and end <= begin:
        raise _Refused("Q02", "valid_to", "valid_to lies before valid_from")
    yield (
        "creators",
        {
            "creator_id": creator_id,
            "display_handle": handle,
            "handle": handle,
            "platform": platform,
            "status": row.get("status") or "active",
            "program_joined_at": begin,
            "program_left_at": end,
            "niche": row.get("niche"),
            "agreed_commission_rate": row.get("commission_rate"),
            "consent_basis": row.get("consent_basis") or "legit_interest",
        },
    )
    yield (
        "creator_accounts",
        {
            "platform": platform,
            "platform_user_id": row.get("platform_user_id") or pid,
            "creator_id": creator_id,
            "handle": handle,
            "account_type": "unknown",
            "first_seen_at": begin,
            "match_method": "manual",
        },
    )
    for code in row.get("code") or []:
        yield (
            "promo_codes",
            {
                "code": code,
                "creator_id": creator_id,
                "valid_from": begin,
                "valid_to": end,
                "commission_rate": row.get("commission_rate"),
                "owner_source": "manual",
            },
        )
    for link in _links(row.get("link") or []):
        yield (
            "tracked_links",
            {
                "link_id": f"roster-{_short(creator_id, link)}",
                "target_url": link,
                "creator_id": creator_id,
                "platform": platform,
                "valid_from": begin,
                "valid_to": end,
            }
            | _utm(link),
        )
    if row.get("fee") is not None and Decimal(row["fee"]) != 0:
        yield (
            "creator_costs",
            {
                "cost_id": f"roster-{_short(creator_id, platform, begin)}",
                "creator_id": creator_id,
                "cost_type": "fee",
                "incurred_at": begin,
                "amount": row["fee"],
                "currency": row.get("currency"),
            },
        )


def _links(listed: list[str]) -> Iterator[str]:
    for one in listed:
        yield from (part for part in re.split(r"\s+", one) if part)


def _utm(link: str) -> dict[str, str]:
    found = re.findall(r"[?&](utm_(?:source|medium|campaign|content|term))=([^&#]*)", link)
    return {name: value for name, value in found if value}


def _short(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def _moment(text: str, zone: ZoneInfo, *, is_end: bool) -> str:
    """A day's first moment, or the first one after it, as an instant; instants as they are."""
    if len(text) > 10:
        return text
    day = date.fromisoformat(text) + timedelta(days=1 if is_end else 0)
    return datetime.combine(day, time(), zone).astimezone(UTC).isoformat()
