"""The page on connecting: its code runs on a published home."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

import serving
from serving.ledger import ledger_path
from serving.read import connect
from tests.unit.serving.conftest import MartsWorld

PAGE = (Path(serving.__file__).resolve().parents[1] / "docs" / "query" / "connect.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def published(marts: MartsWorld) -> MartsWorld:
    marts.publish(1)
    return marts


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_python_on_the_page_runs(published: MartsWorld, number: int) -> None:
    code = blocks("python")[number].replace("var/simulated", str(published.settings.home))
    # polars is no dependency of ours; what it reads is read by pandas beside it
    kept = "\n".join(line for line in code.splitlines() if "polars" not in line)
    exec(compile(kept, "connect.md", "exec"), {})


def test_sql_on_the_page_runs(published: MartsWorld) -> None:
    of_ledger = [sql for sql in blocks("sql") if "from ops." in sql]
    with connect(published.settings.home) as connection:
        for sql in blocks("sql"):
            assert sql in of_ledger or connection.execute(sql).fetchall()
    with duckdb.connect(str(ledger_path(published.settings)), read_only=True) as connection:
        for sql in of_ledger:
            connection.execute(sql)
