"""Costs worked by hand from the published rules, and the bucket that pays them."""

from __future__ import annotations

import pytest

from ingestion.synthetic.shopify.cost import STRICT, Bucket, CostRules, VirtualClock
from ingestion.synthetic.shopify.shop import Shop
from tests.unit.ingestion.synthetic.shopify.asking import codes, post
from tests.worlds import shop as world


def cost(shop: Shop, query: str, **variables: object) -> tuple[int, int | None]:
    found = post(shop, query, variables).json()["extensions"]["cost"]
    return found["requestedQueryCost"], found["actualQueryCost"]


@pytest.mark.parametrize(
    ("size", "times"),
    # floor(2 ln(size)), at least two: ln 2 = 0.693, ln 3 = 1.099, ln 10 = 2.303, ln 50 = 3.912,
    # ln 250 = 5.521.
    [(0, 0), (1, 1), (2, 1), (3, 2), (10, 4), (50, 7), (100, 9), (250, 11)],
)
def test_the_size_of_a_connection_counts_logarithmically(size: int, times: int) -> None:
    assert CostRules().multiplier(size) == times


@pytest.mark.parametrize(
    ("query", "requested", "actual"),
    [
        ("{ shop { name } }", 1, 1),
        # The recorded answer of the real shop: 1 + 2 + 11 x (variant 1 + inventoryItem 1) = 25,
        # and 1 for a product that is not there.
        (
            """{ product(id: "gid://shopify/Product/999") { variants(first: 250) { nodes {
              inventoryItem { id tracked } } } } }""",
            25,
            1,
        ),
        # 2 + 4 x 1; four products fewer than asked for: 2 + floor(2 ln 3) x 1 = 4.
        ("{ products(first: 10) { nodes { id } } }", 6, 4),
        ("{ products(first: 10) { edges { node { id } } pageInfo { hasNextPage } } }", 6, 4),
        # Money and addresses are free: 2 + 7 x 1; sixty orders come as fifty.
        (
            """{ orders(first: 50) { nodes { totalPriceSet { shopMoney { amount } }
              shippingAddress { zip } } } }""",
            9,
            9,
        ),
        # Order 1 + customer 1 + lines (2 + 4 x 1); two lines: 2 + 1 x 1.
        (
            """{ orders(first: 2) { nodes { customer { id }
              lineItems(first: 10) { nodes { id } } } } }""",
            2 + 1 * (1 + 1 + 6),
            2 + 1 * (1 + 1 + 3),
        ),
        # Of an interface or union the dearest selection counts.
        (
            """{ orders(first: 1, query: "discount_code:TOM5") { nodes {
              discountApplications(first: 10) { nodes { value {
                ... on MoneyV2 { amount } } } } } } }""",
            # order 1 + (2 + 4 x (application 1 + value 1)); two applications: 2 + 1 x 2.
            2 + 1 * (1 + 2 + 4 * 2),
            2 + 1 * (1 + 2 + 1 * 2),
        ),
        # A list that is no connection counts once: order 1 + refund 1.
        ("{ orders(first: 1) { nodes { refunds(first: 50) { id } } } }", 4, 4),
    ],
)
def test_a_query_costs_what_the_rules_say(
    shop: Shop, query: str, requested: int, actual: int
) -> None:
    assert cost(shop, query) == (requested, actual)


def test_variables_and_fragments_count_like_what_they_stand_for(shop: Shop) -> None:
    query = """query ($n: Int!, $with: Boolean!) { orders(first: $n) { nodes { ...Buyer } } }
      fragment Buyer on Order { customer @include(if: $with) { id } }"""
    assert cost(shop, query, n=10, **{"with": True})[0] == 2 + 4 * 2
    assert cost(shop, query, n=10, **{"with": False})[0] == 2 + 4 * 1


def test_objects_asked_for_by_their_ids_cost_each(shop: Shop) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { customer { id } } } }"
    ids = [f"gid://shopify/Order/{number}" for number in (world.order(1), world.order(2), 3)]
    # Three times order 1 + customer 1; the third is not there and has no customer.
    assert cost(shop, query, ids=ids) == (6, 5)


