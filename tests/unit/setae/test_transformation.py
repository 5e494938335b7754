"""What dbt is told by its surroundings."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from setae import transformation
from setae.errors import BuildFailed, ConfigError, SetaeError, StorageError
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


@pytest.mark.parametrize(
    ("message", "error", "advice"),
    [
        (
            "Runtime Error in model\n  IO Error: Could not write file: No space left on device",
            StorageError,
            "no space left; free some and run again",
        ),
        (
            "Out of Memory Error: failed to offload; limit set by the 'max_temp_directory_size'",
            StorageError,
            "no space left; free some and run again",
        ),
        (
            "Runtime Error in model\n  Out of Memory Error: could not allocate block (64/64 MiB)",
            ConfigError,
            "64MiB of memory are not enough; raise `memory_limit` or lower `threads`",
        ),
        ("Got 3 results, configured to fail if != 0", BuildFailed, "Got 3 results"),
    ],
)
def test_what_fails_in_dbt_says_what_to_do(
    tmp_path: Path, message: str, error: type[SetaeError], advice: str
) -> None:
    settings = make_home(tmp_path / "home", 'memory_limit = "64MiB"\n')
    node = SimpleNamespace(
        resource_type="model", name="fct_orders", original_file_path="models/fct_orders.sql"
    )
    results = [
        SimpleNamespace(status="success", node=None, message="OK"),
        SimpleNamespace(status="error", node=node, message=message),
    ]
    told = transformation._failure(results, None, settings=settings, log=tmp_path / "dbt.log")
    assert type(told) is error
    assert advice in str(told)
    assert str(told).startswith("dbt: model fct_orders (models/fct_orders.sql): ")
    assert "\n" not in str(told)
