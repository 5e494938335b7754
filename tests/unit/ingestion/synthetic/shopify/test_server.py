"""The simulated shop as people start it, and its rows against the tables they come from."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psutil
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ingestion.synthetic.shopify.database import ShopDatabase
from ingestion.synthetic.shopify.money import allocate, decimal_text, money_text
from ingestion.synthetic.shopify.server import open_world, run
from ingestion.synthetic.shopify.shop import Shop
from setae.errors import ConfigError, DataError
from tests.unit.ingestion.synthetic.shopify.asking import ask, client
from tests.worlds import shop as world


@pytest.fixture
def folder(shop_folder: Path, tmp_path: Path) -> Path:
    """A world with the hand-made shop."""
    shutil.copytree(shop_folder, tmp_path / "world" / "shop")
    (tmp_path / "world" / "world.json").write_text(
        '{"as_of": "2026-05-20T00:00:00+00:00", "business_timezone": "Europe/Berlin"}'
    )
    return tmp_path / "world"


@pytest.fixture
def served(folder: Path) -> Iterator[tuple[list[str], psutil.Process]]:
    environment = {**os.environ, "COLUMNS": "500", "NO_COLOR": "1"}
    starter = "from setae.cli import main; main()"
    command = [sys.executable, "-c", starter, "simulate", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield (
                [process.stdout.readline(), process.stdout.readline()],
                psutil.Process(process.pid),
            )
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_the_command_serves_on_loopback_only_and_says_where_the_token_is(
    folder: Path, served: tuple[list[str], psutil.Process]
) -> None:
    (address, about), process = served
    listening = {
        connection.laddr.ip
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    token = folder / "shop_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert str(token) in about
    secret = token.read_text().strip()
    assert re.fullmatch(r"shpat_[0-9a-f]{32}", secret)
    assert secret not in address + about
    response = client.post(
        address.strip(),
        json={"query": "{ ordersCount { count } }"},
        headers={"X-Shopify-Access-Token": secret},
    )
    # The world ends on 20 May, 00:00: order 38 was made on 19 May, 20:00.
    assert response.json()["data"] == {"ordersCount": {"count": 38}}


def test_the_token_may_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETAE_SHOP_TOKEN", "shpat_mine")
    shop, place = open_world(folder)
    assert (shop.token, place) == ("shpat_mine", "SETAE_SHOP_TOKEN")
    assert not (folder / "shop_token").exists()


def test_a_token_once_made_is_kept(folder: Path) -> None:
    assert open_world(folder)[0].token == open_world(folder)[0].token


def test_a_world_without_a_shop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="simulate world --shop shopify"):
        open_world(tmp_path)


def test_a_taken_port_is_refused(shop: Shop) -> None:
    from ingestion.synthetic.shopify.server import serve

    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ConfigError, match="choose another"):
            serve(shop, taken.getsockname()[1], started=lambda _address: None)


def test_every_order_and_line_is_told_as_it_stands_in_the_tables(
    shop: Shop, shop_folder: Path
) -> None:
    data = ask(
        shop,
        """{ orders(first: 250, sortKey: ID) { nodes { legacyResourceId
          totalPriceSet { shopMoney { amount } }
          lineItems(first: 10) { nodes { id
            discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } } } } } } }""",
    )
    told = {
        int(order["legacyResourceId"]): Decimal(order["totalPriceSet"]["shopMoney"]["amount"])
        for order in data["orders"]["nodes"]
    }
    table = pq.read_table(shop_folder / "orders.parquet")
    assert told == dict(zip(table["order_id"].to_pylist(), table["total"].to_pylist(), strict=True))
    lines = sum(
        Decimal(line["discountedTotalSet"]["shopMoney"]["amount"])
        for order in data["orders"]["nodes"]
        for line in order["lineItems"]["nodes"]
    )
    assert lines == pc.sum(pq.read_table(shop_folder / "order_lines.parquet")["net_amount"]).as_py()


def test_a_large_shop_is_paged_to_its_end(tmp_path: Path) -> None:
    database = ShopDatabase.load(world.write_shop(tmp_path, orders=1_000))
    shop = Shop(database, "shpat_large")
    query = """query ($after: String) { orders(first: 250, after: $after, sortKey: UPDATED_AT) {
      nodes { id } pageInfo { hasNextPage endCursor } } }"""
    seen: list[str] = []
    after = None
    with run(shop):
        while True:
            page = ask(shop, query, after=after)["orders"]
            seen += [order["id"] for order in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
    assert len(seen) == len(set(seen)) == 1_000
    assert len(shop.log) == 4


@pytest.mark.parametrize(
    ("cents", "decimal", "money"),
    [
        (0, "0.0", "0.00"),
        (5, "0.05", "0.05"),
        (50, "0.5", "0.50"),
        (40_000, "400.0", "400.00"),
        (-1_250, "-12.5", "-12.50"),
        (123_456_789_012, "1234567890.12", "1234567890.12"),
    ],
)
def test_amounts_are_written_as_shopify_writes_them(cents: int, decimal: str, money: str) -> None:
    assert (decimal_text(cents), money_text(cents)) == (decimal, money)


def test_discounts_are_split_so_that_lines_and_codes_both_hold() -> None:
    # Lines 7, 5 and 3; codes 4 and 10; one cent of the last line is nobody's.
    cells = allocate([7, 5, 3], [4, 10])
    assert cells == [[4, 3], [0, 5], [0, 2]]
