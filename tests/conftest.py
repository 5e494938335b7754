"""What every test shares: a data home of its own with a fixed key and few threads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from setae.settings import Settings, load_settings

KEY = bytes(range(32))
"""The key of the pseudonyms' test vectors."""

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="setae-airflow-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


def make_home(path: Path, config: str = "") -> Settings:
    """A data home with the fixed key; `config` is the body of its `setae.toml`."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "setae.toml").write_text(config)
    key = path / "pii.key"
    key.touch(mode=0o600)
    key.write_text(KEY.hex())
    return load_settings(path)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SETAE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty home."""
    return make_home(tmp_path / "home", 'threads = 1\nmemory_limit = "512MiB"\n')
