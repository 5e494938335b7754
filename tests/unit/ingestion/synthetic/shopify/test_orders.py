"""What the simulated shop says about its orders, asked over HTTP."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from ingestion.synthetic.shopify.shop import Shop
from tests.unit.ingestion.synthetic.shopify.asking import ask, number, post
from tests.worlds import shop as world

MONEY = "{ shopMoney { amount currencyCode } }"


def one(shop: Shop, order: int, fields: str) -> dict:
    query = f"query ($id: ID!) {{ order(id: $id) {{ {fields} }} }}"
    return ask(shop, query, id=f"gid://shopify/Order/{world.order(order)}")["order"]


def test_an_order_says_its_facts_in_the_forms_of_the_real_api(shop: Shop) -> None:
    order = one(
        shop,
        1,
        "id legacyResourceId name createdAt updatedAt test currencyCode displayFinancialStatus "
        f"totalPriceSet {MONEY} subtotalPriceSet {MONEY} totalTaxSet {MONEY} sourceName "
        "customer { id } cancelledAt",
    )
    assert order == {
        "id": "gid://shopify/Order/5000000001",
        "legacyResourceId": "5000000001",
        "name": "#1001",
        "createdAt": "2026-05-01T08:00:00Z",
        "updatedAt": "2026-05-01T08:01:00Z",
        "test": False,
        "currencyCode": "EUR",
        "displayFinancialStatus": "PAID",
        "totalPriceSet": {"shopMoney": {"amount": "69.9", "currencyCode": "EUR"}},
        "subtotalPriceSet": {"shopMoney": {"amount": "65.0", "currencyCode": "EUR"}},
        "totalTaxSet": {"shopMoney": {"amount": "0.0", "currencyCode": "EUR"}},
        "sourceName": "web",
        "customer": {"id": "gid://shopify/Customer/7000000001"},
        "cancelledAt": None,
    }


@pytest.mark.parametrize(
    ("order", "field", "value"),
    [
        (world.CANCELLED, "cancelledAt", "2026-05-08T11:00:00Z"),
        (world.CANCELLED, "displayFinancialStatus", "VOIDED"),
        (world.TEST, "test", True),
        (world.GUEST, "customer { id }", None),
        (world.EDITED, "edited", True),
        (world.UNPAID, "displayFinancialStatus", "PAID"),
        (world.REFUNDED, "displayFinancialStatus", "REFUNDED"),
        (world.PARTLY_REFUNDED, "displayFinancialStatus", "PARTIALLY_REFUNDED"),
        (world.POS, "sourceName", "pos"),
        (world.LOWER_CASE, "discountCodes", [" mira10"]),
        (world.MIXED_CASE, "discountCodes", ["Mira10"]),
    ],
)
def test_each_edge_case_is_there(shop: Shop, order: int, field: str, value: object) -> None:
    assert one(shop, order, field)[field.split(maxsplit=1)[0]] == value


def test_a_free_order_has_a_total_of_zero(shop: Shop) -> None:
    order = one(shop, world.FREE, f"totalPriceSet {MONEY} totalDiscountsSet {MONEY}")
    assert order["totalPriceSet"]["shopMoney"]["amount"] == "0.0"
    assert order["totalDiscountsSet"]["shopMoney"]["amount"] == "65.0"


def test_code_discounts_are_taken_off_a_line_only_when_asked_for(shop: Shop) -> None:
    order = one(
        shop,
        world.UPPER_CASE,
        f"lineItems(first: 5) {{ nodes {{ plain: discountedTotalSet {MONEY} "
        f"net: discountedTotalSet(withCodeDiscounts: true) {MONEY} }} }}",
    )
    # 10 % of 65.00 = 6.50, by price: 4.00 on the 40.00 line and 2.50 on the 25.00 line.
    lines = [
        (line["plain"]["shopMoney"]["amount"], line["net"]["shopMoney"]["amount"])
        for line in order["lineItems"]["nodes"]
    ]
    assert lines == [("40.0", "36.0"), ("25.0", "22.5")]


def test_what_a_code_took_off_is_the_sum_of_its_allocations(shop: Shop) -> None:
    order = one(
        shop,
        world.TWO_CODES,
        "discountApplications(first: 5) { nodes { index ... on DiscountCodeApplication { code } "
        "value { ... on MoneyV2 { amount } ... on PricingPercentageValue { percentage } } } } "
        f"lineItems(first: 5) {{ nodes {{ discountAllocations {{ allocatedAmountSet {MONEY} "
        "discountApplication { index } } } }",
    )
    assert order["discountApplications"]["nodes"] == [
        {"index": 0, "code": "TOM5", "value": {"amount": "5.0"}},
        {"index": 1, "code": "MIRA10", "value": {"percentage": 10.0}},
    ]
    taken = dict.fromkeys((0, 1), Decimal())
    for line in order["lineItems"]["nodes"]:
        for part in line["discountAllocations"]:
            amount = Decimal(part["allocatedAmountSet"]["shopMoney"]["amount"])
            taken[part["discountApplication"]["index"]] += amount
    assert taken == {0: Decimal("5.00"), 1: Decimal("7.50")}


def test_a_discount_without_a_code_is_automatic(shop: Shop) -> None:
    order = one(
        shop,
        world.AUTOMATIC,
        "discountCodes discountApplications(first: 5) { nodes { __typename "
        "value { ... on MoneyV2 { amount } } } }",
    )
    assert order["discountCodes"] == []
    assert order["discountApplications"]["nodes"] == [
        {"__typename": "AutomaticDiscountApplication", "value": {"amount": "3.0"}}
    ]


def test_a_refund_is_seen_later_than_updated_at_moves(shop: Shop) -> None:
    fields = (
        f"updatedAt totalRefundedSet {MONEY} currentTotalPriceSet {MONEY} refunds {{ createdAt "
        f"refundLineItems(first: 5) {{ nodes {{ quantity subtotalSet {MONEY} lineItem {{ id }} "
        "} } }"
    )
    shop.now = world.REFUND_AT
    assert one(shop, world.PARTLY_REFUNDED, fields)["updatedAt"] == "2026-05-11T08:00:00Z"
    shop.now = world.REFUND_AT + timedelta(seconds=59)
    early = one(shop, world.PARTLY_REFUNDED, fields)
    assert (early["updatedAt"], early["refunds"]) == ("2026-05-11T08:00:00Z", [])
    shop.now = world.REFUND_AT + timedelta(seconds=60)
    late = one(shop, world.PARTLY_REFUNDED, fields)
    assert late["updatedAt"] == early["updatedAt"]
    [refund] = late["refunds"]
    [line] = refund["refundLineItems"]["nodes"]
    assert refund["createdAt"] == "2026-05-11T08:00:00Z"
    assert line == {
        "quantity": 1,
        "subtotalSet": {"shopMoney": {"amount": "40.0", "currencyCode": "EUR"}},
        "lineItem": {"id": f"gid://shopify/LineItem/{world.order(world.PARTLY_REFUNDED)}0"},
    }
    # 69.90 - 40.00
    assert late["currentTotalPriceSet"]["shopMoney"]["amount"] == "29.9"


def test_a_journey_becomes_ready_without_a_change_of_updated_at(shop: Shop) -> None:
    fields = (
        "updatedAt customerJourneySummary { ready momentsCount { count } firstVisit { source } }"
    )
    ready_at = world.made(world.NOT_READY) + timedelta(days=2)
    shop.now = ready_at - timedelta(seconds=1)
    before = one(shop, world.NOT_READY, fields)
    assert before["customerJourneySummary"] == {
        "ready": False,
        "momentsCount": None,
        "firstVisit": None,
    }
    shop.now = ready_at
    after = one(shop, world.NOT_READY, fields)
    assert after["customerJourneySummary"]["ready"] is True
    assert after["customerJourneySummary"]["momentsCount"] == {"count": 2}
    assert after["updatedAt"] == before["updatedAt"]


def test_a_journey_tells_first_and_last_visit(shop: Shop) -> None:
    visit = "{ occurredAt landingPage source sourceType utmParameters { source content term } }"
    journey = one(
        shop,
        1,
        "customerJourneySummary { daysToConversion customerOrderIndex "
        f"firstVisit {visit} lastVisit {visit} "
        "moments(first: 5) { nodes { occurredAt } } }",
    )["customerJourneySummary"]
    # The first visit came 3 days and 20 minutes before the order, the last 20 minutes before.
    assert journey["daysToConversion"] == 3
    assert journey["customerOrderIndex"] == 0
    assert journey["firstVisit"]["utmParameters"] == {
        "source": "instagram",
        "content": "mira",
        "term": None,
    }
    assert journey["firstVisit"]["sourceType"] == "AFFILIATE"
    assert journey["lastVisit"]["utmParameters"] is None
    assert [one["occurredAt"] for one in journey["moments"]["nodes"]] == [
        "2026-04-28T07:40:00Z",
        "2026-05-01T07:40:00Z",
    ]


def test_an_order_sold_over_the_counter_has_no_visits(shop: Shop) -> None:
    journey = one(
        shop, world.POS, "customerJourneySummary { ready daysToConversion firstVisit { id } }"
    )["customerJourneySummary"]
    assert journey == {"ready": True, "daysToConversion": None, "firstVisit": None}


def test_the_shop_is_seen_as_of_its_instant(shop: Shop) -> None:
    shop.now = world.made(3)
    found = ask(shop, "{ orders(first: 50, sortKey: ID) { nodes { id displayFinancialStatus } } }")
    assert [number(order["id"]) for order in found["orders"]["nodes"]] == [1, 2, 3]
    # Order 3 is made at this second and paid a minute later.
    assert found["orders"]["nodes"][2]["displayFinancialStatus"] == "PENDING"


def test_an_order_is_pending_until_it_is_paid(shop: Shop) -> None:
    fields = f"displayFinancialStatus totalReceivedSet {MONEY}"
    shop.now = world.made(world.UNPAID) + timedelta(days=2, seconds=-1)
    before = one(shop, world.UNPAID, fields)
    shop.now += timedelta(seconds=1)
    after = one(shop, world.UNPAID, fields)
    assert [
        (order["displayFinancialStatus"], order["totalReceivedSet"]["shopMoney"]["amount"])
        for order in (before, after)
    ] == [("PENDING", "0.0"), ("PAID", "69.9")]


def test_customers_products_and_codes_are_listed(shop: Shop) -> None:
    data = ask(
        shop,
        """{
          shop { name currencyCode ianaTimezone }
          customers(first: 1) { nodes { id numberOfOrders amountSpent { amount } email
            defaultEmailAddress { emailAddress marketingState } } }
          products(first: 1) { nodes { title productType vendor
            variants(first: 5) { nodes { sku price inventoryItem { unitCost { amount } } } } } }
          codeDiscountNodes(first: 2) { nodes { codeDiscount { ... on DiscountCodeBasic {
            title status asyncUsageCount codes(first: 5) { nodes { code } }
            customerGets { value { ... on DiscountPercentage { percentage }
              ... on DiscountAmount { amount { amount } } } } } } } }
        }""",
    )
    assert data["shop"]["currencyCode"] == "EUR"
    # Customer 1 made orders 1 and 41, 69.90 each.
    assert data["customers"]["nodes"] == [
        {
            "id": "gid://shopify/Customer/7000000001",
            "numberOfOrders": "2",
            "amountSpent": {"amount": "139.8"},
            "email": "canary.1@mail.example",
            "defaultEmailAddress": {
                "emailAddress": "canary.1@mail.example",
                "marketingState": "NOT_SUBSCRIBED",
            },
        }
    ]
    [product] = data["products"]["nodes"]
    assert product["variants"]["nodes"] == [
        {"sku": "SKU-1", "price": "40.00", "inventoryItem": {"unitCost": {"amount": "9.0"}}}
    ]
    mira, tom = (node["codeDiscount"] for node in data["codeDiscountNodes"]["nodes"])
    # MIRA10 in three spellings and once beside TOM5; TOM5 ended on day 20.
    assert (mira["status"], mira["asyncUsageCount"]) == ("ACTIVE", 4)
    assert mira["customerGets"]["value"] == {"percentage": 0.1}
    assert (tom["status"], tom["asyncUsageCount"]) == ("EXPIRED", 1)
    assert tom["customerGets"]["value"] == {"amount": {"amount": "5.0"}}


def test_an_object_is_found_by_its_global_id(shop: Shop) -> None:
    query = "query ($id: ID!) { node(id: $id) { id ... on Order { name } } }"
    gid = f"gid://shopify/Order/{world.order(9)}"
    assert ask(shop, query, id=gid)["node"] == {"id": gid, "name": "#1009"}
    assert ask(shop, query, id="gid://shopify/Order/1")["node"] is None


def test_without_the_scope_only_sixty_days_of_orders_are_seen_and_nobody_says_so(
    shop: Shop,
) -> None:
    shop.now = world.START + timedelta(days=65)
    shop.scopes -= {"read_all_orders"}
    found = post(shop, "{ orders(first: 100, sortKey: ID) { nodes { id } } }").json()
    assert "errors" not in found
    # Sixty days back is day 5, 08:00: order 11 was made at that second.
    assert number(found["data"]["orders"]["nodes"][0]["id"]) == 11
    granted = ask(shop, "{ currentAppInstallation { accessScopes { handle } } }")
    handles = [scope["handle"] for scope in granted["currentAppInstallation"]["accessScopes"]]
    assert handles == ["read_customers", "read_discounts", "read_orders", "read_products"]


def test_without_protected_customer_data_personal_fields_are_null(shop: Shop) -> None:
    shop.personal = False
    response = post(
        shop,
        """{ orders(first: 60) { nodes { email phone shippingAddress { name }
          customer { id email firstName lastName phone displayName } } }
        customers(first: 40) { nodes { email phone } } }""",
    )
    assert "errors" not in response.json()
    assert "anary" not in response.text
    assert "491517248" not in response.text
    shop.personal = True
    seen = ask(shop, "{ orders(first: 1, sortKey: ID) { nodes { shippingAddress { name } } } }")
    assert seen["orders"]["nodes"][0]["shippingAddress"] == {"name": "Canary Person1"}


def test_a_field_without_its_scope_is_denied_and_null(shop: Shop) -> None:
    shop.scopes -= {"read_customers"}
    content = post(
        shop, "{ orders(first: 1, sortKey: ID) { nodes { id customer { id } } } }"
    ).json()
    assert content["data"]["orders"]["nodes"][0]["customer"] is None
    [error] = content["errors"]
    assert error["message"] == (
        "Access denied for customer field. Required access: `read_customers` access scope."
    )
    assert error["path"] == ["orders", "nodes", 0, "customer"]
    assert error["extensions"]["code"] == "ACCESS_DENIED"


def test_a_list_without_its_scope_leaves_no_data(shop: Shop) -> None:
    shop.scopes = frozenset()
    content = post(shop, "{ orders(first: 1) { nodes { id } } }").json()
    assert content["data"] is None
    assert content["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
