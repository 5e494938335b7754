"""What `setae evaluate` prints."""

from __future__ import annotations

import io

from rich.console import Console

from evaluation import command, counts, crowds, figures, worlds


def test_tables_are_whole_where_no_terminal_tells_a_width() -> None:
    paper = io.StringIO()
    scores, people = counts.read("full"), crowds.read()
    recoveries = worlds.from_json(figures.accepted("worlds"))
    command._print(Console(file=paper, highlight=False), scores, people, recoveries)
    text = paper.getvalue()
    assert "…" not in text
    for columns in (counts.COLUMNS, crowds.COLUMNS):
        assert all(column.strip() in text for column in columns)
