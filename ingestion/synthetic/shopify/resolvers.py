"""The schema with what resolves its fields: lists, lookups by id, and who may see what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
)

from ingestion.synthetic.shopify.database import Integers
from ingestion.synthetic.shopify.listing import (
    PAGE_SIZE,
    Listing,
    connection,
    page_through,
    whole,
)
from ingestion.synthetic.shopify.money import bag
from ingestion.synthetic.shopify.records import Record, View
from ingestion.synthetic.shopify.search import Search

if TYPE_CHECKING:
    Info = GraphQLResolveInfo[Any]

SCOPES = (
    "read_all_orders",
    "read_customers",
    "read_discounts",
    "read_orders",
    "read_products",
)
DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"

NEEDED = {
    ("QueryRoot", "order"): "read_orders",
    ("QueryRoot", "orders"): "read_orders",
    ("QueryRoot", "ordersCount"): "read_orders",
    ("QueryRoot", "customer"): "read_customers",
    ("QueryRoot", "customers"): "read_customers",
    ("QueryRoot", "product"): "read_products",
    ("QueryRoot", "products"): "read_products",
    ("QueryRoot", "codeDiscountNode"): "read_discounts",
    ("QueryRoot", "codeDiscountNodes"): "read_discounts",
    ("Customer", "orders"): "read_orders",
    ("LineItem", "product"): "read_products",
    ("LineItem", "variant"): "read_products",
    ("Order", "customer"): "read_customers",
}
"""The scope that a field needs, by type and field."""

NODE_SCOPES = {
    "Order": "read_orders",
    "Customer": "read_customers",
    "Product": "read_products",
    "DiscountCodeNode": "read_discounts",
}


class Operations(Protocol):
    """The bulk operations, as the resolvers need them."""

    def run(self, query: str, *, group_objects: bool) -> Record:
        """Begin one; the payload of `bulkOperationRunQuery`."""

    def cancel(self, identifier: str) -> Record:
        """Cancel one; the payload of `bulkOperationCancel`."""

    def find(self, identifier: str) -> Record | None:
        """One by its global id."""

    def records(self) -> list[Record]:
        """All, oldest first."""


@dataclass
class Context:
    """What the resolvers of one request share.

    Attributes:
        view: The shop at the instant of the request.
        denied: Fields answered with ACCESS_DENIED although the scope is there: a fault.
        part: In a bulk operation, the root objects of this step; None answers page by page.
    """

    view: View
    scopes: frozenset[str]
    shop: Mapping[str, Any]
    operations: Operations
    paging_limit: int
    denied: str = ""
    part: Integers | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def need(self, scope: str, name: str) -> None:
        """Refuse a field whose scope was not granted.

        Raises:
            GraphQLError: ACCESS_DENIED, in the words of the real shop.
        """
        if scope not in self.scopes:
            raise access_denied(name, scope)


def access_denied(name: str, scope: str) -> GraphQLError:
    """The error for a field that the app may not read."""
    required = f"`{scope}` access scope."
    return GraphQLError(
        f"Access denied for {name} field. Required access: {required}",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": DOCUMENTATION,
            "requiredAccess": required,
        },
    )


def resolve_field(source: Any, info: Info) -> Any:
    """A plain field: the value under its name."""
    return source[info.field_name]


Resolver = Callable[..., Any]


def _guarded(type_name: str, field_name: str, resolver: Resolver) -> Resolver:
    scope = NEEDED.get((type_name, field_name))
    if scope is None:
        return resolver

    def resolve(source: Any, info: Info, **arguments: Any) -> Any:
        info.context.need(scope, field_name)
        return resolver(source, info, **arguments)

    return resolve


def deny(following: Resolver, source: Any, info: Info, **arguments: Any) -> Any:
    """Middleware of the fault `access_denied`."""
    denied = info.context.denied
    if denied in {info.field_name, f"{info.parent_type.name}.{info.field_name}"}:
        raise access_denied(info.field_name, "read_customer_details")
    return following(source, info, **arguments)


def _listed(
    listing: Callable[[View], Listing], load: Callable[[View, Integers], list[Record]]
) -> Resolver:
    """A root connection."""

    def resolve(_source: Any, info: Info, **arguments: Any) -> Record:
        context: Context = info.context
        if context.part is not None:
            return whole(load(context.view, context.part))

        def warn(search: Search) -> None:
            context.warnings.append(
                {
                    "path": [info.path.key],
                    "query": arguments["query"],
                    "warnings": search.warnings,
                }
            )

        # GraphQL names are the names of the sort keys' columns here.
        page = listing(context.view).page(arguments, warn, limit=context.paging_limit)
        return connection(
            load(context.view, page.positions),
            page.cursors,
            has_next=page.has_next,
            has_previous=page.has_previous,
        )

    return resolve


def _children(key: str) -> Resolver:
    """A connection over a list that the parent holds."""

    def resolve(source: Record, info: Info, **arguments: Any) -> Record | None:
        items = source[key]
        if items is None:
            return None
        return whole(items) if info.context.part is not None else page_through(items, arguments)

    return resolve


def _number(identifier: str, kind: str) -> int | None:
    prefix = f"gid://shopify/{kind}/"
    number = identifier.removeprefix(prefix)
    return int(number) if identifier.startswith(prefix) and number.isdigit() else None


def _by_id(kind: str, find: Callable[[View, int], Record | None]) -> Resolver:
    def resolve(_source: Any, info: Info, **arguments: Any) -> Record | None:
        number = _number(arguments["id"], kind)
        if number is None:
            raise GraphQLError(
                f"Invalid id: {arguments['id']}", extensions={"code": "RESOURCE_NOT_FOUND"}
            )
        return find(info.context.view, number)

    return resolve


def _node(_source: Any, info: Info, **arguments: Any) -> Record | None:
    return _find_node(info.context, arguments["id"])


def _nodes(_source: Any, info: Info, **arguments: Any) -> list[Record | None]:
    if (size := len(arguments["ids"])) > PAGE_SIZE:
        raise GraphQLError(
            f"The input array size of {size} is greater than the maximum allowed of {PAGE_SIZE}.",
            extensions={"code": "MAX_INPUT_SIZE_EXCEEDED"},
        )
    return [_find_node(info.context, identifier) for identifier in arguments["ids"]]


def _find_node(context: Context, identifier: str) -> Record | None:
    kind = identifier.removeprefix("gid://shopify/").split("/")[0]
    if kind == "BulkOperation":
        return context.operations.find(identifier)
    number = _number(identifier, kind)
    find = {
        "Order": context.view.order,
        "Customer": context.view.customer,
        "Product": context.view.product,
        "DiscountCodeNode": context.view.discount,
    }.get(kind)
    if number is None or find is None:
        return None
    context.need(NODE_SCOPES[kind], "node")
    return find(number)


def _orders_count(_source: Any, info: Info, **arguments: Any) -> Record:
    positions, _ = info.context.view.orders.select(arguments, lambda _search: None)
    limit = arguments.get("limit") or len(positions)
    if len(positions) > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": len(positions), "precision": "EXACT"}


def _customer_orders(source: Record, info: Info, **arguments: Any) -> Record:
    context: Context = info.context
    listing = context.view.orders
    mine = np.zeros(len(listing.ids), dtype=np.bool_)
    mine[source["_orders"]] = True
    if context.part is not None:
        return whole(context.view.order_records(np.flatnonzero(mine & listing.visible)))
    page = listing.page(arguments, lambda _search: None, limit=context.paging_limit, only=mine)
    return connection(
        context.view.order_records(page.positions),
        page.cursors,
        has_next=page.has_next,
        has_previous=page.has_previous,
    )


def _refunds(source: Record, _info: Info, **arguments: Any) -> list[Record]:
    refunds: list[Record] = source["_refunds"]
    first = arguments.get("first")
    return refunds if first is None else refunds[:first]


def _discounted_total(source: Record, _info: Info, **arguments: Any) -> Record:
    key = "_net" if arguments.get("withCodeDiscounts") else "_before_codes"
    return bag(source[key], source["_currency"])


def _installation(_source: Any, info: Info) -> Record:
    return {
        "id": "gid://shopify/AppInstallation/1",
        "accessScopes": [
            {"handle": scope, "description": scope.replace("_", " ").capitalize()}
            for scope in sorted(info.context.scopes)
        ],
        "launchUrl": f"https://{info.context.shop['myshopifyDomain']}/admin/apps/setae",
    }


def _bulk_operations(_source: Any, info: Info, **arguments: Any) -> Record:
    records = info.context.operations.records()
    search = arguments.get("query") or ""
    if "status:" in search:
        wanted = search.split("status:", 1)[1].split()[0].strip("'\"").upper()
        records = [one for one in records if one["status"] == wanted]
    return page_through(records, arguments)


def _current_bulk(_source: Any, info: Info, **arguments: Any) -> Record | None:
    records = info.context.operations.records()
    return records[-1] if records and arguments.get("type") == "QUERY" else None


RESOLVERS: dict[tuple[str, str], Resolver] = {
    ("QueryRoot", "currentAppInstallation"): _installation,
    ("QueryRoot", "shop"): lambda _source, info: info.context.shop,
    ("QueryRoot", "node"): _node,
    ("QueryRoot", "nodes"): _nodes,
    ("QueryRoot", "order"): _by_id("Order", View.order),
    ("QueryRoot", "orders"): _listed(lambda view: view.orders, View.order_records),
    ("QueryRoot", "ordersCount"): _orders_count,
    ("QueryRoot", "customer"): _by_id("Customer", View.customer),
    ("QueryRoot", "customers"): _listed(lambda view: view.customers, View.customer_records),
    ("QueryRoot", "product"): _by_id("Product", View.product),
    ("QueryRoot", "products"): _listed(lambda view: view.products, View.product_records),
    ("QueryRoot", "codeDiscountNode"): _by_id("DiscountCodeNode", View.discount),
    ("QueryRoot", "codeDiscountNodes"): _listed(lambda view: view.discounts, View.discount_records),
    ("QueryRoot", "bulkOperation"): lambda _source, info, id: info.context.operations.find(id),  # noqa: A006
    ("QueryRoot", "bulkOperations"): _bulk_operations,
    ("QueryRoot", "currentBulkOperation"): _current_bulk,
    ("Mutation", "bulkOperationRunQuery"): lambda _source, info, **arguments: (
        info.context.operations.run(arguments["query"], group_objects=arguments["groupObjects"])
    ),
    ("Mutation", "bulkOperationCancel"): lambda _source, info, id: (  # noqa: A006
        info.context.operations.cancel(id)
    ),
    ("Order", "customer"): lambda source, info: info.context.view.customer(source["_customer"]),
    ("Order", "lineItems"): _children("_lines"),
    ("Order", "discountApplications"): _children("_applications"),
    ("Order", "refunds"): _refunds,
    ("Refund", "refundLineItems"): _children("_items"),
    ("LineItem", "product"): lambda source, info: info.context.view.product(source["_product"]),
    ("LineItem", "variant"): lambda source, info: info.context.view.variant(
        source["_product"], source["_sku"]
    ),
    ("LineItem", "discountedTotalSet"): _discounted_total,
    ("CustomerJourneySummary", "moments"): _children("_moments"),
    ("Customer", "orders"): _customer_orders,
    ("Product", "variants"): _children("_variants"),
    ("DiscountCodeBasic", "codes"): _children("_codes"),
}


@cache
def make_schema() -> GraphQLSchema:
    """The executable schema; one for the process, as it holds no state."""
    text = files("ingestion.synthetic.shopify").joinpath("schema.graphql").read_text("utf-8")
    schema = build_schema(text)
    for (type_name, field_name), resolver in RESOLVERS.items():
        kind = schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)
        kind.fields[field_name].resolve = _guarded(type_name, field_name, resolver)
    return schema
