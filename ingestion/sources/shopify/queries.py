"""The questions put to the Admin API; a test holds each to the vendor's schema.

Only what is landed, or what a pseudonym is made of, is asked for: no names, addresses, phones and
notes come over the line. Fields that several questions share are written once below and put where
`...order` and the like stand; bulk operations take no fragments.
"""

from __future__ import annotations

import re

LINES = 50
REFUNDS = 10
REFUND_LINES = 20
CODES = 50
VARIANTS = 25
"""Children that come with their parent; the few that have more are asked for the rest."""

MORE = 250
"""Children of a page of their own."""

_SHARED = {
    "order": """
        id
        legacyResourceId
        name
        createdAt
        processedAt
        updatedAt
        cancelledAt
        test
        currencyCode
        displayFinancialStatus
        taxesIncluded
        sourceName
        email
        discountCodes
        subtotalPriceSet { shopMoney { amount } }
        totalDiscountsSet { shopMoney { amount } }
        totalShippingPriceSet { shopMoney { amount } }
        totalTaxSet { shopMoney { amount } }
        totalPriceSet { shopMoney { amount } }
        totalRefundedSet { shopMoney { amount } }
        customer { legacyResourceId }
        shippingAddress { countryCodeV2 }
        customerJourneySummary {
            ready
            customerOrderIndex
            firstVisit { ...visit }
            lastVisit { ...visit }
        }
    """,
    "visit": """
        occurredAt
        landingPage
        referrerUrl
        source
        sourceType
        utmParameters { source medium campaign content term }
    """,
    "line": """
        id
        sku
        quantity
        currentQuantity
        isGiftCard
        product { legacyResourceId }
        originalUnitPriceSet { shopMoney { amount } }
        originalTotalSet { shopMoney { amount } }
        discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } }
        discountAllocations {
            allocatedAmountSet { shopMoney { amount } }
            discountApplication { ... on DiscountCodeApplication { code } }
        }
    """,
    "lines": """
        lineItems(first: LINES) { nodes { ...line } pageInfo { hasNextPage endCursor } }
    """,
    "refund": """
        id
        legacyResourceId
        createdAt
        updatedAt
        totalRefundedSet { shopMoney { amount } }
    """,
    "refund_lines": """
        nodes { quantity restocked subtotalSet { shopMoney { amount } } lineItem { id } }
        pageInfo { hasNextPage endCursor }
    """,
    "refunds": """
        refunds(first: REFUNDS) {
            ...refund
            refundLineItems(first: REFUND_LINES) { ...refund_lines }
        }
    """,
    "customer": """
        legacyResourceId
        createdAt
        updatedAt
        defaultEmailAddress { emailAddress marketingState }
        defaultAddress { countryCodeV2 }
    """,
    "discount": """
        status
        startsAt
        endsAt
        createdAt
        updatedAt
        usageLimit
    """,
    "codes": """
        nodes { code } pageInfo { hasNextPage endCursor }
    """,
    "value": """
        customerGets {
            value {
                ... on DiscountPercentage { percentage }
                ... on DiscountAmount { amount { amount } }
            }
        }
    """,
    "variants": """
        nodes {
            legacyResourceId
            sku
            inventoryItem { unitCost { amount currencyCode } }
        }
        pageInfo { hasNextPage endCursor }
    """,
    "product": """
        id
        legacyResourceId
        title
        productType
        vendor
        createdAt
        updatedAt
    """,
}

_SIZES = {
    "REFUND_LINES": REFUND_LINES,
    "REFUNDS": REFUNDS,
    "LINES": LINES,
    "CODES": CODES,
    "VARIANTS": VARIANTS,
    "MORE": MORE,
}


def _query(text: str) -> str:
    """A question with everything written out."""
    while True:
        put = re.sub(r"\.\.\.([a-z_]+)", lambda found: _SHARED[found[1]].strip(), text)
        if put == text:
            break
        text = put
    for name, size in _SIZES.items():
        text = re.sub(rf"\b{name}\b", str(size), text)
    return re.sub(r"\s+", " ", text).strip()


ACCESS = _query("""
query Access { currentAppInstallation { accessScopes { handle } } }
""")

