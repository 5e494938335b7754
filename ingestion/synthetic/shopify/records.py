"""Rows of the shop's database as the objects of the Admin API, as of one instant.

Plain values sit in the dictionaries under their GraphQL names; keys with a leading underscore are
for the resolvers. One call reads the children of a whole page at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.synthetic.shopify.database import Integers, Row, ShopDatabase
from ingestion.synthetic.shopify.listing import Listing
from ingestion.synthetic.shopify.money import allocate, bag, money, money_text
from ingestion.synthetic.shopify.search import by_flag, by_instant, by_number, by_text

Record = dict[str, Any]

DAY = 86_400
HISTORY_DAYS = 60
"""What an app without the scope read_all_orders sees of the orders."""

TACTICS = frozenset(
    [
        "AD",
        "AFFILIATE",
        "LINK",
        "MESSAGE",
        "NEWSLETTER",
        "POST",
        "RETARGETING",
        "SEARCH",
        "SEO",
        "STOREFRONT_APP",
    ]
)


def gid(kind: str, identifier: object) -> str:
    """A global id: gid://shopify/Order/1."""
    return f"gid://shopify/{kind}/{identifier}"


def instant(at: int | None) -> str | None:
    """An instant as the Admin API writes it."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class View:
    """The shop as one app sees it at one instant.

    Attributes:
        now: Seconds since 1970.
        everything: Whether orders older than 60 days are seen.
        personal: Whether protected customer data is seen; else it is null.
    """

    database: ShopDatabase
    now: int
    currency: str
    timezone: ZoneInfo
    everything: bool
    personal: bool
    _products: dict[int, Record] = field(default_factory=dict)
    _customers: dict[int, Record | None] = field(default_factory=dict)
    _buyers: set[int] = field(default_factory=set)

    # --- lists --------------------------------------------------------------------------------

    @cached_property
    def orders(self) -> Listing:
        """The orders that exist and that the app may see."""
        data = self.database
        table, ids = data.orders.table, data.orders.ids
        since = -(2**62) if self.everything else self.now - HISTORY_DAYS * DAY
        created = data.orders.created_at
        processed = _column(table, "processed_at")
        updated = data.orders_changed_by(self.now)
        codes = data.codes

        def has_code(operator: str, value: str) -> Any:
            if operator != "=":
                raise ValueError(operator)
            used = pc.equal(_code_keys(codes.table), value.strip().lower())
            owners = _column(codes.table, "order_id")[used.to_numpy()]
            return np.isin(ids, owners)

        return Listing(
            ids=ids,
            visible=(created <= self.now) & (created >= since),
            keys={
                "ID": ids,
                "ORDER_NUMBER": ids,
                "CREATED_AT": created,
                "PROCESSED_AT": processed,
                "UPDATED_AT": updated,
                "TOTAL_PRICE": _column(table, "total"),
            },
            filters={
                "id": by_number(ids),
                "created_at": by_instant(created, self.timezone),
                "processed_at": by_instant(processed, self.timezone),
                "updated_at": by_instant(updated, self.timezone),
                "customer_id": by_number(_column(table, "customer_id")),
                "name": by_text(lambda: _lower(table, "name")),
                "source_name": by_text(lambda: _lower(table, "source_name")),
                "test": by_flag(lambda: table.column("is_test").to_numpy(zero_copy_only=False)),
                "discount_code": has_code,
            },
        )

    @cached_property
    def customers(self) -> Listing:
        """The customers; creation is searched by `customer_date`, as in the real shop."""
        data = self.database.customers
        changed = data.changed_by(self.now)
        return Listing(
            ids=data.ids,
            visible=data.created_at <= self.now,
            keys={"ID": data.ids, "CREATED_AT": data.created_at, "UPDATED_AT": changed},
            filters={
                "id": by_number(data.ids),
                "customer_date": by_instant(data.created_at, self.timezone),
                "updated_at": by_instant(changed, self.timezone),
                "country": by_text(lambda: _lower(data.table, "country")),
            },
        )

    @cached_property
    def products(self) -> Listing:
        """The products."""
        data = self.database.products
        changed = data.changed_by(self.now)
        return Listing(
            ids=data.ids,
            visible=data.created_at <= self.now,
            keys={"ID": data.ids, "CREATED_AT": data.created_at, "UPDATED_AT": changed},
            filters={
                "id": by_number(data.ids),
                "created_at": by_instant(data.created_at, self.timezone),
                "updated_at": by_instant(changed, self.timezone),
                "product_type": by_text(lambda: _lower(data.table, "product_type")),
                "vendor": by_text(lambda: _lower(data.table, "vendor")),
            },
        )

    @cached_property
    def discounts(self) -> Listing:
        """The code discounts."""
        data = self.database.discounts
        changed = data.changed_by(self.now)
        starts = _column(data.table, "starts_at")
        return Listing(
            ids=data.ids,
            visible=data.created_at <= self.now,
            keys={
                "ID": data.ids,
                "CREATED_AT": data.created_at,
                "UPDATED_AT": changed,
                "STARTS_AT": starts,
            },
            filters={
                "id": by_number(data.ids),
                "created_at": by_instant(data.created_at, self.timezone),
                "updated_at": by_instant(changed, self.timezone),
                "starts_at": by_instant(starts, self.timezone),
                "code": by_text(lambda: _lower(data.table, "code")),
                "title": by_text(lambda: _lower(data.table, "title")),
            },
        )

    # --- orders -------------------------------------------------------------------------------

    def order_records(self, positions: Integers) -> list[Record]:
        """The orders at `positions`, with their children."""
        data = self.database
        changed = self.orders.keys["UPDATED_AT"][positions].tolist()
        refunds = data.refunds.rows(positions)
        refund_lines = iter(data.refunds_of([row for rows in refunds for row in rows]))
        orders = data.orders.rows(positions)
        self._buyers = {row["customer_id"] for row in orders} - {None}
        return [
            self._order(
                row, at, lines, codes, visits, updates, [(one, next(refund_lines)) for one in some]
            )
            for row, at, lines, codes, visits, updates, some in zip(
                orders,
                changed,
                data.lines.rows(positions),
                data.codes.rows(positions),
                data.visits.rows(positions),
                data.updates.rows(positions),
                refunds,
                strict=True,
            )
        ]

    def order(self, identifier: int) -> Record | None:
        """One order, when it exists and may be seen."""
        position = self.database.orders.position(identifier)
        if position is None or not self.orders.visible[position]:
            return None
        return self.order_records(np.array([position]))[0]

    def _order(
        self,
        row: Row,
        updated_at: int,
        line_rows: list[Row],
        code_rows: list[Row],
        visits: list[Row],
        updates: list[Row],
        refund_rows: list[tuple[Row, list[Row]]],
    ) -> Record:
        now, currency = self.now, row["currency"] or self.currency
        reasons = Counter(one["reason"] for one in updates if one["updated_at"] <= now)
        paid = row["paid_at"] is not None and row["paid_at"] <= now
        cancelled_at = row["cancelled_at"] if (row["cancelled_at"] or now + 1) <= now else None
        order: Record = {"__typename": "Order"}
        lines = self._lines(order, line_rows, code_rows, currency)
        by_line = {line["_id"]: line for line in lines}
        refunds = [
            self._refund(order, one, parts, by_line, currency)
            for one, parts in refund_rows
            if one["visible_at"] <= now
        ]
        refunded = sum(refund["_total"] for refund in refunds)
        returned = sum(refund["_subtotal"] for refund in refunds)
        total = row["total"]
        if refunded:
            status = "REFUNDED" if refunded >= total else "PARTIALLY_REFUNDED"
        elif cancelled_at is not None:
            status = "VOIDED"
        else:
            status = "PAID" if paid else "PENDING"
        received = total if paid else 0
        address = self._address(
            "MailingAddress",
            row["order_id"],
            row["ship_country"],
            row.get("ship_name"),
            row.get("ship_address"),
            row["phone"],
        )
        codes = [one["code"] for one in code_rows]
        order |= {
            "_id": row["order_id"],
            "id": gid("Order", row["order_id"]),
            "legacyResourceId": str(row["order_id"]),
            "name": row["name"],
            "createdAt": instant(row["created_at"]),
            "processedAt": instant(row["processed_at"]),
            "updatedAt": instant(updated_at),
            "cancelledAt": instant(cancelled_at),
            "cancelReason": None if cancelled_at is None else "CUSTOMER",
            "closedAt": None,
            "closed": False,
            "confirmed": True,
            "test": row["is_test"],
            "edited": reasons["edit"] > 0,
            "email": row["email"] if self.personal else None,
            "phone": row["phone"] if self.personal else None,
            "note": row["note"],
            "tags": ["followed-up"] if reasons["tag"] else [],
            "sourceName": row["source_name"],
            "currencyCode": currency,
            "presentmentCurrencyCode": currency,
            "displayFinancialStatus": status,
            "displayFulfillmentStatus": "UNFULFILLED" if cancelled_at else "FULFILLED",
            "taxesIncluded": row["taxes_included"],
            "subtotalPriceSet": bag(row["subtotal"], currency),
            "totalDiscountsSet": bag(row["discounts"], currency),
            "totalShippingPriceSet": bag(row["shipping"], currency),
            "totalTaxSet": bag(row["tax"], currency),
            "totalPriceSet": bag(total, currency),
            "totalReceivedSet": bag(received, currency),
            "totalRefundedSet": bag(refunded, currency),
            "totalRefundedShippingSet": bag(0, currency),
            "currentSubtotalPriceSet": bag(row["subtotal"] - returned, currency),
            "currentTotalDiscountsSet": bag(row["discounts"], currency),
            "currentTotalPriceSet": bag(total - refunded, currency),
            "netPaymentSet": bag(received - refunded, currency),
            "discountCode": codes[0] if codes else None,
            "discountCodes": codes,
            "shippingAddress": address,
            "billingAddress": address,
            "customerJourneySummary": self._journey(row, visits),
            "customAttributes": [],
            "subtotalLineItemsQuantity": sum(line["quantity"] for line in lines),
            "currentSubtotalLineItemsQuantity": sum(line["currentQuantity"] for line in lines),
            "_customer": row["customer_id"],
            "_lines": lines,
            "_refunds": refunds,
        }
        return order

    def _lines(
        self, order: Record, rows: list[Row], codes: list[Row], currency: str
    ) -> list[Record]:
        discounts = [row["discount_amount"] for row in rows]
        amounts = [one["amount"] for one in codes]
        automatic = max(0, sum(discounts) - sum(amounts))
        columns = amounts + ([automatic] if automatic else [])
        applications = [self._application(one, index, currency) for index, one in enumerate(codes)]
        if automatic:
            applications.append(
                {
                    "__typename": "AutomaticDiscountApplication",
                    "allocationMethod": "ACROSS",
                    "index": len(codes),
                    "targetSelection": "ALL",
                    "targetType": "LINE_ITEM",
                    "title": "Automatic discount",
                    "value": money(automatic, currency),
                }
            )
        order["_applications"] = applications
        lines = []
        for row, cells in zip(rows, allocate(discounts, columns), strict=True):
            of_codes = sum(cells[: len(codes)])
            quantity, gross = row["quantity"], row["unit_amount"] * row["quantity"]
            lines.append(
                {
                    "__typename": "LineItem",
                    "_id": row["line_id"],
                    "_product": row["product_id"],
                    "_sku": row["sku"],
                    "_before_codes": row["net_amount"] + of_codes,
                    "_net": row["net_amount"],
                    "_currency": currency,
                    "id": gid("LineItem", row["line_id"]),
                    "name": row["title"],
                    "title": row["title"],
                    "variantTitle": None,
                    "sku": row["sku"],
                    "vendor": (self._product(row["product_id"]) or {}).get("vendor"),
                    "quantity": quantity,
                    "currentQuantity": quantity,
                    "refundableQuantity": quantity,
                    "isGiftCard": row["is_gift_card"],
                    "requiresShipping": not row["is_gift_card"],
                    "taxable": not row["is_gift_card"],
                    "originalUnitPriceSet": bag(row["unit_amount"], currency),
                    "originalTotalSet": bag(gross, currency),
                    "discountedUnitPriceSet": bag(
                        _share(row["net_amount"] + of_codes, quantity), currency
                    ),
                    "discountedUnitPriceAfterAllDiscountsSet": bag(
                        _share(row["net_amount"], quantity), currency
                    ),
                    "totalDiscountSet": bag(row["discount_amount"] - of_codes, currency),
                    "discountAllocations": [
                        {
                            "allocatedAmountSet": bag(cell, currency),
                            "discountApplication": application,
                        }
                        for cell, application in zip(cells, applications, strict=True)
                        if cell
                    ],
                    "customAttributes": [],
                }
            )
        return lines

    def _application(self, code: Row, index: int, currency: str) -> Record:
        rule = self._rules.get(code["code"].strip().lower())
        if rule is not None and rule["kind"] == "percentage":
            value: Record = {
                "__typename": "PricingPercentageValue",
                "percentage": rule["value"] / 100,
            }
        else:
            value = money(code["amount"], currency)
        return {
            "__typename": "DiscountCodeApplication",
            "allocationMethod": "ACROSS",
            "code": code["code"],
            "index": index,
            "targetSelection": "ALL",
            "targetType": "LINE_ITEM",
            "value": value,
        }

    def _refund(
        self, order: Record, row: Row, parts: list[Row], by_line: dict[int, Record], currency: str
    ) -> Record:
        items = []
        for part in parts:
            line = by_line[part["line_id"]]
            line["currentQuantity"] -= part["quantity"]
            line["refundableQuantity"] -= part["quantity"]
            items.append(
                {
                    "id": gid("RefundLineItem", part["refund_line_id"]),
                    "lineItem": line,
                    "quantity": part["quantity"],
                    "priceSet": bag(_share(part["subtotal"], part["quantity"]), currency),
                    "subtotalSet": bag(part["subtotal"], currency),
                    "totalTaxSet": bag(0, currency),
                    "restocked": part["is_restocked"],
                    "restockType": "RETURN" if part["is_restocked"] else "NO_RESTOCK",
                }
            )
        return {
            "__typename": "Refund",
            "_total": row["total_amount"],
            "_subtotal": sum(part["subtotal"] for part in parts),
            "_items": items,
            "id": gid("Refund", row["refund_id"]),
            "legacyResourceId": str(row["refund_id"]),
            "createdAt": instant(row["created_at"]),
            "updatedAt": instant(row["created_at"]),
            "note": row["note"],
            "order": order,
            "totalRefundedSet": bag(row["total_amount"], currency),
        }

    def _journey(self, row: Row, rows: list[Row]) -> Record:
        if row["journey_ready_at"] > self.now:
            return {
                "ready": False,
                "customerOrderIndex": None,
                "daysToConversion": None,
                "firstVisit": None,
                "lastVisit": None,
                "momentsCount": None,
                "_moments": None,
            }
        visits = {one["role"]: self._visit(one, row["order_id"]) for one in rows}
        moments: list[Record] = []
        for role in ("first", "last"):
            visit = visits.get(role)
            if visit is not None and visit["id"] not in {one["id"] for one in moments}:
                moments.append(visit)
        first = next((one["occurred_at"] for one in rows if one["role"] == "first"), None)
        return {
            "ready": True,
            "customerOrderIndex": row["customer_order_index"],
            "daysToConversion": None if first is None else (row["created_at"] - first) // DAY,
            "firstVisit": visits.get("first"),
            "lastVisit": visits.get("last"),
            "momentsCount": {"count": len(moments), "precision": "EXACT"},
            "_moments": moments,
        }

    @staticmethod
    def _visit(row: Row, order_id: int) -> Record:
        tags = {
            name: row[f"utm_{name}"] for name in ("campaign", "content", "medium", "source", "term")
        }
        return {
            "__typename": "CustomerVisit",
            "id": gid("CustomerVisit", f"{order_id}{row['occurred_at']}"),
            "occurredAt": instant(row["occurred_at"]),
            "landingPage": row["landing_page"],
            "referralCode": row["referral_code"],
            "referrerUrl": row["referrer_url"],
            "source": row["source"],
            "sourceDescription": None,
            "sourceType": row["source_type"] if row["source_type"] in TACTICS else None,
            "utmParameters": tags if any(tags.values()) else None,
        }

    def _address(
        self,
        kind: str,
        identifier: int,
        country: str | None,
        name: str | None,
        street: str | None,
        phone: str | None,
    ) -> Record | None:
        if not self.personal or (country is None and name is None):
            return None
        first, _, last = (name or "").partition(" ")
        return {
            "__typename": "MailingAddress",
            "id": gid(kind, identifier),
            "address1": street,
            "address2": None,
            "city": None,
            "company": None,
            "country": country,
            "countryCodeV2": country,
            "firstName": first or None,
            "lastName": last or None,
            "name": name,
            "phone": phone,
            "province": None,
            "provinceCode": None,
            "zip": None,
        }

    # --- the others ---------------------------------------------------------------------------

    def customer_records(self, positions: Integers) -> list[Record]:
        """The customers at `positions`."""
        data = self.database.customers
        changed = self.customers.keys["UPDATED_AT"][positions].tolist()
        owned = self.database.orders_of_customer.rows(positions)
        return [
            self._customer(row, at, [one["order_id"] for one in orders])
            for row, at, orders in zip(data.rows(positions), changed, owned, strict=True)
        ]

    def customer(self, identifier: int | None) -> Record | None:
        """One customer, when there is one; the buyers of a page of orders are read together."""
        if identifier is None:
            return None
        if identifier not in self._customers:
            wanted = {identifier} | self._buyers
            places = [self.database.customers.position(one) for one in sorted(wanted)]
            known = [at for at in places if at is not None and self.customers.visible[at]]
            self._customers = dict.fromkeys(wanted)
            for record in self.customer_records(np.array(known, dtype=np.int64)):
                self._customers[record["_id"]] = record
        return self._customers[identifier]

    def _customer(self, row: Row, updated_at: int, orders: list[int]) -> Record:
        positions = np.searchsorted(self.database.orders.ids, np.array(orders, dtype=np.int64))
        positions = positions[self.database.orders.created_at[positions] <= self.now]
        real = positions[~self._test[positions]]
        seen = self.personal
        name = f"{row['first_name'] or ''} {row['last_name'] or ''}".strip()
        email = row["email"] if seen else None
        phone = row["phone"] if seen else None
        consent = "SUBSCRIBED" if row["accepts_marketing"] else "NOT_SUBSCRIBED"
        return {
            "__typename": "Customer",
            "_id": row["customer_id"],
            "_orders": positions,
            "id": gid("Customer", row["customer_id"]),
            "legacyResourceId": str(row["customer_id"]),
            "createdAt": instant(row["created_at"]),
            "updatedAt": instant(updated_at),
            "displayName": name if seen else "",
            "email": email,
            "phone": phone,
            "defaultEmailAddress": (
                None if email is None else {"emailAddress": email, "marketingState": consent}
            ),
            "defaultPhoneNumber": None if phone is None else {"phoneNumber": phone},
            "defaultAddress": self._address(
                "MailingAddress", row["customer_id"], row["country"], name, None, phone
            ),
            "firstName": row["first_name"] if seen else None,
            "lastName": row["last_name"] if seen else None,
            "locale": "en",
            "note": None,
            "tags": [],
            "numberOfOrders": str(len(real)),
            "amountSpent": money(int(self._totals[real].sum()), self.currency),
            "verifiedEmail": row["email"] is not None,
        }

    def product_records(self, positions: Integers) -> list[Record]:
        """The products at `positions`, with their variants."""
        data = self.database
        changed = self.products.keys["UPDATED_AT"][positions].tolist()
        return [
            self._make_product(row, at, variants)
            for row, at, variants in zip(
                data.products.rows(positions), changed, data.variants.rows(positions), strict=True
            )
        ]

    def product(self, identifier: int | None) -> Record | None:
        """One product, when it exists."""
        product = None if identifier is None else self._product(identifier)
        return product if product is not None and product["_created"] <= self.now else None

    def _product(self, identifier: int) -> Record | None:
        if identifier not in self._products:
            position = self.database.products.position(identifier)
            if position is None:
                return None
            self._products[identifier] = self.product_records(np.array([position]))[0]
        return self._products[identifier]

    def _make_product(self, row: Row, updated_at: int, variants: list[Row]) -> Record:
        product: Record = {
            "__typename": "Product",
            "_created": row["created_at"],
            "id": gid("Product", row["product_id"]),
            "legacyResourceId": str(row["product_id"]),
            "title": row["title"],
            "handle": row["title"].lower().replace(" ", "-"),
            "productType": row["product_type"],
            "vendor": row["vendor"],
            "status": "ACTIVE",
            "tags": [],
            "createdAt": instant(row["created_at"]),
            "updatedAt": instant(updated_at),
        }
        product["_variants"] = [self._variant(product, one) for one in variants]
        return product

    def _variant(self, product: Record, row: Row) -> Record:
        cost = row["unit_cost"]
        return {
            "__typename": "ProductVariant",
            "id": gid("ProductVariant", row["variant_id"]),
            "legacyResourceId": str(row["variant_id"]),
            "title": "Default Title",
            "sku": row["sku"],
            "price": money_text(row["price"]),
            "createdAt": product["createdAt"],
            "updatedAt": product["updatedAt"],
            "product": product,
            "inventoryItem": {
                "__typename": "InventoryItem",
                "id": gid("InventoryItem", row["variant_id"]),
                "legacyResourceId": str(row["variant_id"]),
                "sku": row["sku"],
                "tracked": True,
                "unitCost": None if cost is None else money(cost, self.currency),
            },
        }

    def variant(self, product_id: int, sku: str | None) -> Record | None:
        """The variant a line was sold as; by SKU, else the only one."""
        product = self._product(product_id)
        variants: list[Record] = [] if product is None else product["_variants"]
        return next((one for one in variants if one["sku"] == sku), None)

    def discount_records(self, positions: Integers) -> list[Record]:
        """The code discounts at `positions`."""
        data = self.database.discounts
        changed = self.discounts.keys["UPDATED_AT"][positions].tolist()
        return [
            self._discount(row, at) for row, at in zip(data.rows(positions), changed, strict=True)
        ]

    def discount(self, identifier: int) -> Record | None:
        """One code discount, when it exists."""
        position = self.database.discounts.position(identifier)
        if position is None or not self.discounts.visible[position]:
            return None
        return self.discount_records(np.array([position]))[0]

    def _discount(self, row: Row, updated_at: int) -> Record:
        if row["starts_at"] > self.now:
            status = "SCHEDULED"
        elif row["ends_at"] is not None and row["ends_at"] <= self.now:
            status = "EXPIRED"
        else:
            status = "ACTIVE"
        used = self._usage[row["code"].lower()]
        value: Record
        if row["kind"] == "percentage":
            value = {"__typename": "DiscountPercentage", "percentage": row["value"] / 10_000}
            summary = f"{row['value'] / 100:g}% off one-time purchase products"
        else:
            amount = money(row["value"], self.currency)
            value = {"__typename": "DiscountAmount", "amount": amount, "appliesOnEachItem": False}
            summary = f"{money_text(row['value'])} {self.currency} off one-time purchase products"
        code = {
            "id": gid("DiscountRedeemCode", row["discount_id"]),
            "code": row["code"],
            "asyncUsageCount": used,
        }
        return {
            "__typename": "DiscountCodeNode",
            "id": gid("DiscountCodeNode", row["discount_id"]),
            "codeDiscount": {
                "__typename": "DiscountCodeBasic",
                "_codes": [code],
                "title": row["title"],
                "status": status,
                "summary": summary,
                "startsAt": instant(row["starts_at"]),
                "endsAt": instant(row["ends_at"]),
                "createdAt": instant(row["created_at"]),
                "updatedAt": instant(updated_at),
                "usageLimit": row["usage_limit"],
                "asyncUsageCount": used,
                "appliesOncePerCustomer": False,
                "codesCount": {"count": 1, "precision": "EXACT"},
                "customerGets": {
                    "appliesOnOneTimePurchase": True,
                    "appliesOnSubscription": False,
                    "value": value,
                },
            },
        }

    # --- lookups ------------------------------------------------------------------------------

    @cached_property
    def _rules(self) -> dict[str, Row]:
        rows = self.database.discounts.table.to_pylist()
        return {row["code"].lower(): row for row in rows}

    @cached_property
    def _usage(self) -> Counter[str]:
        """How often each code was used until now, case aside."""
        table = self.database.codes.table
        owners = np.searchsorted(self.database.orders.ids, _column(table, "order_id"))
        past = self.database.orders.created_at[owners] <= self.now
        return Counter(_code_keys(table).filter(pa.array(past)).to_pylist())

    @cached_property
    def _test(self) -> Any:
        column = self.database.orders.table.column("is_test")
        return column.to_numpy(zero_copy_only=False).astype(bool)

    @cached_property
    def _totals(self) -> Integers:
        return _column(self.database.orders.table, "total")


def _share(amount: int, quantity: int) -> int:
    """An amount a piece, rounded half up to the cent."""
    return (2 * amount + quantity) // (2 * quantity) if quantity else 0


def _column(table: pa.Table, name: str) -> Integers:
    array: Integers = pc.fill_null(table.column(name), 0).to_numpy().astype(np.int64)
    return array


def _code_keys(table: pa.Table) -> Any:
    """Codes without blanks around them and in lower case: how the checkout compares them."""
    return pc.utf8_lower(pc.utf8_trim_whitespace(table.column("code")))


def _lower(table: pa.Table, name: str) -> Any:
    return np.array(pc.utf8_lower(pc.fill_null(table.column(name), "")).to_pylist(), dtype=object)
