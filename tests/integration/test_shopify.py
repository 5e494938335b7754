"""Pulling survives whatever ends it: every page, every step of landing, the disk, the clock.

A killed fetch is a process of its own that ends as by SIGKILL at a fail point; what it leaves is on
disk as it would be. Its working folder is either left there or lost with the worker.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as examples, strategies as st

from ingestion import extraction, landing
from ingestion.sources.shopify import streams
from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.server import Host, listen
from setae import failpoints, stages
from setae.errors import SetaeError, StorageError
from setae.warehouse import Home, connect
from tests import searching
from tests.worlds import shop as world
from tests.worlds.pulling import TOKEN, Pull, pulling


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with listen() as made:
        yield made


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.write_shop(tmp_path_factory.mktemp("shop") / "shop")


def home(host: Host, place: Path, small_shop: Path, **options: Any) -> Any:
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "shop").exists():
        (place / "shop").symlink_to(small_shop)
    return pulling(host, place, **options)


def kill(one: Pull, place: str) -> int:
    """Fetch in a process of its own that dies at a fail point; gives how it ended."""

    def body() -> None:
        os.environ["SETAE_FAILPOINT"] = place
        failpoints._passed.clear()
        code = 1
        try:
            one.fetch()
            code = 0
        finally:
            os._exit(code)

    process = multiprocessing.get_context("fork").Process(target=body)
    process.start()
    process.join(timeout=120)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode or 0


def lose_worker(one: Pull) -> None:
    shutil.rmtree(Home(one.settings.home).extracts, ignore_errors=True)


def load(one: Pull) -> dict[str, int]:
    """Load what has landed; the distinct records of each raw table, and that the ledger adds up."""
    stages.load(one.settings)
    with connect(one.settings, read_only=True) as connection:
        wrong = connection.execute(
            "select file_id from ops.loaded_files where received_count "
            "<> loaded_count + duplicate_count + quarantined_count + erased_count "
            "or parked_count > 0 or rejected_count > 0"
        ).fetchall()
        assert wrong == []
        found = {}
        for (entity,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'raw_shopify'"
        ).fetchall():
            counts = connection.execute(
                f"select count(*), count(distinct (_record_key, _record_hash)), "
                f"count(distinct _record_key) from raw_shopify.{entity}"
            ).fetchone()
            assert counts is not None
            assert counts[0] == counts[1], f"{entity} holds a version twice"
            found[entity] = counts[2]
    return found


def sizes(one: Pull) -> dict[str, int]:
    return {entity: len(rows) for entity, rows in one.expected().items()}


# A fetch of the shop passes seven pages: products, codes, customers (2), orders (3).
KILLS = [
    *(f"extract:after_page:{page}" for page in range(1, 8)),
    "extract:before_file:1",
    "fetch:before_data:5",
    "fetch:after_data:6",
    "fetch:before_manifest:4",
    "extract:after_file:6",
    "extract:before_state:1",
    "extract:after_state:2",
]


@pytest.mark.parametrize("place", KILLS)
def test_a_fetch_that_is_killed_loses_and_doubles_nothing(
    host: Host, tmp_path: Path, small_shop: Path, place: str
) -> None:
    with home(host, tmp_path, small_shop) as one:
        assert kill(one, place) == 137
        # Every second kill takes the worker's disk with it.
        if KILLS.index(place) % 2:
            lose_worker(one)
        landing.sweep(Home(one.settings.home).landing)
        one.fetch()
        assert one.landed() == one.expected()
        assert list(Home(one.settings.home).extracts.iterdir()) == []
        if place.startswith(("extract:after_page", "fetch:")):
            return
        assert load(one) == sizes(one)


def test_a_killed_second_fetch_goes_on_from_what_landed(
    host: Host, tmp_path: Path, small_shop: Path
) -> None:
    with home(host, tmp_path, small_shop, now=world.made(30)) as one:
        one.fetch()
        load(one)
        one.shop.now = world.END
        for place in ("extract:after_page:4", "extract:after_file:7", "extract:before_state:4"):
            assert kill(one, place) == 137
            lose_worker(one)
        one.fetch()
        assert one.landed() == one.expected()
        assert load(one) == sizes(one)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, StorageError("disk full")])
@pytest.mark.parametrize("place", ["extract:after_page", "extract:before_file"])
def test_what_stops_a_fetch_stops_it_and_is_what_one_sees(
    host: Host,
    tmp_path: Path,
    small_shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: Any,
    place: str,
) -> None:
    def stop_there(name: str) -> None:
        if name == place:
            raise stop

    for module in (extraction, streams):
        monkeypatch.setattr(module, "failpoint", stop_there)
    with home(host, tmp_path, small_shop) as one:
        with pytest.raises(stop if isinstance(stop, type) else type(stop)):
            one.fetch()
        assert not one.state.exists()


# -- whatever happens, in whatever order ----------------------------------------------------------


class Killed(BaseException):
    """Stands in for the end of the process, so that many can be tried in one."""


STEPS = st.lists(
    st.one_of(
        st.just(("fetch", 0)),
        st.tuples(st.just("crash"), st.integers(1, 40)),
        st.tuples(st.just("touch"), st.integers(1, 60)),
        st.tuples(st.just("advance"), st.integers(1, 400)),
        st.tuples(st.just("backfill"), st.integers(1, 30)),
        st.tuples(st.just("lose"), st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


@examples(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_any_sequence_and_then_a_clean_fetch_ends_with_the_shop_s_rows(
    host: Host,
    small_shop: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[tuple[str, int]],
) -> None:
    place = tmp_path_factory.mktemp("sequence")
    with home(host, place, small_shop, now=world.made(20)) as one:
        for step, number in steps:
            if step == "fetch":
                one.fetch()
            elif step == "crash":
                crash(one, number, monkeypatch)
            elif step == "touch" and world.made(number) < one.shop.now:
                one.shop.touch(world.order(number), one.shop.now - timedelta(seconds=30))
            elif step == "advance":
                one.shop.now += timedelta(hours=number)
            elif step == "backfill":
                end = world.START + timedelta(days=number)
                one.fetch(end - timedelta(days=3), min(end, one.shop.now))
            elif step == "lose":
                lose_worker(one)
        # The clock goes on, so that whatever was touched last has settled.
        one.shop.now += timedelta(days=8)
        one.fetch()
        assert one.landed() == one.expected(one.shop.now - timedelta(seconds=60))
        seen = one.expected(one.shop.now - timedelta(seconds=60))
        assert load(one) == {entity: len(rows) for entity, rows in seen.items()}


def crash(one: Pull, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch until the `number`-th fail point on the way; a shorter way ends well."""
    passed = 0

    def die_there(_: str) -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            raise Killed

    with monkeypatch.context() as patch:
        for module in (extraction, landing, streams):
            patch.setattr(module, "failpoint", die_there)
        with suppress(Killed):
            one.fetch()