ORDERS = _query("""
query Orders($first: Int!, $after: String, $search: String!) {
    orders(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
        nodes { ...order ...lines ...refunds }
        pageInfo { hasNextPage endCursor }
    }
}
""")

ORDERS_COUNT = _query("""
query OrdersCount($search: String!) {
    ordersCount(query: $search, limit: null) { count precision }
}
""")

ORDERS_BY_ID = _query("""
query OrdersById($ids: [ID!]!) {
    nodes(ids: $ids) { ... on Order { ...order ...lines ...refunds } }
}
""")

ORDER_LINES = _query("""
query OrderLines($id: ID!, $after: String) {
    order(id: $id) {
        lineItems(first: MORE, after: $after) {
            nodes { ...line }
            pageInfo { hasNextPage endCursor }
        }
    }
}
""")

ORDER_REFUNDS = _query("""
query OrderRefunds($id: ID!) {
    order(id: $id) {
        refunds(first: MORE) {
            ...refund
            refundLineItems(first: REFUND_LINES) { ...refund_lines }
        }
    }
}
""")

REFUND_LINES_MORE = _query("""
query RefundLines($id: ID!, $after: String) {
    order(id: $id) {
        refunds(first: MORE) {
            id
            refundLineItems(first: MORE, after: $after) { ...refund_lines }
        }
    }
}
""")

CUSTOMERS = _query("""
query Customers($first: Int!, $after: String, $search: String!) {
    customers(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
        nodes { ...customer }
        pageInfo { hasNextPage endCursor }
    }
}
""")

DISCOUNT_CODES = _query("""
query DiscountCodes($first: Int!, $after: String, $search: String!) {
    codeDiscountNodes(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
        nodes {
            id
            codeDiscount {
                __typename
                ... on DiscountCodeBasic { ...discount ...value codes(first: CODES) { ...codes } }
                ... on DiscountCodeBxgy { ...discount codes(first: CODES) { ...codes } }
                ... on DiscountCodeFreeShipping { ...discount codes(first: CODES) { ...codes } }
                ... on DiscountCodeApp { ...discount codes(first: CODES) { ...codes } }
            }
        }
        pageInfo { hasNextPage endCursor }
    }
}
""")

DISCOUNT_CODES_MORE = _query("""
query DiscountRedeemCodes($id: ID!, $after: String) {
    codeDiscountNode(id: $id) {
        codeDiscount {
            ... on DiscountCodeBasic { codes(first: MORE, after: $after) { ...codes } }
            ... on DiscountCodeBxgy { codes(first: MORE, after: $after) { ...codes } }
            ... on DiscountCodeFreeShipping { codes(first: MORE, after: $after) { ...codes } }
            ... on DiscountCodeApp { codes(first: MORE, after: $after) { ...codes } }
        }
    }
}
""")

PRODUCTS = _query("""
query Products($first: Int!, $after: String, $search: String!) {
    products(first: $first, after: $after, query: $search, sortKey: UPDATED_AT) {
        nodes { ...product variants(first: VARIANTS) { ...variants } }
        pageInfo { hasNextPage endCursor }
    }
}
""")

VARIANTS_MORE = _query("""
query ProductVariants($id: ID!, $after: String) {
    product(id: $id) { variants(first: MORE, after: $after) { ...variants } }
}
""")

BULK_RUN = _query("""
mutation RunBulk($text: String!) {
    bulkOperationRunQuery(query: $text, groupObjects: false) {
        bulkOperation { id status }
        userErrors { code message }
    }
}
""")

BULK_STATE = _query("""
query BulkState($id: ID!) {
    bulkOperation(id: $id) { id status errorCode url objectCount }
}
""")

BULK_RECENT = _query("""
query BulkRecent {
    bulkOperations(first: 20, sortKey: CREATED_AT, reverse: true) {
        nodes { id status createdAt query }
    }
}
""")

BULK_ORDERS = _query("""
{
    orders(query: "SEARCH", sortKey: UPDATED_AT) {
        edges { node {
            ...order
            refunds(first: REFUNDS) { ...refund }
            lineItems { edges { node { ...line } } }
        } }
    }
}
""")
