"""Power loss: what a rename shows must be on disk before, and the rename itself after."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.serving.conftest import MartsWorld


def test_files_are_synced_before_a_rename_shows_them_and_folders_after(
    marts: MartsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts.publish(1)
    marts.build(2)
    log: list[tuple[str, Path]] = []
    sync, rename, replace = os.fsync, Path.rename, Path.replace

    def recorded_sync(descriptor: int) -> None:
        log.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    def recorded_rename(self: Path, target: Path) -> Path:
        log.extend([("from", self), ("to", Path(target))])
        return rename(self, target)

    def recorded_replace(self: Path, target: Path) -> Path:
        log.extend([("from", self), ("to", Path(target))])
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(Path, "rename", recorded_rename)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    marts.publish()
    monkeypatch.undo()

    def at(kind: str, matches: str) -> int:
        return next(
            n for n, (what, path) in enumerate(log) if what == kind and matches in path.name
        )

    synced = [path for what, path in log if what == "sync"]
    for path in (marts.serving / "current").resolve().iterdir():
        assert any(path.name == done.name for done in synced), path
    database, manifest = at("to", "0002.duckdb"), at("to", "0002.json")
    pointer = at("to", "current.duckdb")
    assert at("sync", "marts.duckdb") < database < manifest < pointer
    folders = [n for n, (what, path) in enumerate(log) if (what, path) == ("sync", marts.serving)]
    assert any(database < n < manifest for n in folders)
    assert any(manifest < n < pointer for n in folders)
    assert any(n > pointer for n in folders)
