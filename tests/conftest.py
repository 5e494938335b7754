"""What every test shares: a data home of its own with a fixed key and few threads."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from setae import transformation
from setae.ledger import digest
from setae.settings import Settings, load_settings
from setae.warehouse import Home

if TYPE_CHECKING:
    from ingestion.synthetic.shopify.database import ShopDatabase
    from ingestion.synthetic.shopify.server import Host
    from ingestion.synthetic.shopify.shop import Shop

SHOP_TOKEN = "shpat_canary000000000000000000000000000"
"""The access token of the simulated shop."""

KEY = bytes(range(32))
"""The key of the pseudonyms' test vectors."""

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="setae-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


_parsed_projects: list[Path] = []
_homes: list[Settings] = []


def make_home(path: Path, config: str = "") -> Settings:
    """A data home with the fixed key; `config` is the body of its `setae.toml`.

    dbt reads its project anew in every home, which takes longer than most builds of a small
    world: what it read in an earlier home with the same variables is laid into this one.
    """
    path.mkdir(parents=True, exist_ok=True)
    (path / "setae.toml").write_text(config)
    key = path / "pii.key"
    key.touch(mode=0o600)
    key.write_text(KEY.hex())
    settings = load_settings(path)
    for parsed in _parsed_projects:
        if (parsed / _project_digest(settings)).exists():
            target = Home(path).dbt / "target"
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(
                parsed / _project_digest(settings), target / transformation.PARSED_PROJECT
            )
            (target / transformation.PARSED_CODE).write_text(transformation.code_digest())
    _homes.append(settings)
    return settings


def _project_digest(settings: Settings) -> str:
    """What makes dbt read its project anew: our code and the variables."""
    return digest([transformation.code_digest(), transformation._fixed_variables(settings)])


@pytest.fixture(scope="session", autouse=True)
def _share_parsed_projects(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for all workers of a run: with pytest-xdist, the parent of each one's own."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    (shared / "parsed-projects").mkdir(exist_ok=True)
    _parsed_projects.append(shared / "parsed-projects")


@pytest.fixture(autouse=True)
def _keep_parsed_projects() -> Iterator[None]:
    yield
    for settings in _homes:
        made = Home(settings.home).dbt / "target" / transformation.PARSED_PROJECT
        kept = _parsed_projects[0] / _project_digest(settings)
        if made.exists() and not kept.exists():
            partial = kept.with_suffix(f".{os.getpid()}")
            shutil.copyfile(made, partial)
            partial.replace(kept)
    _homes.clear()


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SETAE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty home."""
    return make_home(tmp_path / "home", 'threads = 1\nmemory_limit = "512MiB"\n')


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the shop made by hand."""
    from tests.worlds.shop import write_shop

    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def shop_database(shop_folder: Path) -> ShopDatabase:
    """Those tables, read once."""
    from ingestion.synthetic.shopify.database import ShopDatabase

    return ShopDatabase.load(shop_folder)


@pytest.fixture(scope="session")
def shop_host() -> Iterator[Host]:
    """A free port for one shop after the other."""
    from ingestion.synthetic.shopify.server import listen

    with listen() as host:
        yield host


@pytest.fixture
def shop(shop_database: ShopDatabase, shop_host: Host) -> Iterator[Shop]:
    """That shop at `shop.address`, on a virtual clock, seen after its last change."""
    from ingestion.synthetic.shopify.shop import Shop
    from tests.worlds.shop import END

    shop = Shop(replace(shop_database, touched=[]), SHOP_TOKEN, now=END)
    with shop_host.show(shop):
        yield shop
