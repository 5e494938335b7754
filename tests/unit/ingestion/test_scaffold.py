"""`make new-source`: the files of a source, clean and whole, whose tests say what to write next."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from ingestion import scaffold
from setae.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
NAME = "customer_product_reviews"  # long on purpose: lines must hold it
ENTITIES = ("answers", "reviews")
MODEL = f"dbt_project/models/staging/{NAME}"

FILES = {
    f"ingestion/sources/{NAME}/__init__.py",
    f"ingestion/sources/{NAME}/setae.toml",
    f"quality/{NAME}.py",
    f"dags/ingest_{NAME}.py",
    f"docs/sources/{NAME}.md",
    f"tests/unit/ingestion/sources/test_{NAME}.py",
    f"{MODEL}/_{NAME}__sources.yml",
    *(f"ingestion/contracts/{NAME}/{entity}.json" for entity in ENTITIES),
    *(f"{MODEL}/stg_{NAME}__{entity}.{kind}" for entity in ENTITIES for kind in ("sql", "yml")),
}

ADVICE = {
    "test_the_contract_names_what_the_source_delivers": "write ingestion/contracts/",
    "test_an_answer_is_recorded": "record an answer of the real interface into",
    "test_a_recorded_answer_becomes_the_records_of_the_contract": "record an answer of the real",
    "test_a_fetch_lands_every_record_once": "record an answer of the real interface into",
    "test_it_asks_for_real": "write `answers` in ingestion/sources/",
    "test_the_gate_knows_what_only_this_source_promises": "write a check in quality/",
    "test_staged_rows_reach_the_canonical_entities": "add a branch for stg_",
    "test_it_is_described": "describe the source in ",
}


def run(place: Path, *command: str, fails: bool = False) -> str:
    """Run a tool of this environment in a copy of the repository."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=place, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with one more source, as `make new-source` makes it."""
    place = tmp_path_factory.mktemp("new") / "setae"
    unwanted = shutil.ignore_patterns(".*cache*", "__pycache__", "target", "logs")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for name in (*packages, "dags", "dbt_project", "docs"):
        shutil.copytree(ROOT / name, place / name, ignore=unwanted)
    shutil.copytree(ROOT / "tests", place / "tests", ignore=unwanted)
    shutil.copytree(ROOT / ".ci", place / ".ci", ignore=unwanted)
    for path in (*ROOT.glob("*.*"), ROOT / ".sqlfluff", ROOT / ".yamllint"):
        if path.is_file():
            shutil.copy(path, place)
    shown = run(place, "ingestion.scaffold", NAME, *ENTITIES)
    assert f"next: .venv/bin/pytest tests/unit/ingestion/sources/test_{NAME}.py" in shown
    run(place, "ruff", "format", "--quiet", *(path for path in FILES if path.endswith(".py")))
    run(place, "docs.generate")
    return place


def test_every_part_of_a_source_is_there(copy: Path) -> None:
    assert set(scaffold.paths(NAME, ENTITIES)) == FILES
    assert {path for path in FILES if not (copy / path).is_file()} == set()
    navigation = yaml.safe_load((copy / "mkdocs.yml").read_text())["nav"]
    (pages,) = [entry["Sources"] for entry in navigation if "Sources" in entry]
    assert pages[-1] == f"sources/{NAME}.md"


def test_what_is_made_is_clean(copy: Path) -> None:
    run(copy, "ruff", "check", *(path for path in FILES if path.endswith(".py")))
    run(copy, "yamllint", "--strict", MODEL, "mkdocs.yml")
    run(copy, "sqlfluff", "lint", "--disable-progress-bar", MODEL)


def test_the_house_rules_hold_for_it(copy: Path) -> None:
    chosen = f"{NAME} or test_sources or imports or importing or asset or reference_page"
    shown = run(copy, "pytest", "-q", "-p", "no:cacheprovider", "tests/contract", "-k", chosen)
    assert "error" not in shown


def test_its_own_tests_fail_each_with_the_next_step(copy: Path) -> None:
    report = copy / "report.xml"
    test = f"tests/unit/ingestion/sources/test_{NAME}.py"
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", test, fails=True)
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    assert {case.attrib["name"].partition("[")[0] for case in cases} == set(ADVICE)
    for case in cases:
        failure = case.find("failure")
        assert failure is not None, case.attrib["name"]
        assert ADVICE[case.attrib["name"].partition("[")[0]] in failure.attrib["message"]


def test_a_source_that_is_written_passes_what_asked_for_it(copy: Path) -> None:
    """Two records in two pages; what is read and what is recorded is all that had to be added."""
    module = copy / "ingestion" / "sources" / NAME / "__init__.py"
    text = re.sub(r"    raise SourceError\((.|\n)*?\n    \)\n", "    {body}\n", module.read_text())
    bodies = (
        "yield from ({'items': []} for _ in range(0))",
        "return [{**item, 'updated_at': item['changed']} for item in answer['items']]",
    )
    for body in bodies:
        text = text.replace("    {body}\n", f"    {body}\n", 1)
    module.write_text(text.replace("{**item, 'up", "{'review_id': item['id'], 'up"))
    recorded = copy / "tests" / "fixtures" / NAME
    recorded.mkdir(parents=True)
    for page in (1, 2):
        item = {"id": page, "changed": f"2026-11-0{page}T10:00:00Z"}
        (recorded / f"reviews-{page}.json").write_text(json.dumps({"items": [item]}))
    test = copy / f"tests/unit/ingestion/sources/test_{NAME}.py"
    counted = "COUNTED: dict[str, int] = "
    test.write_text(test.read_text().replace(f"{counted}{{}}", f'{counted}{{"reviews": 2}}'))
    chosen = (
        "test_an_answer_is_recorded[reviews]",
        "test_a_recorded_answer_becomes_the_records_of_the_contract[reviews]",
        "test_a_fetch_lands_every_record_once[reviews]",
        "test_it_asks_for_real",
    )
    run(copy, "pytest", "-q", "-p", "no:cacheprovider", *(f"{test}::{name}" for name in chosen))


def test_nothing_is_overwritten(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    (copy / f"dags/ingest_{NAME}.py").rename(copy / "aside.py")
    shown = run(copy, "ingestion.scaffold", NAME, *ENTITIES, fails=True)
    (copy / "aside.py").rename(copy / f"dags/ingest_{NAME}.py")
    assert "is there already; nothing was written" in shown
    assert len(shown.strip().splitlines()) == 1
    changed = {path for path, data in before.items() if path.read_bytes() != data}
    assert {path.suffix for path in changed} <= {".pyc"}


@pytest.mark.parametrize(
    ("name", "entity", "message"),
    [
        ("Shop", "orders", "no name of a source"),
        ("shop2", "orders", "no name of a source"),
        ("shop__eu", "orders", "no name of a source"),
        ("import", "orders", "no name of a source"),
        ("../shop", "orders", "no name of a source"),
        ("shop", "Orders", "'Orders' is no name"),
        ("ops", "orders", "taken by Setae"),
        ("gate", "orders", r"quality/gate\.py is there already"),
        ("drops", "orders", "is there already"),
        ("a" * 25, "orders", "up to 24 small letters"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(name: str, entity: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scaffold.make(name, (entity,))
