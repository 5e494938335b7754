"""The dbt project keeps the promises that only its files, taken together, can show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ingestion import contract
from setae.settings import Settings
from setae.warehouse import duckdb_config

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
SOURCE_KINDS = contract.source_kinds()
DATA_TESTED = {"int_changed_references__collected", "int_counts__unioned"}
"""Lists of what changed and of what is to be estimated; the property tests of increments and the
estimates made of them would miss any row that is missing here."""


@pytest.mark.parametrize("source_kind", SOURCE_KINDS)
def test_the_sources_file_is_what_the_contract_generates(source_kind: str) -> None:
    path = PROJECT / "models/staging" / source_kind / f"_{source_kind}__sources.yml"
    assert path.read_text(encoding="utf-8") == contract.dbt_sources(source_kind), (
        f"run `python -m ingestion.contract --dbt-sources {source_kind} > {path}`"
    )


@pytest.mark.parametrize("source_kind", SOURCE_KINDS)
def test_every_entity_of_the_contract_has_a_staging_model(source_kind: str) -> None:
    folder = PROJECT / "models/staging" / source_kind
    prefix = f"stg_{source_kind}__"
    staged = {path.stem.removeprefix(prefix) for path in folder.glob("stg_*.sql")}
    assert set(contract.entities(source_kind)) <= staged


def test_every_model_has_its_own_yml_beside_it() -> None:
    for path in sorted(PROJECT.glob("models/**/*.sql")):
        assert path.with_suffix(".yml").exists(), path


def test_every_model_that_computes_has_hand_worked_numbers() -> None:
    """Staging renames and picks the newest version, which tests of the loader and macros cover."""
    tested = {
        test["model"]
        for path in PROJECT.glob("models/**/*.yml")
        for test in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("unit_tests", [])
    }
    written = {path.stem for path in PROJECT.glob("models/**/*.sql")}
    assert {name for name in written - tested if not name.startswith("stg_")} <= DATA_TESTED


def test_dbt_opens_the_warehouse_with_the_settings_of_everybody_else(tmp_path: Path) -> None:
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    output = profile["setae"]["outputs"]["duckdb"]
    wanted = duckdb_config(Settings(home=tmp_path))
    assert set(output["config_options"]) == set(wanted)
    for name, value in output["config_options"].items():
        assert f"env_var('SETAE_DUCKDB_{name.upper()}'" in value
    assert output["settings"] == {"TimeZone": "UTC"}


def test_thresholds_are_written_once() -> None:
    """The numbers of windows and tiers stand in `vars:` or a seed, never in a model."""
    literal = re.compile(r"interval '\d+ (day|days|hour|hours|minutes|seconds)'")
    for path in sorted(PROJECT.glob("models/**/*.sql")):
        text = path.read_text(encoding="utf-8")
        found = {match.group(0) for match in literal.finditer(text)} - {"interval '1 day'"}
        assert not found, f"{path}: {found} belongs into vars"


def test_every_doc_block_is_used() -> None:
    blocks: set[str] = set()
    for path in PROJECT.glob("models/_docs/*.md"):
        blocks |= set(re.findall(r"{% docs (\w+) %}", path.read_text(encoding="utf-8")))
    used: set[str] = set()
    for path in [*PROJECT.glob("models/**/*.yml"), *PROJECT.glob("seeds/*.yml")]:
        used |= set(re.findall(r"doc\('(\w+)'\)", path.read_text(encoding="utf-8")))
    assert blocks == used


def test_every_setting_on_the_page_of_definitions_exists() -> None:
    """Whatever the page calls a var is one, in the table and in the example."""
    page = (PROJECT.parent / "docs/query/definitions.md").read_text(encoding="utf-8")
    named: set[str] = set()
    for names in re.findall(r"\bvars? ((?:`[^`]+`(?:, )?)+)", page):
        named |= set(re.findall(r"`([a-z0-9_]+)", names))
    named |= set(re.findall(r"^([a-z_]+) = \[", page, flags=re.MULTILINE))
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    assert len(named) > 15
    assert named - {"brackets", "horizon"} <= set(variables)
