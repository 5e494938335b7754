"""Every DAG really runs, task by task, over the small world (`dag.test()`; no scheduler)."""

from __future__ import annotations

import importlib
import sys

import duckdb
import pytest

from setae import stages
from setae.scheduler import dags_directory
from setae.settings import Settings
from setae.warehouse import Home
from tests.e2e.conftest import run_dags
from tests.integration.conftest import content_hashes, small_home

CHAIN = ("ingest_drops", "transform_warehouse", "publish_marts", "maintain_warehouse")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, dict]:
    """A home whose chain ran twice, and how it ended."""
    settings = small_home(tmp_path_factory.mktemp("dags") / "home")
    return settings, run_dags(settings, *CHAIN, *CHAIN[:3])


def test_every_task_of_the_chain_succeeds(home):
    _, states = home
    assert {dag_id: state["run"] for dag_id, state in states.items()} == dict.fromkeys(
        CHAIN, "success"
    )
    assert states["ingest_drops"]["tasks"] == {
        "check_accounts": "success",
        "ingest_account[0]": "success",
    }
    for dag_id in CHAIN[1:]:
        assert set(states[dag_id]["tasks"].values()) == {"success"}


def test_the_chain_publishes_what_the_command_line_publishes_and_only_once(home, tmp_path):
    settings, _ = home
    by_hand = small_home(tmp_path / "hand")
    stages.run(by_hand)
    hashes = content_hashes(settings.home)
    assert hashes == content_hashes(by_hand.home)
    assert len(hashes) >= 14
    publications = list(Home(settings.home).serving.glob("marts-*.duckdb"))
    assert len(publications) == 1, "the second run published again"


def test_the_assets_are_tables_that_exist(home):
    settings, _ = home
    sys.path.insert(0, str(dags_directory()))
    assets = importlib.import_module("assets")
    place = Home(settings.home)
    query = "select schema_name, table_name from duckdb_tables()"
    tables: set[tuple[str, str]] = set()
    for path in (place.warehouse, (place.serving / "current.duckdb").resolve()):
        with duckdb.connect(str(path), read_only=True) as connection:
            tables |= set(connection.execute(query).fetchall())
    for asset in (assets.BUILDS, assets.PUBLICATION):
        schema, table = asset.uri.removeprefix("duckdb://warehouse/").split("/")
        assert (schema, table) in tables
    for asset in assets.RAW.values():
        assert asset.uri.removeprefix("duckdb://warehouse/") in {schema for schema, _ in tables}


def test_a_failed_gate_ends_the_run_at_once_and_leaves_the_publication(home):
    settings, _ = home
    before = content_hashes(settings.home)
    broken = "".join(
        f'{{"order_id": "x{number}", "ordered_at": "yesterday", "currency": "EUR"}}\n'
        for number in range(60)  # the small world lets fewer than 50 rejects of a file pass
    )
    (settings.home / "drops" / "orders" / "broken.ndjson").write_text(broken)
    states = run_dags(settings, *CHAIN[:3])
    tasks = states["transform_warehouse"]["tasks"]
    assert tasks["check_raw"] == "failed"  # and not up_for_retry: nothing mends it by itself
    assert tasks["transform_models"] == "upstream_failed"
    assert "publish_marts" not in states
    assert content_hashes(settings.home) == before
