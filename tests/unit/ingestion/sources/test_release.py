"""Release: mended rows land once, replayable, and win by their revision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestion import contract
from ingestion.sources.drops.release import Outcome, ReleaseRow, release
from setae.errors import ConfigError
from setae.settings import Settings
from tests.unit.ingestion.dropping import drop_home, every_byte, fetch, good, put, rejects

ORDER = contract.load("drops", "orders").example


def rejected(settings: Settings, *orders: dict[str, Any]) -> list[dict[str, Any]]:
    put(settings, "orders", "a.ndjson", "".join(json.dumps(order) + "\n" for order in orders))
    return [json.loads(row["payload"]) for row in rejects(settings, *fetch(settings))]


def put_back(settings: Settings, *rows: ReleaseRow) -> Outcome:
    return release(settings, source="drops", source_account="demo", entity="orders", rows=rows)


def test_a_released_row_is_the_row_a_right_delivery_makes(tmp_path: Path) -> None:
    """All but its revision and when it was received: pseudonyms, derived columns, hash."""
    settings = drop_home(tmp_path / "a")
    (payload,) = rejected(settings, ORDER | {"currency": "euro"})
    outcome = put_back(settings, ReleaseRow("q", payload, {"currency": "EUR"}))
    assert outcome.manifest is not None
    (row,) = good(settings, outcome.manifest)
    other = drop_home(tmp_path / "b")
    put(other, "orders", "a.ndjson", json.dumps(ORDER) + "\n")
    (delivered,) = good(other, *fetch(other, end=None))
    received = {"_received_at": row["_received_at"]}
    assert row | {"_revision": 0, "_line": 1} == delivered | received
    assert row["_revision"] == 1


@pytest.mark.parametrize("entity", contract.entities("drops"))
def test_every_entity_comes_back_whole(tmp_path: Path, entity: str) -> None:
    """A record broken only by its `updated_at` is released with nothing lost on the way."""
    settings = drop_home(tmp_path / "a")
    example = contract.load("drops", entity).example
    broken = example | {"updated_at": "soon"}
    put(settings, entity, "a.ndjson", json.dumps(broken) + "\n")
    (reject,) = rejects(settings, *fetch(settings, end=None))
    rows = [ReleaseRow("q", json.loads(reject["payload"]), {})]
    outcome = release(settings, source="drops", source_account="demo", entity=entity, rows=rows)
    assert outcome.refused == {}
    assert outcome.manifest is not None
    (row,) = good(settings, outcome.manifest)
    other = drop_home(tmp_path / "b")
    put(other, entity, "a.ndjson", json.dumps(example | {"updated_at": None}) + "\n")
    (delivered,) = good(other, *fetch(other, end=None))
    # Who mends a row does not receive it.
    assert row | {"_revision": 0} == delivered | {"_received_at": row["_received_at"]}


def test_releasing_the_same_again_does_nothing(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    (payload,) = rejected(settings, ORDER | {"currency": "euro"})
    row = ReleaseRow("q", payload, {"currency": "EUR"})
    first = put_back(settings, row)
    before = every_byte(settings.home / "landing")
    assert put_back(settings, row) == first
    assert every_byte(settings.home / "landing") == before


def test_rows_that_still_fail_are_refused_and_the_others_land(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    broken = [
        ORDER | {"order_id": "1", "currency": "euro"},
        ORDER | {"order_id": "2", "gross_amount": "x"},
    ]
    one, other = rejected(settings, *broken)
    rows = [
        ReleaseRow("q-1", one, {"currency": "EUR"}),
        ReleaseRow("q-2", other, {"currency": "EUR"}),
    ]
    outcome = put_back(settings, *rows)
    assert outcome.refused == {"q-2": "Q05 gross_amount is missing"}
    assert outcome.manifest is not None
    assert [row["order_id"] for row in good(settings, outcome.manifest)] == ["1"]


def test_nothing_to_land_lands_nothing(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    (payload,) = rejected(settings, ORDER | {"currency": "euro"})
    assert put_back(settings, ReleaseRow("q", payload, {})).manifest is None


def test_plain_values_set_by_hand_are_not_written(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    (payload,) = rejected(settings, ORDER | {"currency": "euro", "email": None})
    values = {"currency": "EUR", "email": "canary@example.com"}
    outcome = put_back(settings, ReleaseRow("q", payload, values))
    assert outcome.manifest is not None
    assert good(settings, outcome.manifest)[0]["email_pid"].startswith("k1_")
    assert b"canary" not in every_byte(settings.home / "landing")


def test_a_source_that_is_not_configured_is_a_setting_to_mend(tmp_path: Path) -> None:
    settings = drop_home(tmp_path)
    with pytest.raises(ConfigError, match="no source 'shop'"):
        release(settings, source="shop", source_account="demo", entity="orders", rows=[])
