"""Bulk operations of the simulated shop, asked over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from ingestion.synthetic.shopify.faults import Fault
from ingestion.synthetic.shopify.shop import Shop
from tests.unit.ingestion.synthetic.shopify.asking import ask, client, number, post
from tests.worlds import shop as world

ORDERS = """{ orders(query: "created_at:<'2026-05-06T08:00:00Z'") { edges { node { id name
  lineItems { edges { node { id sku } } }
  discountApplications { edges { node { index } } } } } } }"""

RUN = """mutation ($query: String!, $grouped: Boolean! = false) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status } userErrors { code field message } } }"""

STATE = """query ($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt } }"""


def begin(shop: Shop, query: str = ORDERS, **variables: Any) -> str:
    payload = ask(shop, RUN, query=query, **variables)["bulkOperationRunQuery"]
    assert payload["userErrors"] == []
    assert payload["bulkOperation"]["status"] == "CREATED"
    return payload["bulkOperation"]["id"]


def poll(shop: Shop, identifier: str) -> dict[str, Any]:
    return ask(shop, STATE, id=identifier)["bulkOperation"]


def finish(shop: Shop, identifier: str) -> dict[str, Any]:
    for _ in range(50):
        state = poll(shop, identifier)
        if state["status"] not in {"CREATED", "RUNNING", "CANCELING"}:
            return state
    raise AssertionError(state)


def lines(state: dict[str, Any], key: str = "url") -> list[dict[str, Any]]:
    response = client.get(state[key])
    assert response.status_code == 200
    return [json.loads(line) for line in response.text.splitlines()]


def test_an_operation_moves_on_each_time_it_is_read(shop: Shop) -> None:
    shop.bulk.step = 4
    identifier = begin(shop)
    states = [poll(shop, identifier) for _ in range(4)]
    # Ten orders, four a step, two lines each.
    assert [state["status"] for state in states] == ["RUNNING", "RUNNING", "RUNNING", "COMPLETED"]
    assert [state["rootObjectCount"] for state in states] == ["0", "4", "8", "10"]
    assert [state["objectCount"] for state in states] == ["0", "12", "24", "30"]
    assert [state["url"] is None for state in states] == [True, True, True, False]
    assert states[3]["completedAt"] == "2026-06-10T00:00:00Z"


def test_children_name_their_parent_and_do_not_stand_beside_it(shop: Shop) -> None:
    rows = lines(finish(shop, begin(shop)))
    assert [number(row["id"]) for row in rows[:10]] == list(range(1, 11))
    assert rows[0] == {"id": "gid://shopify/Order/5000000001", "name": "#1001"}
    children = rows[10:]
    assert len(children) == 20
    assert children[0] == {
        "id": "gid://shopify/LineItem/50000000010",
        "sku": "SKU-1",
        "__parentId": "gid://shopify/Order/5000000001",
    }


def test_children_stand_beside_their_parent_when_grouped(shop: Shop) -> None:
    rows = lines(finish(shop, begin(shop, grouped=True)))
    assert ["__parentId" in row for row in rows] == [False, True, True] * 10


def test_the_size_of_the_file_is_told(shop: Shop) -> None:
    state = finish(shop, begin(shop))
    assert int(state["fileSize"]) == len(client.get(state["url"]).content)


def test_an_operation_without_a_row_has_no_file(shop: Shop) -> None:
    query = """{ orders(query: "id:1") { edges { node { id } } } }"""
    state = finish(shop, begin(shop, query))
    assert (state["status"], state["objectCount"], state["url"]) == ("COMPLETED", "0", None)


def test_connections_inside_objects_are_taken_out_too(shop: Shop) -> None:
    query = """{ orders(query: "id:5000000001") { nodes { id
      customerJourneySummary { ready moments { nodes { occurredAt } } } } } }"""
    rows = lines(finish(shop, begin(shop, query)))
    gid = "gid://shopify/Order/5000000001"
    assert rows == [
        {"id": gid, "customerJourneySummary": {"ready": True}},
        {"occurredAt": "2026-04-28T07:40:00Z", "__parentId": gid},
        {"occurredAt": "2026-05-01T07:40:00Z", "__parentId": gid},
    ]


def test_a_bulk_operation_costs_nothing_but_its_mutation(shop: Shop) -> None:
    before = shop.bucket.available()
    begin(shop)
    assert shop.bucket.available() == before - 10


def test_five_operations_run_at_a_time(shop: Shop) -> None:
    running = [begin(shop) for _ in range(5)]
    refused = ask(shop, RUN, query=ORDERS)["bulkOperationRunQuery"]
    assert refused["bulkOperation"] is None
    assert refused["userErrors"][0]["code"] == "LIMIT_REACHED"
    assert finish(shop, running[0])["status"] == "COMPLETED"
    assert ask(shop, RUN, query=ORDERS)["bulkOperationRunQuery"]["userErrors"] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { name } }", "must contain at least one connection"),
        ("{ orders { nodes { id } } customers { nodes { id } } }", "exactly one top-level field"),
        (
            """{ customers { nodes { id orders { nodes { id lineItems { nodes { id } }
              a: lineItems { nodes { id } } b: lineItems { nodes { id } }
              c: lineItems { nodes { id } } } } } } }""",
            "more than 5 connections",
        ),
        (
            """{ customers { nodes { id orders { nodes { id
              customerJourneySummary { moments { nodes { occurredAt } } }
              lineItems { nodes { id product { id variants { nodes { id } } } } } } } } } }""",
            "nesting depth greater than 2",
        ),
        (
            "{ orders { nodes { id refunds { id refundLineItems { nodes { quantity } } } } } }",
            "a connection field within a list field",
        ),
        ("{ orders { nodes { name lineItems { nodes { id } } } } }", "must select the 'id' field"),
        ("{ orders { nodes { nothing } } }", "Field 'nothing' doesn't exist on type 'Order'"),
        ("{ orders {", "Invalid bulk query: Syntax Error"),
        ('mutation { bulkOperationCancel(id: "1") { userErrors { message } } }', "a query"),
    ],
)
def test_a_query_that_bulk_operations_do_not_take_is_refused(
    shop: Shop, query: str, message: str
) -> None:
    refused = ask(shop, RUN, query=query)["bulkOperationRunQuery"]
    assert refused["bulkOperation"] is None
    [error] = refused["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID", ["query"])
    assert message in error["message"]


def test_plain_lists_are_written_with_their_parent(shop: Shop) -> None:
    query = f"""{{ orders(query: "id:{world.order(world.REFUNDED)}") {{ nodes {{ id
      refunds {{ id totalRefundedSet {{ shopMoney {{ amount }} }} }} }} }} }}"""
    [row] = lines(finish(shop, begin(shop, query)))
    amounts = [refund["totalRefundedSet"]["shopMoney"]["amount"] for refund in row["refunds"]]
    assert amounts == ["40.0", "29.9"]


def test_an_operation_can_be_canceled(shop: Shop) -> None:
    identifier = begin(shop)
    query = """mutation ($id: ID!) { bulkOperationCancel(id: $id) {
      bulkOperation { status } userErrors { message } } }"""
    payload = ask(shop, query, id=identifier)["bulkOperationCancel"]
    assert payload == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    assert finish(shop, identifier)["status"] == "CANCELED"
    again = ask(shop, query, id=identifier)["bulkOperationCancel"]
    assert "cannot be canceled" in again["userErrors"][0]["message"]


def test_operations_are_listed_and_found_as_nodes(shop: Shop) -> None:
    identifier = begin(shop)
    data = ask(
        shop,
        """query ($id: ID!) { node(id: $id) { ... on BulkOperation { status } }
          currentBulkOperation { id } bulkOperations(first: 5, query: "status:RUNNING") {
            nodes { id } } }""",
        id=identifier,
    )
    assert data == {
        "node": {"status": "RUNNING"},
        "currentBulkOperation": {"id": identifier},
        "bulkOperations": {"nodes": [{"id": identifier}]},
    }


def test_a_failed_operation_leaves_what_it_had(shop: Shop) -> None:
    shop.faults.add(Fault("bulk_failed", roots=3))
    state = finish(shop, begin(shop))
    assert (state["status"], state["errorCode"]) == ("FAILED", "INTERNAL_SERVER_ERROR")
    assert state["url"] is None
    # Three orders with two lines each.
    assert len(lines(state, "partialDataUrl")) == 9
    assert finish(shop, begin(shop))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "status"), [("bulk_canceled", "CANCELED"), ("bulk_expired", "EXPIRED")]
)
def test_an_operation_may_end_without_a_file(shop: Shop, kind: str, status: str) -> None:
    shop.faults.add(Fault(kind))
    state = finish(shop, begin(shop))
    assert (state["status"], state["url"], state["partialDataUrl"]) == (status, None, None)


def test_a_stuck_operation_stays_running(shop: Shop) -> None:
    shop.faults.add(Fault("bulk_stuck"))
    identifier = begin(shop)
    assert {poll(shop, identifier)["status"] for _ in range(10)} == {"RUNNING"}


def test_a_list_without_its_scope_fails_the_operation(shop: Shop) -> None:
    identifier = begin(shop)
    shop.scopes = frozenset()
    state = finish(shop, identifier)
    assert (state["status"], state["errorCode"]) == ("FAILED", "ACCESS_DENIED")


def test_the_address_of_a_file_needs_its_signature_and_ends_after_seven_days(shop: Shop) -> None:
    state = finish(shop, begin(shop))
    assert client.get(state["url"]).status_code == 200
    assert client.get(state["url"].split("?")[0]).status_code == 403
    assert shop.token not in state["url"]
    shop.now += timedelta(days=7, seconds=1)
    gone = client.get(state["url"])
    assert (gone.status_code, "ExpiredToken" in gone.text) == (403, True)


def test_an_address_can_be_gone_once(shop: Shop) -> None:
    state = finish(shop, begin(shop))
    shop.faults.add(Fault("bulk_url_expired"))
    assert client.get(state["url"]).status_code == 403
    assert client.get(state["url"]).status_code == 200


def test_a_file_can_break_off(shop: Shop) -> None:
    state = finish(shop, begin(shop))
    shop.faults.add(Fault("bulk_cut"))
    with pytest.raises(httpx.TransportError):
        client.get(state["url"])
    assert len(lines(state)) == 30


def test_a_bulk_operation_sees_no_more_than_the_scopes_allow(shop: Shop) -> None:
    shop.now = world.START + timedelta(days=65)
    shop.scopes -= {"read_all_orders"}
    rows = lines(finish(shop, begin(shop, "{ orders { nodes { id email } } }")))
    assert number(rows[0]["id"]) == 11
    shop.personal = False
    rows = lines(finish(shop, begin(shop, "{ orders { nodes { id email } } }")))
    assert {row["email"] for row in rows} == {None}


def test_a_mutation_moves_nothing(shop: Shop) -> None:
    identifier = begin(shop)
    begin(shop)
    post(shop, "{ shop { name } }")
    assert poll(shop, identifier)["status"] == "RUNNING"
