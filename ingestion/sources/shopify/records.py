"""From the shop's objects to flat records, one kind a table, people already replaced.

This runs before dlt sees anything: what it writes in its working folder, and what it puts into its
messages, holds pseudonyms only. Names, addresses, phones and notes are not even asked for; of
visited pages only host and path are kept; free text is masked as every feed's is.

    order        →  orders, order_lines, order_discount_codes, order_touches, refunds, refund_lines
    customer     →  customers
    discount     →  discount_codes
    product      →  products

An order is one object and is read as one, so all its records carry its `updated_at`. Children may
appear after it without a new one, so `revision` counts what can only grow: refunds, lines of
refunds, a cancellation, a journey that is ready. Of two observations with one `updated_at` the
later one wins by what it holds, never by when it came.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ingestion.pseudonyms import Pseudonyms
from ingestion.validate import mask

KIND = "shopify"

Record = dict[str, Any]
Node = dict[str, Any]

DISCOUNT_TYPES = {
    "DiscountCodeApp": None,
    "DiscountCodeBxgy": "bxgy",
    "DiscountCodeFreeShipping": "shipping",
}


@dataclass(frozen=True)
class Bundle:
    """All records that one object of the shop gives, and when the shop last changed it."""

    updated_at: datetime
    records: dict[str, list[Record]]


@dataclass(frozen=True)
class People:
    """Makes the pseudonyms of one shop's people."""

    pseudonyms: Pseudonyms
    account: str

    def customer(self, number: Any) -> str | None:
        """Of a customer, by the shop's number."""
        if number is None:
            return None
        return self.pseudonyms.make("customer", f"{KIND}:{self.account}", str(number))

    def email(self, address: Any) -> str | None:
        """Of an address; the same in every source."""
        return self.pseudonyms.make("email", "", address) if address else None


def moment(value: str) -> datetime:
    """An instant as the shop writes it, aware UTC."""
    return datetime.fromisoformat(value).astimezone(UTC)


def split_order(order: Node, people: People) -> Bundle:
    """The records of one order, its lines and refunds complete.

    Args:
        order: As `queries.ORDERS` asks for it.
        people: Of the shop.
    """
    journey = order["customerJourneySummary"] or {}
    refunds = order["refunds"]
    lines = order["lineItems"]["nodes"]
    revision = (
        len(refunds)
        + sum(len(refund["refundLineItems"]["nodes"]) for refund in refunds)
        + bool(order["cancelledAt"])
        + bool(journey.get("ready"))
    )
    own = {
        "order_id": order["legacyResourceId"],
        "updated_at": order["updatedAt"],
        "revision": revision,
    }
    money = {**own, "currency": order["currencyCode"]}
    given_back = [_refund_lines(refund) for refund in refunds]
    return Bundle(
        updated_at=moment(order["updatedAt"]),
        records={
            "orders": [_order(order, journey, people) | money],
            "order_lines": [_line(line) | money for line in lines],
            "order_discount_codes": [code | own for code in _codes(order, lines)],
            "order_touches": [touch | own for touch in _touches(journey)],
            "refunds": [
                _refund(refund, parts) | money
                for refund, parts in zip(refunds, given_back, strict=True)
            ],
            "refund_lines": [part | own for parts in given_back for part in parts],
        },
    )


def split_customer(customer: Node, people: People) -> Bundle:
    """The record of one customer."""
    address = customer["defaultEmailAddress"] or {}
    state = address.get("marketingState")
    return Bundle(
        updated_at=moment(customer["updatedAt"]),
        records={
            "customers": [
                {
                    "customer_pid": people.customer(customer["legacyResourceId"]),
                    "email_pid": people.email(address.get("emailAddress")),
                    "created_at": customer["createdAt"],
                    "accepts_marketing": None if state is None else state == "SUBSCRIBED",
                    "country": _country(customer["defaultAddress"]),
                    "updated_at": customer["updatedAt"],
                }
            ]
        },
    )


def split_discount(node: Node) -> Bundle:
    """One record for each code of a discount."""
    discount = node["codeDiscount"]
    value = (discount.get("customerGets") or {}).get("value") or {}
    percentage, amount = value.get("percentage"), (value.get("amount") or {}).get("amount")
    kind = DISCOUNT_TYPES.get(discount["__typename"])
    if percentage is not None:
        kind, amount = "percent", _number(Decimal(str(percentage)) * 100)
    else:
        kind = "fixed" if amount is not None else kind
    return Bundle(
        updated_at=moment(discount["updatedAt"]),
        records={
            "discount_codes": [
                {
                    "discount_id": _tail(node["id"]),
                    "code": mask(code["code"]),
                    "starts_at": discount["startsAt"],
                    "ends_at": discount["endsAt"],
                    "discount_type": kind,
                    "discount_value": amount,
                    "usage_limit": discount["usageLimit"],
                    "status": discount["status"].lower(),
                    "created_at": discount["createdAt"],
                    "updated_at": discount["updatedAt"],
                }
                for code in discount["codes"]["nodes"]
            ]
        },
    )


def split_product(product: Node) -> Bundle:
    """The record of one product; what its variants do not share is left open."""
    variants = product["variants"]["nodes"]
    costs = [variant["inventoryItem"]["unitCost"] for variant in variants]
    cost = costs[0] if costs and all(one == costs[0] for one in costs) else None
    return Bundle(
        updated_at=moment(product["updatedAt"]),
        records={
            "products": [
                {
                    "product_id": product["legacyResourceId"],
                    "sku": _text(variants[0]["sku"]) if len(variants) == 1 else None,
                    "title": _text(product["title"]),
                    "category": _text(product["productType"]),
                    "brand": _text(product["vendor"]),
                    "unit_cost_amount": cost["amount"] if cost else None,
                    "currency": cost["currencyCode"] if cost else None,
                    "variant_count": len(variants),
                    "created_at": product["createdAt"],
                    "updated_at": product["updatedAt"],
                }
            ]
        },
    )


