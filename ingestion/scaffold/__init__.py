"""`make new-source NAME=x`: every file of a new source, and tests that say what to write next.

    python -m ingestion.scaffold x orders refunds      # or ENTITIES="orders refunds"

Works on the repository this package lies in. Nothing is overwritten: if one of the files is there,
none is written. What is made is clean by lint and types, and loads as a source without rows; the
tests of the source fail until it is written, each with the next step. `paths` is the list of a
source's files that `tests/contract/test_sources.py` holds every source to.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from ingestion import contract
from setae.errors import ConfigError, SetaeError
from setae.ledger import CONTRACT_VERSION

ROOT = Path(__file__).resolve().parents[2]
NAVIGATION = "mkdocs.yml"
NAME = re.compile(r"[a-z]+(_[a-z]+)*")
UNWRITTEN = "to be written:"
"""Stands where a sentence has to be written; the made tests look for it."""

LONGEST = 24
"""Letters of a name; lines and models' names have to hold it."""

RESERVED = ("ops", "setae", "ingestion", "quality", "serving", "dags", "tests")


@dataclass(frozen=True)
class Names:
    """A source and its entities, and what is made of their names."""

    name: str
    entities: tuple[str, ...]

    def __post_init__(self) -> None:
        for text in (self.name, *self.entities):
            if not NAME.fullmatch(text) or keyword.iskeyword(text) or len(text) > LONGEST:
                raise ConfigError(
                    f"{text!r} is no name of a source or an entity; use up to {LONGEST} small "
                    "letters, words joined by `_`, such as `shop_reviews`"
                )
        if self.name in RESERVED:
            raise ConfigError(f"{self.name!r} is taken by Setae itself; choose another name")


def paths(name: str, entities: tuple[str, ...]) -> dict[str, str]:
    """The files of a source: path from the root → what it is made from."""
    staging = f"dbt_project/models/staging/{name}"
    found = {
        f"ingestion/sources/{name}/__init__.py": "source.py",
        f"ingestion/sources/{name}/setae.toml": "setae.toml",
        f"quality/{name}.py": "suite.py",
        f"dags/ingest_{name}.py": "dag.py",
        f"docs/sources/{name}.md": "page.md",
        f"tests/unit/ingestion/sources/test_{name}.py": "test_source.py",
        f"{staging}/_{name}__sources.yml": "sources.yml",
    }
    for entity in entities:
        found |= {
            f"ingestion/contracts/{name}/{entity}.json": "contract.json",
            f"{staging}/stg_{name}__{entity}.sql": "staging.sql",
            f"{staging}/stg_{name}__{entity}.yml": "staging.yml",
        }
    return found


def make(name: str, entities: tuple[str, ...] = ("records",), *, root: Path = ROOT) -> list[Path]:
    """Write the files of a new source.

    Args:
        name: Its one short name.
        entities: What it delivers, in the plural.
        root: Of the repository.

    Returns:
        What was written; the navigation last.

    Raises:
        ConfigError: A name that cannot be one, a file that is there, or no navigation to add to.
    """
    names = Names(name, tuple(sorted(entities)))
    wanted = paths(name, entities)
    present = sorted(path for path in wanted if (root / path).exists())
    if present:
        raise ConfigError(
            f"{present[0]} is there already; nothing was written: choose another name, or remove "
            f"the source {name!r} first"
        )
    navigation = _with_page(root / NAVIGATION, name)
    texts = {path: _render(template, names, path) for path, template in wanted.items()}
    written = []
    for path, text in texts.items():
        _write(root / path, text)
        written.append(root / path)
    _write(root / NAVIGATION, navigation)
    return [*written, root / NAVIGATION]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _render(template: str, names: Names, path: str) -> str:
    if template == "sources.yml":
        made = (
            json.loads(_render("contract.json", names, f"{one}.json")) for one in names.entities
        )
        return contract.dbt_sources(names.name, [contract.parse(names.name, one) for one in made])
    entity = Path(path).stem.rpartition("__")[2]
    singular = entity.removesuffix("s")
    return (
        _environment()
        .get_template(f"{template}.j2")
        .render(
            name=names.name,
            entities=names.entities,
            entity=entity,
            singular=singular,
            id=f"{singular}_id",
            title=names.name.replace("_", " ").capitalize(),
            camel="".join(part.capitalize() for part in names.name.split("_")),
            todo=UNWRITTEN,
            version=CONTRACT_VERSION,
        )
    )


def _environment() -> Environment:
    # dbt's files are templates themselves, so these have brackets of their own.
    return Environment(
        loader=FunctionLoader(_template),
        variable_start_string="[[ ",
        variable_end_string=" ]]",
        block_start_string="[%",
        block_end_string="%]",
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  (source files, not pages)
    )


def _template(name: str) -> str:
    file = resources.files("ingestion") / "scaffold" / "templates" / name
    return file.read_text(encoding="utf-8")


def _with_page(path: Path, name: str) -> str:
    """The navigation with one more page after the last of the sources."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    last = max((n for n, line in enumerate(lines) if "- sources/" in line), default=None)
    if last is None:
        raise ConfigError(f"{path}: no page of a source to add another after; mend the navigation")
    before, _, _ = lines[last].partition("- ")
    lines.insert(last + 1, f"{before}- sources/{name}.md\n")
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Make the files and say what comes next."""
    parser = argparse.ArgumentParser(prog="python -m ingestion.scaffold")
    parser.add_argument("name", help="the source's one short name, such as shop_reviews")
    parser.add_argument("entities", nargs="*", default=["records"], help="what it delivers")
    options = parser.parse_args(arguments)
    try:
        written = make(options.name, tuple(options.entities))
    except SetaeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    for path in written:
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    test = f"tests/unit/ingestion/sources/test_{options.name}.py"
    sys.stdout.write(f"next: .venv/bin/pytest {test} says what to write; then make check\n")
    return 0
