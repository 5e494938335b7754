"""What a person sees after `setae up`: log in, DAGs green, the asset graph, a run's gate results.

Needs a chromium on the path; `make test-browser` runs it. Screenshots lie in `.artifacts/browser`.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from docs.screenshots import browser_page, log_in, open_asset_graph
from setae.scheduler import WITH_PAGES, running
from tests.integration.conftest import small_home

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ARTIFACTS = Path(__file__).resolve().parents[2] / ".artifacts" / "browser"
DAGS = ("ingest_drops", "transform_warehouse", "publish_marts")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory):
    """A running Airflow after one pass over the small world."""
    settings = small_home(tmp_path_factory.mktemp("browser") / "home")
    with running(settings, components=WITH_PAGES) as local:
        local.unpause_once()
        body = {"logical_date": None, "partition_key": "2026-04-25", "conf": {}}
        local.api.post("/dags/ingest_drops/dagRuns", body)
        until = time.monotonic() + 300
        while True:
            found = local.api.get("/dags/publish_marts/dagRuns")["dag_runs"]
            if found and found[0]["state"] in ("success", "failed"):
                break
            assert time.monotonic() < until
            time.sleep(0.5)
        assert found[0]["state"] == "success"
        yield local


@pytest.fixture(scope="module")
def page(airflow):
    """A page that has logged in."""
    from playwright.sync_api import expect

    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    with browser_page(airflow) as page:
        page.fill("input[name=username]", airflow.credentials.user)
        page.fill("input[name=password]", "wrong")
        page.keyboard.press("Enter")
        expect(page.locator("body")).to_contain_text(
            re.compile("invalid|incorrect|401", re.IGNORECASE)
        )
        log_in(page, airflow)
        yield page


def shoot(page, name: str) -> None:
    page.screenshot(path=ARTIFACTS / f"{name}.png")


def test_after_the_login_every_component_is_healthy(page):
    from playwright.sync_api import expect

    for name in ("MetaDatabase", "Scheduler", "Triggerer", "Dag Processor"):
        expect(page.get_by_text(name, exact=True)).to_be_visible()
    shoot(page, "home")


def test_the_dags_are_green(airflow, page):
    from playwright.sync_api import expect

    page.goto(f"{airflow.url}/dags")
    for dag_id in DAGS:
        expect(page.get_by_role("link", name=dag_id, exact=True)).to_be_visible()
    shoot(page, "dags")
    assert airflow.api.get("/importErrors")["total_entries"] == 0
    for dag_id in DAGS:
        states = {run["state"] for run in airflow.api.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]}
        assert states == {"success"}


def test_the_asset_graph_leads_from_the_source_to_the_publication(airflow, page):
    from playwright.sync_api import expect

    page.goto(f"{airflow.url}/assets")
    for name in ("raw_drops", "builds", "publication"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    shoot(page, "assets")
    open_asset_graph(page)
    for name in ("ingest_drops", "transform_warehouse", "fct_orders", "publish_marts"):
        expect(page.locator(".react-flow")).to_contain_text(name)
    shoot(page, "asset_graph")


def test_a_run_shows_its_gate_results(airflow, page):
    from playwright.sync_api import expect

    (run,) = airflow.api.get("/dags/publish_marts/dagRuns")["dag_runs"]
    page.goto(f"{airflow.url}/dags/publish_marts/runs/{run['dag_run_id']}/tasks/check_marts")
    expect(page.locator("body")).to_contain_text(re.compile(r"gate marts: passed: "))
    shoot(page, "gate_results")


def test_the_page_for_the_person_on_call_is_one_click_away(airflow, page):
    from playwright.sync_api import expect

    page.goto(f"{airflow.url}/dags/publish_marts")
    page.get_by_role("button", name="Dag Docs").click()
    expect(page.locator("body")).to_contain_text("Safe to rerun?")
    shoot(page, "documentation")