# -- parts of an order --------------------------------------------------------------------------


def _order(order: Node, journey: Node, people: People) -> Record:
    return {
        "order_number": _text(order["name"]),
        "processed_at": order["processedAt"],
        "created_at": order["createdAt"],
        "cancelled_at": order["cancelledAt"],
        "customer_pid": people.customer((order["customer"] or {}).get("legacyResourceId")),
        "email_pid": people.email(order["email"]),
        "financial_status": _lower(order["displayFinancialStatus"]),
        "is_test": order["test"],
        "channel": _text(order["sourceName"]),
        "subtotal_amount": _amount(order["subtotalPriceSet"]),
        "discount_amount": _amount(order["totalDiscountsSet"]),
        "shipping_amount": _amount(order["totalShippingPriceSet"]),
        "tax_amount": _amount(order["totalTaxSet"]),
        "total_amount": _amount(order["totalPriceSet"]),
        "refunded_amount": _amount(order["totalRefundedSet"]),
        "is_tax_included": order["taxesIncluded"],
        "ship_country": _country(order["shippingAddress"]),
        "discount_codes": [mask(code) for code in order["discountCodes"]],
        "is_journey_ready": journey.get("ready"),
        "customer_order_index": journey.get("customerOrderIndex"),
    }


def _line(line: Node) -> Record:
    before, after = _amount(line["originalTotalSet"]), _amount(line["discountedTotalSet"])
    assert before is not None
    assert after is not None
    return {
        "line_id": _tail(line["id"]),
        "product_id": (line["product"] or {}).get("legacyResourceId"),
        "sku": _text(line["sku"]),
        "quantity": line["quantity"],
        "current_quantity": line["currentQuantity"],
        "unit_amount": _amount(line["originalUnitPriceSet"]),
        "discount_amount": _number(Decimal(before) - Decimal(after)),
        "net_amount": after,
        "is_gift_card": line["isGiftCard"],
    }


def _codes(order: Node, lines: list[Node]) -> list[Record]:
    """The codes of an order with what each took off its lines; one that took off none: unknown."""
    amounts: dict[str, Decimal] = {}
    for line in lines:
        for part in line["discountAllocations"]:
            code = part["discountApplication"].get("code")
            if code is not None:
                taken = Decimal(_amount(part["allocatedAmountSet"]) or 0)
                amounts[_same(code)] = amounts.get(_same(code), Decimal(0)) + taken
    found = {}
    for code in order["discountCodes"]:
        amount = amounts.get(_same(code))
        found[_same(code)] = {
            "code": mask(code),
            "amount": None if amount is None else _number(amount),
        }
    return list(found.values())


def _touches(journey: Node) -> list[Record]:
    """First and last visit; nothing until the shop has worked the journey out."""
    if not journey.get("ready"):
        return []
    touches = []
    for role in ("first", "last"):
        visit = journey.get(f"{role}Visit")
        if not visit:
            continue
        marks = visit["utmParameters"] or {}
        touches.append(
            {
                "touch_role": role,
                "touch_at": visit["occurredAt"],
                "landing_path": _path(visit["landingPage"]),
                "referrer_host": _host(visit["referrerUrl"]),
                "visit_source": _text(visit["source"]),
                "visit_type": _lower(visit["sourceType"]),
                **{
                    f"utm_{name}": _text(marks.get(name))
                    for name in ("source", "medium", "campaign", "content", "term")
                },
            }
        )
    return touches


def _refund(refund: Node, parts: list[Record]) -> Record:
    returned = sum((Decimal(part["amount"]) for part in parts), Decimal(0))
    return {
        "refund_id": refund["legacyResourceId"],
        "refunded_at": refund["createdAt"] or refund["updatedAt"],
        "amount": _amount(refund["totalRefundedSet"]),
        "returned_sales_amount": _number(returned),
    }


def _refund_lines(refund: Node) -> list[Record]:
    """One record a line given back, also where the shop gave it back in two portions."""
    found: dict[str, Record] = {}
    for part in refund["refundLineItems"]["nodes"]:
        line_id = _tail(part["lineItem"]["id"])
        amount = Decimal(_amount(part["subtotalSet"]) or 0)
        before = found.get(line_id)
        if before is not None:
            amount += Decimal(before["amount"])
        found[line_id] = {
            "refund_id": refund["legacyResourceId"],
            "line_id": line_id,
            "quantity": part["quantity"] + (before["quantity"] if before else 0),
            "amount": _number(amount),
            "is_restocked": part["restocked"] or bool(before and before["is_restocked"]),
        }
    return list(found.values())


# -- values -------------------------------------------------------------------------------------


def _amount(bag: Node | None) -> str | None:
    """The amount in the shop's currency, as written."""
    return None if bag is None else str(bag["shopMoney"]["amount"])


def _number(value: Decimal) -> str:
    return format(value, "f")


def _tail(identifier: str) -> str:
    """The number at the end of `gid://shopify/LineItem/7`."""
    return identifier.rpartition("/")[2]


def _text(value: str | None) -> str | None:
    return mask(value) if value else None


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _same(code: str) -> str:
    """Codes are the same however they are typed."""
    return code.strip().upper()


def _country(address: Node | None) -> str | None:
    code = (address or {}).get("countryCodeV2")
    return None if code == "ZZ" else code


def _path(url: str | None) -> str | None:
    """Path of a page; the query may hold anything."""
    return (mask(urlsplit(url).path) or "/") if url else None


def _host(url: str | None) -> str | None:
    return (urlsplit(url).hostname or None) if url else None
