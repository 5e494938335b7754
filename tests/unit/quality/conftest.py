"""A warehouse without the pipeline: raw tables by contract, rows and ledger lines by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from ingestion import contract
from quality.gate import GateReport
from setae import ledger
from setae.settings import Settings
from setae.warehouse import Home, connect, quote
from tests.conftest import make_home

CONFIG = """
threads = 1
memory_limit = "512MiB"
as_of = "2026-04-01T00:00:00Z"

[sources.drops]
kind = "drops"
currency = "EUR"

[sources.complete_journey]
kind = "complete_journey"
currency = "USD"
"""

_LINEAGE = {
    "_source_account": "varchar",
    "_record_key": "varchar",
    "_record_hash": "varchar",
    "_source_updated_at": "timestamp",
    "_revision": "bigint",
    "_received_at": "timestamp",
    "_line": "bigint",
    "_extra": "varchar",
    "_file_id": "varchar",
    "_is_parked": "boolean",
}


@dataclass
class RawWorld:
    """A home whose raw tables a test fills file by file."""

    settings: Settings
    _lines: int = field(default=0)

    def land(
        self,
        entity: str,
        rows: Iterable[Mapping[str, object]] = (),
        *,
        name: str = "drop",
        source: str = "drops",
        status: str = "pending",
        window: tuple[str, str] | None = None,
        newest: str | None = "2026-03-31 12:00:00",
        rejected: int = 0,
        received: int | None = None,
        loaded: int | None = None,
    ) -> str:
        """One loaded file: its rows in the raw table and its line in the ledger."""
        file_id = f"{source}/{entity}/{name}"
        table = f"{quote(f'raw_{source}')}.{quote(entity)}"
        given = list(rows)
        with connect(self.settings) as connection:
            for number, row in enumerate(given):
                self._lines += 1
                values = {
                    "_source_account": "demo",
                    "_record_key": f"{entity}:{self._lines}",
                    "_record_hash": str(self._lines),
                    "_revision": 0,
                    "_line": number + 1,
                    "_file_id": file_id,
                    "_is_parked": False,
                    **row,
                }
                names = ", ".join(quote(column) for column in values)
                marks = ", ".join("?" for _ in values)
                connection.execute(
                    f"insert into {table} ({names}) values ({marks})", list(values.values())
                )
            good = len(given) if loaded is None else loaded
            line = {
                "file_id": file_id,
                "source": source,
                "source_account": "demo",
                "entity": entity,
                "kind": "data",
                "data_sha256": "0",
                "contract_version": "1.0",
                "revision": 0,
                "window_start_at": datetime.fromisoformat(window[0]) if window else None,
                "window_end_at": datetime.fromisoformat(window[1]) if window else None,
                "max_event_at": datetime.fromisoformat(newest) if newest else None,
                "received_at": datetime.fromisoformat("2026-03-31 23:00:00"),
                "received_count": good + rejected if received is None else received,
                "loaded_count": good,
                "duplicate_count": 0,
                "rejected_count": rejected,
                "parked_count": 0,
                "quarantined_count": rejected,
                "erased_count": 0,
                "warning_count": 0,
                "gate_status": status,
                "fencing_token": 1,
                "loaded_at": datetime.fromisoformat("2026-04-01 00:00:00"),
            }
            names, marks = ", ".join(line), ", ".join("?" for _ in line)
            connection.execute(
                f"insert into ops.loaded_files ({names}) values ({marks})", list(line.values())
            )
        return file_id

    def history(self, entity: str, counts: Iterable[int], *, windows: bool = False) -> None:
        """Passed files of a feed, one a day through January, with so many records each."""
        for day, count in enumerate(counts, start=1):
            self.land(
                entity,
                name=f"day-{day:02d}",
                status="passed",
                loaded=count,
                window=(f"2026-01-{day:02d}", f"2026-01-{day + 1:02d}") if windows else None,
                newest=f"2026-01-{day:02d} 12:00:00",
            )

    def execute(self, sql: str) -> None:
        """Any statement, such as the damage of a test."""
        with connect(self.settings) as connection:
            connection.execute(sql)


_empty_warehouse: list[bytes] = []


def make_raw_world(path: Path, config: str = CONFIG) -> RawWorld:
    """A home with a ledger and every raw table, empty."""
    settings = make_home(path, config)
    if not _empty_warehouse:  # made once, then copied: every test begins with one
        with connect(settings) as connection:
            _create_raw_tables(connection)
        _empty_warehouse.append(Home(settings.home).warehouse.read_bytes())
    Home(settings.home).warehouse.write_bytes(_empty_warehouse[0])
    return RawWorld(settings)


def _create_raw_tables(connection: duckdb.DuckDBPyConnection) -> None:
    ledger.create(connection)
    for kind in contract.source_kinds():
        connection.execute(f"create schema raw_{kind}")
        for entity in contract.entities(kind):
            columns = {
                column.name: column.duckdb_type for column in contract.load(kind, entity).columns
            } | _LINEAGE
            body = ", ".join(f"{quote(name)} {type_}" for name, type_ in columns.items())
            connection.execute(f"create table raw_{kind}.{quote(entity)} ({body})")


@pytest.fixture
def world(tmp_path: Path) -> RawWorld:
    """An empty raw world."""
    return make_raw_world(tmp_path / "home")


@pytest.fixture
def outcome() -> Callable[[GateReport, str], str]:
    """What a report says of one check: an outcome, or 'absent'."""

    def find(report: GateReport, name: str) -> str:
        found = [result.outcome for result in report.results if result.check.name == name]
        assert len(set(found)) <= 1, f"{name} occurs with {found}"
        return found[0] if found else "absent"

    return find
