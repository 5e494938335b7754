"""Searching, sorting and paging in the simulated shop, asked over HTTP."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest

from ingestion.synthetic.shopify.shop import Shop
from tests.unit.ingestion.synthetic.shopify.asking import ask, number, post
from tests.worlds import shop as world

PAGE = """query ($first: Int, $after: String, $query: String, $key: OrderSortKeys, $back: Boolean) {
  orders(first: $first, after: $after, query: $query, sortKey: $key, reverse: $back) {
    nodes { id updatedAt } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def search(shop: Shop, query: str) -> list[int]:
    found = ask(shop, PAGE, first=100, query=query, key="ID")
    return [number(order["id"]) for order in found["orders"]["nodes"]]


def walk(shop: Shop, first: int, **arguments: object) -> list[list[int]]:
    pages, after = [], None
    while True:
        page = ask(shop, PAGE, first=first, after=after, **arguments)["orders"]
        pages.append([number(order["id"]) for order in page["nodes"]])
        if not page["pageInfo"]["hasNextPage"]:
            return pages
        after = page["pageInfo"]["endCursor"]


def test_pages_of_a_window_hold_every_order_once(shop: Shop) -> None:
    pages = walk(shop, 25, key="UPDATED_AT", back=False)
    assert [len(page) for page in pages] == [25, 25, 10]
    assert sorted(order for page in pages for order in page) == list(range(1, 61))


def test_orders_changed_in_one_second_are_paged_by_id(shop: Shop) -> None:
    window = f"updated_at:>='{world.TAGGED_AT.isoformat()}'"
    pages = walk(shop, 1, key="UPDATED_AT", query=window)
    # Day 28, 08:00 is also when order 57 was made; it was paid a minute later. 58 to 60 follow.
    assert pages == [[45], [46], [47], [57], [58], [59], [60]]


def test_reverse_turns_the_order_round(shop: Shop) -> None:
    pages = walk(shop, 40, key="CREATED_AT", back=True)
    assert [order for page in pages for order in page] == list(range(60, 0, -1))


@pytest.mark.parametrize(
    ("query", "orders"),
    [
        # Order n was made at day (n - 1) / 2; 3 at 2026-05-02T08:00:00Z, 5 one day later.
        (
            "created_at:>='2026-05-02T08:00:00Z' AND created_at:<'2026-05-03T08:00:00Z'",
            [3, 4],
        ),
        ("created_at:>2026-05-02T08:00:00Z created_at:<=2026-05-03T08:00:00+00:00", [4, 5]),
        ("created_at:<'2026-05-02T08:00:00.500Z'", [1, 2, 3]),
        ("created_at:>='2026-05-02T08:00:00.500Z' AND created_at:<'2026-05-03T08:00:00Z'", [4]),
        # A day is a day of the shop: 2 May in Berlin ends at 22:00 UTC.
        ("created_at:2026-05-02", [3, 4]),
        ("id:5000000007", [7]),
        ("id:5000000007 OR id:5000000009", [7, 9]),
        ("(id:5000000007 OR id:5000000009) AND -id:5000000007", [9]),
        ("id:<=5000000003 NOT id:5000000002", [1, 3]),
        ("name:'#1015'", [15]),
        ("test:true", [world.TEST]),
        ("source_name:pos", [world.POS]),
        ("discount_code:MIRA10", [21, 22, 23, 27]),
        ("customer_id:7000000002", [2, 42]),
    ],
)
def test_the_search_finds_what_it_says(shop: Shop, query: str, orders: list[int]) -> None:
    assert search(shop, query) == orders


def test_an_update_moves_an_order_into_a_later_window(shop: Shop) -> None:
    window = "updated_at:>='2026-05-11T08:00:00Z' AND updated_at:<'2026-05-11T08:00:01Z'"
    assert search(shop, window) == [world.PARTLY_REFUNDED]


def test_a_misspelt_field_is_left_out_with_a_warning(shop: Shop) -> None:
    response = post(shop, PAGE, {"first": 5, "query": "updatedAt:>'2030-01-01' AND id:5000000002"})
    content = response.json()
    # `updatedAt` has a capital: it is read as a word, and only the id is searched.
    assert [number(order["id"]) for order in content["data"]["orders"]["nodes"]] == [2]
    [warned] = content["extensions"]["search"]
    assert warned["path"] == ["orders"]
    assert warned["warnings"][0]["code"] == "invalid_field"
    whole = post(shop, PAGE, {"first": 100, "query": "update_at:>'2030-01-01'"}).json()
    assert len(whole["data"]["orders"]["nodes"]) == 60
    assert whole["extensions"]["search"][0]["warnings"] == [
        {
            "field": "update_at",
            "message": "Invalid search field for this query.",
            "code": "invalid_field",
        }
    ]


def test_a_value_that_is_no_instant_is_left_out_with_a_warning(shop: Shop) -> None:
    content = post(shop, PAGE, {"first": 100, "query": "updated_at:>yesterday"}).json()
    assert len(content["data"]["orders"]["nodes"]) == 60
    assert content["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_value"


def test_an_order_that_changes_between_two_pages_comes_again(shop: Shop) -> None:
    first = ask(shop, PAGE, first=30, key="UPDATED_AT")["orders"]
    moved = number(first["nodes"][0]["id"])
    shop.now += timedelta(hours=1)
    shop.touch(world.order(moved))
    second = ask(shop, PAGE, first=100, key="UPDATED_AT", after=first["pageInfo"]["endCursor"])[
        "orders"
    ]
    orders = [number(order["id"]) for order in second["nodes"]]
    assert len(orders) == 31
    assert orders[-1] == moved
    assert second["nodes"][-1]["updatedAt"] == "2026-06-10T01:00:00Z"


def test_page_info_says_where_the_page_is(shop: Shop) -> None:
    page = ask(shop, PAGE, first=60, key="ID")["orders"]
    assert page["pageInfo"]["hasNextPage"] is False
    assert page["pageInfo"]["hasPreviousPage"] is False
    empty = ask(shop, PAGE, first=5, key="ID", after=page["pageInfo"]["endCursor"])["orders"]
    assert empty["nodes"] == []
    assert empty["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": None,
        "endCursor": None,
    }


def test_last_and_before_page_backwards(shop: Shop) -> None:
    query = """query ($c: String) { orders(last: 2, before: $c, sortKey: ID) {
      edges { cursor node { id } } } }"""
    edges = ask(shop, query)["orders"]["edges"]
    assert [number(edge["node"]["id"]) for edge in edges] == [59, 60]
    edges = ask(shop, query, c=edges[0]["cursor"])["orders"]["edges"]
    assert [number(edge["node"]["id"]) for edge in edges] == [57, 58]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sortKey: ID", "you must provide one of first or last"),
        ("first: 251", "first must be between 1 and 250"),
        ('first: 5, after: "nonsense"', "Invalid cursor for current pagination sort."),
    ],
)
def test_a_page_that_cannot_be_is_an_error(shop: Shop, arguments: str, message: str) -> None:
    content = post(shop, f"{{ orders({arguments}) {{ nodes {{ id }} }} }}").json()
    assert content["data"] is None
    assert [error["message"] for error in content["errors"]] == [message]


def test_a_list_cannot_be_paged_beyond_its_limit(shop: Shop) -> None:
    shop.paging_limit = 50
    first = ask(shop, PAGE, first=50, key="ID")["orders"]
    assert first["pageInfo"]["hasNextPage"] is True
    content = post(
        shop, PAGE, {"first": 50, "key": "ID", "after": first["pageInfo"]["endCursor"]}
    ).json()
    assert content["data"] is None
    assert "limited to 50 objects" in content["errors"][0]["message"]


def test_a_cursor_names_the_last_object_and_not_its_place(shop: Shop) -> None:
    page = ask(shop, PAGE, first=1, key="ID")["orders"]
    text = base64.b64decode(page["pageInfo"]["endCursor"]).decode()
    assert text == '{"last_id":5000000001,"last_value":"5000000001"}'


def test_the_lines_of_an_order_are_paged_too(shop: Shop) -> None:
    query = """query ($id: ID!, $after: String) { order(id: $id) {
      lineItems(first: 1, after: $after) { nodes { sku } pageInfo { hasNextPage endCursor } } } }"""
    gid = f"gid://shopify/Order/{world.order(1)}"
    first = ask(shop, query, id=gid)["order"]["lineItems"]
    assert first["nodes"] == [{"sku": "SKU-1"}]
    assert first["pageInfo"]["hasNextPage"] is True
    second = ask(shop, query, id=gid, after=first["pageInfo"]["endCursor"])["order"]["lineItems"]
    assert second["nodes"] == [{"sku": "SKU-2"}]
    assert second["pageInfo"]["hasNextPage"] is False


def test_orders_are_counted(shop: Shop) -> None:
    data = ask(
        shop,
        "{ all: ordersCount { count precision } some: ordersCount(limit: 7) { count precision } }",
    )
    assert data == {
        "all": {"count": 60, "precision": "EXACT"},
        "some": {"count": 7, "precision": "AT_LEAST"},
    }
