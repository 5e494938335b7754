"""What dbt is told by its surroundings."""

from __future__ import annotations

import os

import pytest

from setae import transformation
from setae.settings import Settings


def test_a_build_has_its_own_target_whatever_the_shell_asks_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET", "published")
    with transformation._environment(settings):
        assert os.environ["DBT_TARGET"] == "duckdb"
    assert os.environ["DBT_TARGET"] == "published"