def test_at_most_250_ids_are_taken(shop: Shop) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert codes(post(shop, query, {"ids": ["gid://shopify/Order/1"] * 251})) == [
        "MAX_INPUT_SIZE_EXCEEDED"
    ]


def test_the_older_reading_counts_every_node_and_every_object(shop: Shop) -> None:
    shop.rules = STRICT
    # 2 + 10 x (order 1 + bag 1 + money 1)
    query = "{ orders(first: 10) { nodes { totalPriceSet { shopMoney { amount } } } } }"
    assert cost(shop, query) == (32, 32)


def test_a_mutation_costs_ten(shop: Shop) -> None:
    query = """mutation { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") {
      userErrors { message } } }"""
    assert cost(shop, query) == (10, 10)


def test_a_query_beyond_a_thousand_points_is_refused(shop: Shop) -> None:
    # Refund lines: 2 + 11 x (line 1 + lineItem (1 + variant 1 + product 1)) = 46; refund 47;
    # lines: 2 + 11 x 3 = 35; order 1 + 47 + 35 = 83; 2 + 11 x 83 = 915; with codes
    # 2 + 11 x 1 = 13 more a node: 2 + 11 x 96 = 1058.
    query = """{ orders(first: 250) { nodes {
      lineItems(first: 250) { nodes { product { id } variant { id } } }
      refunds { refundLineItems(first: 250) { nodes {
        lineItem { product { id } variant { id } } } } }
      discountApplications(first: 250) { nodes { index } } } } }"""
    response = post(shop, query)
    assert codes(response) == ["MAX_COST_EXCEEDED"]
    content = response.json()
    assert "data" not in content
    assert content["errors"][0]["extensions"]["cost"] == 1058
    assert content["errors"][0]["extensions"]["maxCost"] == 1000
    assert content["errors"][0]["message"].startswith(
        "Query cost is 1058, which exceeds the single query max cost limit (1000)."
    )
    assert shop.bucket.available() == 2000


def test_the_bucket_refills_with_its_clock() -> None:
    clock = VirtualClock()
    bucket = Bucket(rate=100, maximum=2000, clock=clock)
    bucket.take(450)
    assert bucket.available() == 1550
    clock.advance(2.5)
    assert bucket.available() == 1800
    clock.advance(60)
    assert bucket.available() == 2000


def test_an_empty_bucket_throttles_until_it_has_refilled(shop: Shop) -> None:
    query = "{ orders(first: 250) { nodes { customer { id } } } }"  # 2 + 11 x 2 = 24
    shop.bucket.drain(20)
    response = post(shop, query)
    assert codes(response) == ["THROTTLED"]
    content = response.json()
    assert "data" not in content
    assert content["errors"][0]["message"] == "Throttled"
    assert content["extensions"]["cost"] == {
        "requestedQueryCost": 24,
        "actualQueryCost": None,
        "throttleStatus": {
            "maximumAvailable": 2000.0,
            "currentlyAvailable": 20,
            "restoreRate": 100.0,
        },
    }
    shop.advance(0.04)  # 4 points at 100 a second
    assert "data" in post(shop, query).json()
    assert shop.waits() == [0.04]


def test_what_a_query_did_not_use_is_given_back(shop: Shop) -> None:
    # Requested 2 + 11 x 1 = 13; sixty orders cost 2 + floor(2 ln 60) x 1 = 10.
    content = post(shop, "{ orders(first: 250) { nodes { id } } }").json()
    assert content["extensions"]["cost"]["actualQueryCost"] == 10
    assert content["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 1990


def test_a_plan_decides_bucket_and_rate(shop: Shop) -> None:
    shop.plan = "plus"
    shop.refill()
    status = post(shop, "{ shop { name } }").json()["extensions"]["cost"]["throttleStatus"]
    assert (status["maximumAvailable"], status["restoreRate"]) == (20000.0, 1000.0)
