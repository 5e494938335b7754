"""The page on gates names every check there is, and none that is not."""

from __future__ import annotations

import re
from pathlib import Path

import quality

PAGE = Path(quality.__file__).resolve().parents[1] / "docs" / "run" / "gates.md"


def names_in_code() -> set[str]:
    found = set()
    for path in Path(quality.__file__).parent.glob("*.py"):
        text = path.read_text()
        found |= set(re.findall(r'name="([a-z0-9_]+)"', text))
        found |= set(re.findall(r'_unjudged\(batch, "([a-z0-9_]+)"', text))
        found |= {f"{other}_are_known" for other in re.findall(r'_known\(batch, "([a-z_]+)"', text)}
    found |= {"volume_is_within_3_times_the_usual", "volume_is_within_10_times_the_usual"}
    return found - {"warehouse", "drift"}


def test_every_check_is_on_the_page_and_no_other() -> None:
    named = set(re.findall(r"`([a-z0-9_]+)`", PAGE.read_text()))
    checks = names_in_code()
    assert checks - named == set()
    claims = {
        name for name in named if re.search(r"_(is|are|do|has|have|keeps?|match|stop)_", name)
    }
    assert claims - checks == set()
