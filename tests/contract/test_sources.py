"""Every source has all its parts, under its one name, and none is left over without a source."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from ingestion import contract, scaffold, sources
from setae.settings import SourceSettings

ROOT = Path(__file__).resolve().parents[2]
KINDS = contract.source_kinds()

per_kind = pytest.mark.parametrize("kind", KINDS)


def test_a_kind_has_a_contract_and_a_reader() -> None:
    readers = {path.parent.name for path in (ROOT / "ingestion/sources").glob("*/__init__.py")}
    assert readers == set(KINDS)


def test_nothing_is_left_of_a_source_that_is_gone() -> None:
    staged = {path.name for path in (ROOT / "dbt_project/models/staging").iterdir()} - {"ops"}
    pages = {path.stem for path in (ROOT / "docs/sources").glob("*.md")}
    assert staged == pages == set(KINDS)


@per_kind
def test_every_part_of_a_source_is_there(kind: str) -> None:
    parts = scaffold.paths(kind, contract.entities(kind))
    missing = [path for path in parts if not (ROOT / path).is_file()]
    assert not missing, "`make new-source` makes every part of a source; these are not there"


@per_kind
def test_the_reader_lands_what_the_contract_names(kind: str) -> None:
    assert set(sources.get(kind).entities()) == set(contract.entities(kind))


@per_kind
def test_a_new_home_s_section_is_valid_and_named_after_the_kind(kind: str) -> None:
    parsed = tomllib.loads(sources.section(kind))
    assert list(parsed) == ["sources"]
    assert list(parsed["sources"]) == [kind]
    assert SourceSettings.model_validate(parsed["sources"][kind]).kind == kind


@per_kind
def test_its_page_is_in_the_navigation_and_says_how_to_run_it(kind: str) -> None:
    text = (ROOT / "docs" / "sources" / f"{kind}.md").read_text(encoding="utf-8")
    assert f"setae fetch {kind}" in text or f"setae init --source {kind}" in text
    pages = [
        page
        for entry in yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
        for page in entry.get("Sources", [])
    ]
    assert f"sources/{kind}.md" in pages