# -- nobody's name, and no token ------------------------------------------------------------------

CANARIES = ("canary", "491517248", TOKEN, TOKEN.removeprefix("shpat_"))
"""E-mail addresses, names and streets begin with it; phone numbers; the token with and without
its head."""


def test_no_name_address_phone_or_token_is_in_any_byte(
    host: Host, tmp_path: Path, small_shop: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with home(host, tmp_path, small_shop) as one:
        # The working folder as a killed fetch leaves it, with files that were about to land.
        assert kill(one, "extract:before_file:6") == 137
        left = list(Home(one.settings.home).extracts.rglob("*"))
        assert any(path.suffix == ".parquet" for path in left)
        assert searching.find(Home(one.settings.home).extracts, CANARIES) == []
        assert searching.find(Home(one.settings.home).extracts, ["k1_"])  # people, as pseudonyms
        told = []
        for fault in (
            Fault("access_denied", root="orders", denied="Order.email"),
            Fault("server_error", root="orders", times=6),
            Fault("no_page_info", root="orders", page=2),
            Fault("unauthorized", root="customers"),
        ):
            one.shop.faults.add(fault)
            with pytest.raises(SetaeError) as caught:
                one.fetch()
            told += [str(caught.value), repr(caught.value)]
            one.shop.faults.clear()
        one.fetch()
        stages.load(one.settings)
        told += [record.getMessage() for record in caplog.records]
        assert not any(canary in text.lower() for text in told for canary in CANARIES)
        assert searching.find(one.settings.home, CANARIES) == []
