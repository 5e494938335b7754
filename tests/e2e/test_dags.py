"""Every DAG really runs, task by task, over the small world (`dag.test()`; no scheduler)."""

from __future__ import annotations

import duckdb

from setae import stages
from setae.settings import load_settings
from setae.warehouse import Home
from tests.e2e.conftest import content_hashes, run_dags, small_home
from tests.worlds import small

CHAIN = ("ingest_drops", "transform_warehouse", "publish_marts", "maintain_warehouse")


def test_the_chain_publishes_what_the_command_line_publishes_and_a_second_run_changes_nothing(
    tmp_path,
):
    through_airflow = small_home(tmp_path / "airflow")
    states = run_dags(through_airflow, *CHAIN, *CHAIN[:3])
    assert {dag_id: state["run"] for dag_id, state in states.items()} == dict.fromkeys(
        CHAIN, "success"
    )
    assert states["ingest_drops"]["tasks"] == {
        "check_accounts": "success",
        "ingest_account[0]": "success",
    }
    assert set(states["transform_warehouse"]["tasks"].values()) == {"success"}
    by_hand = small_home(tmp_path / "hand")
    stages.run(by_hand)
    hashes = content_hashes(through_airflow.home)
    assert hashes == content_hashes(by_hand.home)
    assert len(hashes) >= 14
    publications = list(Home(through_airflow.home).serving.glob("marts-*.duckdb"))
    assert len(publications) == 1, "the second run published again"


def test_the_assets_are_tables_that_exist(tmp_path):
    import importlib
    import sys

    from setae.scheduler import dags_directory

    sys.path.insert(0, str(dags_directory()))
    assets = importlib.import_module("assets")
    settings = small_home(tmp_path / "home")
    stages.run(settings)
    home = Home(settings.home)
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        tables = set(
            connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        )
    with duckdb.connect(str((home.serving / "current.duckdb").resolve()), read_only=True) as marts:
        tables |= set(
            marts.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        )
    for asset in (assets.RAW_DROPS, assets.BUILDS, assets.PUBLICATION):
        schema, table = asset.uri.removeprefix("duckdb://warehouse/").split("/")
        assert (schema, table) in tables


def test_a_failed_gate_ends_the_run_at_once_and_leaves_the_publication(tmp_path):
    settings = small_home(tmp_path / "home")
    stages.run(settings)
    before = content_hashes(settings.home)
    broken = "".join(
        f'{{"order_id": "x{number}", "ordered_at": "yesterday", "currency": "EUR"}}\n'
        for number in range(60)  # the small world lets 50 rejects of a file pass
    )
    (settings.home / "drops" / "orders" / "broken.ndjson").write_text(broken)
    states = run_dags(load_settings(settings.home), *CHAIN[:3])
    tasks = states["transform_warehouse"]["tasks"]
    assert tasks["check_raw"] == "failed"  # and not up_for_retry: nothing mends it by itself
    assert tasks["transform_models"] == "upstream_failed"
    assert "publish_marts" not in states
    assert content_hashes(settings.home) == before
    assert small.CONFIG.count("small_reject_minimum_count = 50") == 1
