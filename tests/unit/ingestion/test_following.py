"""A pulled entity follows its cursor: nothing is missed, and healing a range moves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ingestion import contract, extraction, intake, landing
from ingestion.conversion import Terms
from ingestion.extraction import Lander, Record
from ingestion.pseudonyms import Pseudonyms
from setae.errors import SourceError
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import KEY, make_home

CONFIG = """
threads = 1
memory_limit = "512MiB"

[sources.drops]
kind = "drops"
lag_seconds = 60
"""
START = datetime(2026, 11, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class Shelf:
    """A source of products, each with the minute of its last change; a page holds two."""

    def __init__(self, settings: Settings, changes: dict[str, float]) -> None:
        self.settings = settings
        self.changes = changes
        self.asked: list[tuple[datetime | None, datetime]] = []
        self.fails_after: int | None = None

    def read(self, start: datetime | None, end: datetime) -> Iterator[Sequence[Record]]:
        self.asked.append((start, end))
        found = [
            {"product_id": name, "title": name, "updated_at": at(minute).isoformat()}
            for name, minute in sorted(self.changes.items(), key=lambda item: item[1])
            if (start is None or at(minute) >= start) and at(minute) < end
        ]
        for number in range(0, len(found), 2):
            if self.fails_after is not None and number // 2 >= self.fails_after:
                raise SourceError("the shelf fell over")
            yield found[number : number + 2]

    def fetch(self, end: float, start: float | None = None) -> None:
        config = self.settings.source("drops")
        pseudonyms = Pseudonyms(KEY)
        folder = Home(self.settings.home).landing
        with landing.fetching(folder, "drops"), intake.connect(self.settings, pseudonyms) as held:
            terms = Terms("drops", config.account, received_at=at(end))
            lander = Lander(folder, "drops", "drops", terms, pseudonyms, held, None, at(end))
            with extraction.pipeline(self.settings, lander) as pipeline:
                extraction.follow(
                    pipeline,
                    contract.load("drops", "products"),
                    self.read,
                    start=None if start is None else at(start),
                    end=at(end),
                    config=config,
                )

    def landed(self) -> list[str]:
        folder = Home(self.settings.home).landing / "drops" / "products"
        files = [str(path) for path in folder.glob("*.parquet") if ".rejects" not in path.name]
        if not files:
            return []
        with duckdb.connect() as connection:
            rows = connection.execute(
                "select distinct product_id from read_parquet(?) order by all", [files]
            ).fetchall()
        return [name for (name,) in rows]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(make_home(tmp_path, CONFIG), {"a": 1, "b": 2, "c": 3, "later": 20})


def test_the_first_fetch_reads_all_there_is_before_the_end(shelf: Shelf) -> None:
    shelf.fetch(end=10, start=9)
    assert shelf.asked == [(None, at(10))]
    assert shelf.landed() == ["a", "b", "c"]


def test_the_next_one_begins_a_lag_before_the_newest_that_landed(shelf: Shelf) -> None:
    shelf.fetch(end=10)
    shelf.changes["late"] = 2.5  # written after the newest was read, with a time before it
    shelf.fetch(end=30)
    assert shelf.asked[1] == (at(2), at(30))
    assert shelf.landed() == ["a", "b", "c", "late", "later"]


def test_healing_a_range_reads_it_exactly_and_leaves_the_cursor(shelf: Shelf) -> None:
    shelf.fetch(end=30)
    shelf.changes["forgotten"] = 4
    shelf.fetch(start=3, end=10)
    assert shelf.asked[1] == (at(3), at(10))
    assert "forgotten" in shelf.landed()
    shelf.fetch(end=40)
    assert shelf.asked[2] == (at(19), at(40))


def test_a_fetch_that_fails_half_way_forgets_nothing_and_moves_nothing(shelf: Shelf) -> None:
    shelf.fails_after = 1
    with pytest.raises(SourceError, match="the shelf fell over"):
        shelf.fetch(end=30)
    assert shelf.landed() == []
    shelf.fails_after = None
    shelf.fetch(end=30)
    assert shelf.asked[1] == (None, at(30))
    assert shelf.landed() == ["a", "b", "c", "later"]


def test_a_record_that_breaks_the_contract_is_rejected_alone(shelf: Shelf) -> None:
    original = shelf.read

    def read(start: datetime | None, end: datetime) -> Iterator[Sequence[Record]]:
        for page in original(start, end):
            yield [{**one, "revision": -1} if one["title"] == "b" else one for one in page]

    shelf.read = read  # type: ignore[method-assign]
    shelf.fetch(end=10)
    assert shelf.landed() == ["a", "c"]
