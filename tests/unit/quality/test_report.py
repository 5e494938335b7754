"""The report: whatever is in the data, the page runs nothing and asks nobody for anything."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from quality import gate
from quality.checks import Result, rows_check
from quality.report import write_report
from tests.unit.quality.conftest import RawWorld

CORPUS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</pre></details><svg onload=alert(1)>",
    "<!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202e<b>rtl\u0000",
    "<iframe src=//evil.example>",
    "]]><style>*{display:none}</style>",
)

WHEN = datetime(2026, 4, 1, tzinfo=UTC)


class Tags(HTMLParser):
    """Every element and attribute a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def page_of(path: Path, evil: str) -> str:
    check = rows_check(
        name=evil, table=evil, severity="error", bad_rows=evil, expected=evil, todo=evil
    )
    result = Result(
        check=check,
        suite=evil,
        outcome="failed",
        observed=evil,
        failed_row_count=1234,
        failing_sql=evil,
        file_ids=(evil,),
        failed_file_ids=(evil,),
    )
    write_report(
        path,
        stage="raw",
        gate_run_id=evil,
        results=[result],
        counts={"failed": 1, "warned": 0, "no_history": 0, "passed": 0},
        as_of=WHEN,
        checked_at=WHEN,
        file_status={evil: "failed"},
    )
    return path.read_text()


@pytest.fixture
def harmless(tmp_path: Path) -> Tags:
    """What the page consists of when there is nothing to escape."""
    tags = Tags()
    tags.feed(page_of(tmp_path / "harmless.html", "harmless"))
    return tags


@pytest.mark.parametrize("evil", CORPUS)
def test_nothing_in_the_data_becomes_markup(tmp_path: Path, harmless: Tags, evil: str) -> None:
    page = page_of(tmp_path / "evil.html", evil)
    seen = Tags()
    seen.feed(page)
    assert seen.tags == harmless.tags
    assert seen.attributes == harmless.attributes
    if any(sign in evil for sign in "<>\"'"):
        assert evil not in page
    assert "49" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_page_fetches_nothing(tmp_path: Path, harmless: Tags) -> None:
    page = page_of(tmp_path / "page.html", "harmless")
    assert "default-src 'none'" in page
    assert not harmless.tags & {"script", "link", "img", "iframe", "object", "form", "base"}
    assert not re.search(r"(?:src|href|action)\s*=|url\(|@import|https?:", page)


def test_the_page_says_how_many_rows_and_what_to_do(world: RawWorld) -> None:
    world.land("products", rejected=2, name="<script>alert(1)</script>")
    report = gate.check_raw(world.settings)
    page = report.report.read_text()
    assert "Gate raw: failed" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "setae quarantine list" in page
    assert "readers keep the publication before it" in page
