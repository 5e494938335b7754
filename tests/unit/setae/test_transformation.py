"""What dbt is told by its surroundings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from setae import transformation
from setae.errors import ConfigError
from setae.settings import Settings
from setae.warehouse import Home
from tests.conftest import make_home


def test_a_build_has_its_own_target_whatever_the_shell_asks_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_TARGET", "published")
    with transformation._environment(settings):
        assert os.environ["DBT_TARGET"] == "duckdb"
    assert os.environ["DBT_TARGET"] == "published"


def test_a_misspelt_variable_is_named_before_anything_is_built(tmp_path: Path) -> None:
    settings = make_home(tmp_path / "home", "[dbt_vars]\nattribution_windows = [7]\n")
    with pytest.raises(ConfigError, match="attribution_windows: no such variable; did you mean "):
        transformation.plan(settings, as_of=None, full_refresh=False)


def test_what_dbt_knows_of_another_version_is_forgotten(settings: Settings) -> None:
    home = Home(settings.home)
    parsed = home.dbt / "target" / transformation.PARSED_PROJECT
    parsed.parent.mkdir(parents=True)
    parsed.write_text("of an older clone")
    transformation._forget_other_projects(home)
    assert not parsed.exists()
    parsed.write_text("of this one")
    transformation._forget_other_projects(home)
    assert parsed.exists()
