"""Protocol and faults of the simulated shop, seen by a plain HTTP client."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from ingestion.synthetic.shopify.faults import KINDS, Fault
from ingestion.synthetic.shopify.shop import Shop
from tests.unit.ingestion.synthetic.shopify.asking import ask, client, codes, post
from tests.worlds import shop as world

PAGE = """query ($after: String) { orders(first: 20, after: $after, sortKey: UPDATED_AT) {
  nodes { id email } pageInfo { hasNextPage endCursor } } }"""


def next_page(shop: Shop, after: str | None = None) -> dict[str, Any]:
    return ask(shop, PAGE, after=after)["orders"]


# --- the protocol -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2026-10", "2026-10"),
        ("2026-07", "2026-07"),
        ("2024-01", "2026-01"),
        ("unstable", "unstable"),
    ],
)
def test_the_version_of_the_answer_is_told(shop: Shop, asked: str, answered: str) -> None:
    response = post(shop, "{ shop { name } }", version=asked)
    assert response.json()["data"] == {"shop": {"name": "demo"}}
    assert response.headers["X-Shopify-API-Version"] == answered


@pytest.mark.parametrize("asked", ["2026-09", "2027-01", "latest"])
def test_a_version_that_never_was_is_not_found(shop: Shop, asked: str) -> None:
    assert post(shop, "{ shop { name } }", version=asked).status_code == 404


def test_each_answer_has_a_request_id(shop: Shop) -> None:
    ids = [post(shop, "{ shop { name } }").headers["X-Request-Id"] for _ in range(2)]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("token", ["", "shpat_wrong"])
def test_a_wrong_token_is_refused(shop: Shop, token: str) -> None:
    response = post(shop, "{ shop { name } }", headers={"X-Shopify-Access-Token": token})
    assert response.status_code == 401
    assert response.json()["errors"].startswith("[API] Invalid API key or access token")


def test_a_body_that_is_no_query_is_refused(shop: Shop) -> None:
    url = f"{shop.address}/admin/api/2026-10/graphql.json"
    headers = {"X-Shopify-Access-Token": shop.token, "Content-Type": "application/json"}
    assert client.post(url, content=b"nonsense", headers=headers).status_code == 400
    assert client.get(url, headers=headers).status_code == 405
    assert client.get(f"{shop.address}/admin/orders.json", headers=headers).status_code == 404


def test_an_unknown_field_is_named(shop: Shop) -> None:
    response = post(shop, "query Some { orders(first: 1) { nodes { id, shipping } } }")
    [error] = response.json()["errors"]
    assert error == {
        "message": "Field 'shipping' doesn't exist on type 'Order'",
        "locations": [{"line": 1, "column": 45}],
        "path": ["query Some", "orders", "nodes", "shipping"],
        "extensions": {
            "code": "undefinedField",
            "typeName": "Order",
            "fieldName": "shipping",
        },
    }
    assert "data" not in response.json()
    assert shop.log[-1].requested is None


@pytest.mark.parametrize(
    ("query", "variables", "words"),
    [
        ("{ orders(first: 1, size: 2) { nodes { id } } }", {}, "size"),
        ("{ orders(first: 1, sortKey: NEWEST) { nodes { id } } }", {}, "NEWEST"),
        ("query ($n: Int!) { orders(first: $n) { nodes { id } } }", {}, "$n"),
        ("query ($n: Int!) { orders(first: $n) { nodes { id } } }", {"n": "many"}, "$n"),
        ("{ orders(first: 1) { nodes { id } ", {}, "Syntax Error"),
        ("{ orders(first: 1) }", {}, "orders"),
    ],
)
def test_a_query_that_is_wrong_is_answered_with_errors_and_no_data(
    shop: Shop, query: str, variables: dict[str, Any], words: str
) -> None:
    content = post(shop, query, variables).json()
    assert "data" not in content
    assert words in content["errors"][0]["message"]


def test_one_of_several_operations_is_chosen_by_name(shop: Shop) -> None:
    response = client.post(
        f"{shop.address}/admin/api/2026-10/graphql.json",
        json={
            "query": "query A { shop { name } } query B { shop { currencyCode } }",
            "operationName": "B",
        },
        headers={"X-Shopify-Access-Token": shop.token},
    )
    assert response.json()["data"] == {"shop": {"currencyCode": "EUR"}}


def test_the_log_tells_what_was_asked_and_how_long_the_client_waited(shop: Shop) -> None:
    next_page(shop)
    shop.advance(1.5)
    post(shop, "{ shop { name } }")
    orders, about = shop.log
    assert (orders.roots, orders.status, orders.requested, orders.actual) == (["orders"], 200, 7, 7)
    assert about.roots == ["shop"]
    assert shop.waits() == [1.5]
    assert len(shop.requests("orders")) == 1


# --- faults -------------------------------------------------------------------------------------


def test_a_throttled_request_can_be_repeated_when_the_bucket_says_so(shop: Shop) -> None:
    shop.faults.add(Fault("throttled", available=1))
    response = post(shop, PAGE)
    assert codes(response) == ["THROTTLED"]
    cost = response.json()["extensions"]["cost"]
    # 2 + floor(2 ln 20) x 1 = 7 points, one is there, 100 a second come.
    assert (cost["requestedQueryCost"], cost["throttleStatus"]["currentlyAvailable"]) == (7, 1)
    assert codes(post(shop, PAGE)) == ["THROTTLED"]
    shop.advance(0.06)
    assert "errors" not in post(shop, PAGE).json()


@pytest.mark.parametrize("with_id", [True, False])
def test_an_internal_error_comes_with_a_200(shop: Shop, with_id: bool) -> None:
    shop.faults.add(Fault("internal_error", request_id=with_id))
    response = post(shop, PAGE)
    assert codes(response) == ["INTERNAL_SERVER_ERROR"]
    [error] = response.json()["errors"]
    assert ("requestId" in error["extensions"]) == with_id
    assert ("Request ID" in error["message"]) == with_id
    assert "data" not in response.json()
    assert "data" in post(shop, PAGE).json()


@pytest.mark.parametrize("after", ["2.0", None])
def test_too_many_requests_may_say_when_to_come_again(shop: Shop, after: str | None) -> None:
    shop.faults.add(Fault("too_many_requests", retry_after=after))
    response = post(shop, PAGE)
    assert response.status_code == 429
    assert response.headers.get("Retry-After") == after


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault("security_rejection"), 430),
        (Fault("server_error"), 500),
        (Fault("server_error", status=502), 502),
        (Fault("server_error", status=503), 503),
        (Fault("server_error", status=504), 504),
        (Fault("unauthorized"), 401),
        (Fault("payment_required"), 402),
        (Fault("forbidden"), 403),
        (Fault("not_found"), 404),
        (Fault("locked"), 423),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_a_status_comes_once_and_then_the_page(shop: Shop, fault: Fault, status: int) -> None:
    fault.used = fault.passed = 0
    shop.faults.add(fault)
    assert post(shop, PAGE).status_code == status
    assert post(shop, PAGE).status_code == 200
    assert [entry.fault for entry in shop.log] == [fault.kind, None]


def test_an_inactive_shop_says_so_with_a_200(shop: Shop) -> None:
    shop.faults.add(Fault("shop_inactive", times=None))
    assert codes(post(shop, PAGE)) == ["SHOP_INACTIVE"]
    assert codes(post(shop, PAGE)) == ["SHOP_INACTIVE"]


def test_a_field_can_be_denied_although_its_scope_is_there(shop: Shop) -> None:
    shop.faults.add(Fault("access_denied", denied="Order.email"))
    content = post(shop, PAGE).json()
    assert {order["email"] for order in content["data"]["orders"]["nodes"]} == {None}
    assert {error["extensions"]["code"] for error in content["errors"]} == {"ACCESS_DENIED"}
    assert len(content["errors"]) == 20
    assert next_page(shop)["nodes"][0]["email"] == "canary.1@mail.example"


def test_a_connection_is_reset_within_the_body(shop: Shop) -> None:
    shop.faults.add(Fault("reset"))
    with pytest.raises(httpx.TransportError):
        post(shop, PAGE)
    assert len(next_page(shop)["nodes"]) == 20


def test_a_body_can_end_early_without_an_error_of_the_transport(shop: Shop) -> None:
    shop.faults.add(Fault("truncated"))
    response = post(shop, PAGE)
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_slow_body_runs_into_the_clients_timeout(shop: Shop) -> None:
    shop.faults.add(Fault("slow", interval=5.0))
    with pytest.raises(httpx.ReadTimeout):
        client.post(
            f"{shop.address}/admin/api/2026-10/graphql.json",
            json={"query": PAGE},
            headers={"X-Shopify-Access-Token": shop.token},
            timeout=0.05,
        )


@pytest.mark.parametrize(
    ("kind", "kind_of_body", "body"),
    [
        ("html", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("wrong_content_type", "text/plain", '{"data":'),
        ("empty_body", "application/json; charset=utf-8", ""),
        ("empty_data", "application/json; charset=utf-8", '{"data":{},'),
        ("null_data", "application/json; charset=utf-8", '{"data":null,'),
    ],
)
def test_a_200_is_not_always_a_page(shop: Shop, kind: str, kind_of_body: str, body: str) -> None:
    shop.faults.add(Fault(kind))
    response = post(shop, PAGE)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == kind_of_body
    assert response.text.startswith(body)
    assert bool(body) == bool(response.text)


def test_a_page_can_come_without_page_info(shop: Shop) -> None:
    shop.faults.add(Fault("no_page_info", root="orders", page=2))
    cursor = next_page(shop)["pageInfo"]["endCursor"]
    assert set(next_page(shop, cursor)) == {"nodes"}
    assert "pageInfo" in next_page(shop, cursor)


def test_a_cursor_can_come_again(shop: Shop) -> None:
    shop.faults.add(Fault("repeated_cursor", page=2))
    cursor = next_page(shop)["pageInfo"]["endCursor"]
    assert next_page(shop, cursor)["pageInfo"] == {"hasNextPage": True, "endCursor": cursor}


def test_cursors_can_go_on_for_ever(shop: Shop) -> None:
    shop.faults.add(Fault("endless_cursor", times=None))
    cursor, sizes = None, []
    for _ in range(6):
        page = next_page(shop, cursor)
        sizes.append(len(page["nodes"]))
        assert page["pageInfo"]["hasNextPage"] is True
        cursor = page["pageInfo"]["endCursor"]
        assert cursor is not None
    assert sizes == [20, 20, 20, 0, 0, 0]


def test_an_order_can_change_while_it_is_paged(shop: Shop) -> None:
    shop.faults.add(Fault("touch", page=2, order_id=world.order(1)))
    seen, cursor = [], None
    while True:
        page = next_page(shop, cursor)
        seen += [order["id"] for order in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        cursor = page["pageInfo"]["endCursor"]
    assert len(seen) == 61
    assert seen[0] == seen[-1]


def test_an_answer_can_be_of_another_version(shop: Shop) -> None:
    shop.faults.add(Fault("wrong_version"))
    assert post(shop, PAGE).headers["X-Shopify-API-Version"] == "2026-01"


def test_a_fault_finds_its_request_by_root_page_text_and_count(shop: Shop) -> None:
    shop.faults.add(
        Fault("internal_error", root="customers"),
        Fault("internal_error", contains=str(world.order(3))),
        Fault("internal_error", root="orders", page=2, times=2),
        Fault("internal_error", root="shop", after=1),
    )
    cursor = next_page(shop)["pageInfo"]["endCursor"]
    # The second page fails twice: a repeated page keeps its number.
    assert codes(post(shop, PAGE, {"after": cursor})) == ["INTERNAL_SERVER_ERROR"]
    assert codes(post(shop, PAGE, {"after": cursor})) == ["INTERNAL_SERVER_ERROR"]
    assert "errors" not in post(shop, PAGE, {"after": cursor}).json()
    by_id = "query ($id: ID!) { order(id: $id) { name } }"
    for order, fails in ((2, False), (3, True)):
        content = post(shop, by_id, {"id": f"gid://shopify/Order/{world.order(order)}"}).json()
        assert ("errors" in content) is fails
    assert "errors" not in post(shop, "{ shop { name } }").json()
    assert codes(post(shop, "{ shop { name } }")) == ["INTERNAL_SERVER_ERROR"]
    assert codes(post(shop, "{ customers(first: 1) { nodes { id } } }")) == [
        "INTERNAL_SERVER_ERROR"
    ]


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault named 'thunder'"):
        Fault("thunder")


# --- control from another process ---------------------------------------------------------------


def control(shop: Shop, method: str, what: str, content: Any = None) -> httpx.Response:
    return client.request(
        method,
        f"{shop.address}/control/{what}",
        json=content,
        headers={"X-Shopify-Access-Token": shop.token},
    )


def test_another_process_declares_faults_and_reads_the_log(shop: Shop) -> None:
    fault = {"kind": "server_error", "status": 503, "root": "orders"}
    assert control(shop, "POST", "faults", [fault]).json()["faults"] == 1
    assert post(shop, PAGE).status_code == 503
    [entry] = control(shop, "GET", "log").json()
    assert (entry["fault"], entry["status"], entry["roots"]) == ("server_error", 503, ["orders"])
    assert control(shop, "DELETE", "faults").json()["faults"] == 0


def test_another_process_moves_time_and_changes_orders(shop: Shop) -> None:
    control(shop, "POST", "clock", {"now": "2026-05-02T08:00:00Z"})
    assert len(next_page(shop)["nodes"]) == 3
    control(shop, "POST", "clock", {"advance": 2.5})
    assert shop.clock() == 2.5
    control(shop, "POST", "touch", {"order_id": world.order(1)})
    # Order 3 was made at this second too; the tie goes by id.
    assert [order["id"][-1] for order in next_page(shop)["nodes"]] == ["2", "1", "3"]
    control(shop, "POST", "app", {"scopes": ["read_orders"], "personal": False, "plan": "plus"})
    assert next_page(shop)["nodes"][0]["email"] is None
    assert shop.bucket.maximum == 20_000


def test_control_needs_the_token_and_known_words(shop: Shop) -> None:
    refused = client.get(f"{shop.address}/control/log")
    assert refused.status_code == 401
    assert control(shop, "POST", "faults", [{"kind": "thunder"}]).status_code == 400
    assert control(shop, "POST", "faults", [{"kind": "html", "loud": True}]).status_code == 400
    assert control(shop, "POST", "nothing", {}).status_code == 404


def test_every_kind_of_fault_is_described_on_its_page() -> None:
    from pathlib import Path

    root = Path(__file__).parents[5]
    page = (root / "docs" / "simulation" / "shopify.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []
