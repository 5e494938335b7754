"""Take the pictures that the pages show of Airflow and gate reports: `python -m docs.screenshots`.

Starts the Airflow of a data home that `make demo` has finished, logs in with a real browser, takes
each page once it is drawn and writes `docs/img/*.png`, 1400 pixels wide. Needs a chromium on the
path (`apt-get install chromium`). Everything is on loopback.

A DAG that another data set has is taken alone, from that one's home: `make demo
DATA=complete_journey`, then `python -m docs.screenshots --home var/complete_journey --dag
ingest_complete_journey`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from setae.scheduler import LocalAirflow, running
from setae.settings import load_settings
from setae.warehouse import Home

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parent / "img"
WIDTH = 1400
TALL = 1600
"""Of the graph of assets, which has every mart in one column."""

MAXIMUM_BYTES = 300_000

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A browser that runs as root in a container, and asks nobody for anything."""

RUN_SECONDS = 300.0
DRAWN_MILLISECONDS = 30_000


@contextmanager
def browser_page(airflow: LocalAirflow) -> Iterator[Page]:
    """A page at Airflow's login form; `log_in` goes on from there."""
    from playwright.sync_api import expect, sync_playwright

    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        raise SystemExit("no chromium on the path: apt-get install chromium")
    expect.set_options(timeout=DRAWN_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=list(OPTIONS))
        page = chromium.new_page(viewport={"width": WIDTH, "height": 900})
        page.goto(airflow.url)
        page.wait_for_url("**/auth/login**")
        yield page
        chromium.close()


def log_in(page: Page, airflow: LocalAirflow) -> None:
    """Fill in the form."""
    from playwright.sync_api import expect

    page.fill("input[name=username]", airflow.credentials.user)
    page.fill("input[name=password]", airflow.credentials.password)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Setae", exact=True)).to_be_visible()


def finished(airflow: LocalAirflow, dag_id: str) -> str | None:
    """Run id of the newest run of a DAG that succeeded."""
    runs = airflow.api.get(f"/dags/{dag_id}/dagRuns", limit=100, order_by="-run_after")
    found = [run["dag_run_id"] for run in runs["dag_runs"] if run["state"] == "success"]
    return str(found[0]) if found else None


def take(airflow: LocalAirflow, page: Page, reports: Path) -> Iterator[str]:
    """Take every picture; yields their names.

    Args:
        airflow: Running, of a home whose DAGs have run.
        page: Logged in.
        reports: The home's folder of gate reports.
    """
    from playwright.sync_api import expect

    dag_ids = sorted(dag["dag_id"] for dag in airflow.api.get("/dags", limit=100)["dags"])
    ran = [dag_id for dag_id in dag_ids if finished(airflow, dag_id)]
    page.goto(f"{airflow.url}/dags")
    for dag_id in dag_ids:
        expect(page.get_by_role("link", name=dag_id, exact=True)).to_be_visible()
    yield _shoot(page, "airflow_dags", height=1150)
    for dag_id in ran:
        yield take_run(airflow, page, dag_id)
    page.goto(f"{airflow.url}/assets")
    open_asset_graph(page)
    page.add_style_tag(content=".react-flow__minimap { display: none }")  # it hides the graph
    yield _shoot(page, "airflow_assets", height=TALL)
    for stage in ("raw", "marts"):
        newest = max(reports.glob(f"*{stage}*.html"), key=lambda path: path.stat().st_mtime)
        page.goto(newest.as_uri())
        yield _shoot(page, f"gate_{stage}", height=900)


def open_asset_graph(page: Page) -> None:
    """From the list of assets to the graph of all, in a window where all of it is in sight."""
    from playwright.sync_api import expect

    page.set_viewport_size({"width": WIDTH, "height": TALL})  # only what is in sight is drawn
    page.get_by_role("link", name="builds", exact=True).click()
    expect(page.locator(".react-flow")).to_contain_text("transform_warehouse")
    page.get_by_role("button", name="Fit View").click()


def take_run(airflow: LocalAirflow, page: Page, dag_id: str) -> str:
    """Take the newest green run of a DAG; gives the picture's name.

    Raises:
        SystemExit: There is none.
    """
    from playwright.sync_api import expect

    run_id = finished(airflow, dag_id)
    if run_id is None:
        raise SystemExit(f"{dag_id}: no run of it succeeded in this home")
    page.goto(f"{airflow.url}/dags/{dag_id}/runs/{run_id}")
    expect(page.get_by_text("Success").first).to_be_visible()
    return _shoot(page, f"airflow_{dag_id}", height=620)


def _shoot(page: Page, name: str, *, height: int) -> str:
    """Write a picture of what the window shows.

    Raises:
        SystemExit: It is larger than a page should have to load.
    """
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1_000)  # transitions of the pages themselves
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    if path.stat().st_size > MAXIMUM_BYTES:
        raise SystemExit(f"{path}: {path.stat().st_size:,} bytes; show less of the page")
    return path.name


def _upkeep(airflow: LocalAirflow) -> None:
    """The demo does not run the daily upkeep; a picture of it needs one run."""
    if finished(airflow, "maintain_warehouse"):
        return
    airflow.unpause(["maintain_warehouse"])
    airflow.api.post("/dags/maintain_warehouse/dagRuns", {"logical_date": None, "conf": {}})
    until = time.monotonic() + RUN_SECONDS
    while finished(airflow, "maintain_warehouse") is None:
        airflow.check_alive()
        if time.monotonic() > until:
            raise SystemExit(f"maintain_warehouse: not done; see {airflow.logs}")
        time.sleep(0.5)


def main() -> int:
    """Take the pictures of one home."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--home", type=Path, default=Path("var/simulated"), help="a finished demo")
    parser.add_argument("--dag", help="take only the newest green run of this DAG")
    given = parser.parse_args()
    settings = load_settings(given.home)
    with running(settings) as airflow:
        if not given.dag:
            _upkeep(airflow)
        with browser_page(airflow) as page:
            log_in(page, airflow)
            if given.dag:
                names = iter([take_run(airflow, page, given.dag)])
            else:
                names = take(airflow, page, Home(settings.home).reports)
            for name in names:
                sys.stdout.write(f"wrote docs/img/{name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
