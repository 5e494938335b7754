"""Landing: a file exists once its manifest does, and never twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion import landing
from ingestion.landing import Delivery, Facts, Manifest, Origin
from setae.errors import StorageError
from setae.warehouse import DamagedFile

ORIGIN = Origin("orders/a.ndjson", "0" * 64, 12, "ndjson")


def a_delivery(**changes: object) -> Delivery:
    given: dict[str, object] = {
        "source": "drops",
        "source_account": "demo",
        "entity": "orders",
        "contract_version": "1.0",
        "key_id": "k1",
        "origin": ORIGIN,
    }
    return Delivery(**(given | changes))  # type: ignore[arg-type]


def land(directory: Path, delivery: Delivery, *, with_rejects: bool = True) -> Manifest:
    with landing.draft(directory, delivery) as draft:
        pq.write_table(pa.table({"a": [1, 2]}), draft.data)
        if with_rejects:
            pq.write_table(pa.table({"b": [1]}), draft.rejects)
        facts = Facts(
            good_count=2,
            rejected_count=1 if with_rejects else 0,
            min_event_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return landing.land(directory, draft, facts)


def test_a_landed_file_is_data_rejects_and_manifest(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery(window_end_at=datetime(2026, 1, 2, tzinfo=UTC)))
    folder = tmp_path / "drops" / "orders"
    names = sorted(path.name for path in folder.iterdir())
    stem = manifest.name
    assert names == [f"{stem}.manifest.json", f"{stem}.parquet", f"{stem}.rejects.parquet"]
    assert list(landing.iter_manifests(tmp_path)) == [manifest]
    assert manifest.received_count == 3
    assert manifest.file_id == f"drops/orders/{stem}"
    assert landing.count(tmp_path) == 1
    landing.verify(manifest, tmp_path)


def test_a_manifest_is_json_with_sorted_keys_and_utc_times(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery(window_end_at=datetime(2026, 1, 2, tzinfo=UTC)))
    text = (tmp_path / "drops" / "orders" / f"{manifest.name}.manifest.json").read_text()
    value = json.loads(text)
    assert list(value) == sorted(value)
    assert value["window_end_at"] == "2026-01-02T00:00:00Z"
    assert value["min_event_at"] == "2026-01-01T00:00:00Z"
    assert value["received_at"] is None


def test_the_name_says_what_was_fetched() -> None:
    name = a_delivery().name
    assert name.startswith("drop-")
    assert name == a_delivery(window_end_at=datetime(2026, 1, 2, tzinfo=UTC)).name
    other = Origin("orders/b.ndjson", "0" * 64, 12, "ndjson")
    changed = {
        a_delivery(origin=other).name,
        a_delivery(contract_version="1.1").name,
        a_delivery(key_id="k2").name,
        a_delivery(kind="release", revision=1).name,
    }
    assert len(changed | {name}) == 5


def test_a_source_read_by_windows_has_them_in_the_name() -> None:
    january = a_delivery(is_named_by_window=True, window_end_at=datetime(2026, 2, 1, tzinfo=UTC))
    february = a_delivery(is_named_by_window=True, window_end_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert january.name.startswith("20260201-")
    assert february.name.startswith("20260301-")
    assert january.name[9:] != february.name[9:]


def test_files_are_synced_before_they_get_their_name_and_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut needs: data file, rename, folder; rejects likewise; manifest last."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def record_sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        kind = "folder" if path.is_dir() else "rejects" if "rejects" in path.name else "data"
        steps.append(f"sync {'manifest' if 'manifest' in path.name else kind}")
        fsync(descriptor)

    def record_rename(path: Path, target: Path) -> Path:
        kind = "manifest" if "manifest" in target.name else "data"
        steps.append(f"rename {'rejects' if 'rejects' in target.name else kind}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_rename)
    land(tmp_path, a_delivery())
    assert steps == [
        *("sync data", "rename data", "sync folder"),
        *("sync rejects", "rename rejects", "sync folder"),
        *("sync manifest", "rename manifest", "sync folder"),
    ]


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with landing.draft(tmp_path, a_delivery()) as draft:
            pq.write_table(pa.table({"a": [1]}), draft.data)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "drops" / "orders").iterdir()) == []


KILLED = """
from pathlib import Path
import sys
sys.path.insert(0, {root!r})
from tests.unit.ingestion.test_landing import a_delivery, land
land(Path({directory!r}), a_delivery())
"""


@pytest.mark.parametrize(
    "place", ["before_data", "after_data", "after_rejects", "before_manifest", "after_file"]
)
def test_a_kill_between_any_two_steps_loses_nothing_and_leaves_no_half_file(
    tmp_path: Path, place: str
) -> None:
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run(
        [sys.executable, "-c", KILLED.format(root=str(root), directory=str(tmp_path))],
        env=os.environ | {"SETAE_FAILPOINT": f"fetch:{place}"},
        check=False,
    )
    assert run.returncode == 137
    landed = list(landing.iter_manifests(tmp_path))
    assert len(landed) == (1 if place == "after_file" else 0)
    landing.sweep(tmp_path)
    left = [path.name for path in (tmp_path / "drops" / "orders").iterdir()]
    assert len(left) == (3 if place == "after_file" else 0)
    manifest = land(tmp_path, a_delivery())
    assert list(landing.iter_manifests(tmp_path)) == [manifest]
    landing.verify(manifest, tmp_path)


def test_of_two_fetches_of_one_drop_the_first_to_land_stands(tmp_path: Path) -> None:
    """Their windows date the rows differently, and the name does not tell windows apart."""
    early = a_delivery(received_at=datetime(2026, 11, 22, tzinfo=UTC))
    late = a_delivery(received_at=datetime(2026, 11, 23, tzinfo=UTC))
    assert early.name == late.name
    with (
        landing.draft(tmp_path, early) as first,
        landing.draft(tmp_path, late) as second,
    ):
        for draft in (first, second):
            pq.write_table(pa.table({"at": [str(draft.delivery.received_at)]}), draft.data)
        landed = landing.land(tmp_path, second, Facts(good_count=1, rejected_count=0))
        again = landing.land(tmp_path, first, Facts(good_count=1, rejected_count=0))
    assert again == landed
    assert landed.received_at == late.received_at
    landing.verify(landed, tmp_path)
    assert landing.sweep(tmp_path) == []


def test_sweeping_keeps_what_manifests_name(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery())
    folder = tmp_path / "drops" / "orders"
    (folder / ".x.parquet.tmp").write_bytes(b"half")
    (folder / "orphan.parquet").write_bytes(b"whole, without manifest")
    removed = {path.name for path in landing.sweep(tmp_path)}
    assert removed == {".x.parquet.tmp", "orphan.parquet"}
    landing.verify(manifest, tmp_path)


def test_sweeping_stays_away_while_the_source_is_fetched(tmp_path: Path) -> None:
    land(tmp_path, a_delivery())
    half = tmp_path / "drops" / "orders" / ".x.parquet.tmp"
    half.write_bytes(b"being written")
    with landing.fetching(tmp_path, "drops"):
        assert landing.sweep(tmp_path) == []
    assert half.exists()
    assert landing.sweep(tmp_path) == [half]


def test_sweeping_an_empty_home_is_fine(tmp_path: Path) -> None:
    assert landing.sweep(tmp_path / "landing") == []


@pytest.mark.parametrize("suffix", [".parquet", ".rejects.parquet"])
def test_a_changed_byte_is_found(tmp_path: Path, suffix: str) -> None:
    manifest = land(tmp_path, a_delivery())
    path = tmp_path / "drops" / "orders" / f"{manifest.name}{suffix}"
    data = bytearray(path.read_bytes())
    data[10] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="fetch the source again"):
        landing.verify(manifest, tmp_path)


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery())
    landing.data_path(manifest, tmp_path).unlink()
    with pytest.raises(StorageError, match="missing"):
        landing.verify(manifest, tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"manifest_version": 1}', "not json", '{"manifest_version": 1, "x":']
)
def test_a_damaged_manifest_is_one_clear_line(tmp_path: Path, text: str) -> None:
    manifest = land(tmp_path, a_delivery())
    (tmp_path / "drops" / "orders" / f"{manifest.name}.manifest.json").write_text(text)
    with pytest.raises(DamagedFile) as caught:
        list(landing.iter_manifests(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_manifest_of_a_later_version_is_refused(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery())
    path = tmp_path / "drops" / "orders" / f"{manifest.name}.manifest.json"
    path.write_text(path.read_text().replace('"manifest_version": 1', '"manifest_version": 2'))
    with pytest.raises(StorageError, match="manifest version 2"):
        list(landing.iter_manifests(tmp_path))


def test_counts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    manifest = land(tmp_path, a_delivery())
    path = tmp_path / "drops" / "orders" / f"{manifest.name}.manifest.json"
    path.write_text(path.read_text().replace('"good_count": 2', '"good_count": 1'))
    with pytest.raises(DamagedFile, match="received is not good plus rejected"):
        list(landing.iter_manifests(tmp_path))


def test_manifests_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        land(tmp_path, a_delivery(origin=Origin(name, "0" * 64, 1, "csv")), with_rejects=False)
    land(tmp_path, a_delivery(entity="customers"), with_rejects=False)
    ids = [manifest.file_id for manifest in landing.iter_manifests(tmp_path)]
    assert ids == sorted(ids)
    assert len(ids) == 4
