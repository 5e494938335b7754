"""Pictures of the pages: `python -m docs.screenshots` took them, and no page is heavy by them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from docs.screenshots import IMAGES, MAXIMUM_BYTES, WIDTH

PICTURES = sorted(IMAGES.glob("*.png"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_light_as_wide_as_a_page_and_shown_somewhere(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) < MAXIMUM_BYTES
    (width,) = struct.unpack(">I", data[16:20])
    assert width == WIDTH
    pages = IMAGES.parent.rglob("*.md")
    assert any(f"img/{path.name}" in page.read_text(encoding="utf-8") for page in pages)


def test_a_green_run_of_each_dag_of_the_demos_and_the_assets_are_shown() -> None:
    from setae.demo import DATA_SETS, FOLLOWERS

    sources = [dag_id for data in DATA_SETS.values() for dag_id in data.partitions]
    dags = (*sources, *FOLLOWERS, "maintain_warehouse")
    wanted = {"dags", "assets", *dags}
    assert {f"airflow_{name}" for name in wanted} <= {path.stem for path in PICTURES}
