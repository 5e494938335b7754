"""Children that did not come with their parent: the rest of long lists, asked for one by one.

An order comes with its first lines, refunds and lines of refunds, a discount with its first codes,
a product with its first variants. The few that have more are completed here before anything is made
of them, so that what lands of an object is all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingestion.sources.shopify import queries
from ingestion.sources.shopify.client import Client
from setae.errors import SourceError

Node = dict[str, Any]


def complete_order(client: Client, order: Node) -> Node:
    """An order with all its lines, refunds and lines of refunds."""
    _more(
        order["lineItems"],
        lambda after: client.ask(queries.ORDER_LINES, id=order["id"], after=after)["order"],
        "lineItems",
        client,
    )
    if len(order["refunds"]) >= queries.REFUNDS:
        found = client.ask(queries.ORDER_REFUNDS, id=order["id"])["order"]
        order["refunds"] = (found or order)["refunds"]
    for refund in order["refunds"]:
        _complete_refund(client, order["id"], refund)
    return order


def _complete_refund(client: Client, order_id: str, refund: Node) -> None:
    def ask(after: str) -> Node | None:
        order = client.ask(queries.REFUND_LINES_MORE, id=order_id, after=after)["order"]
        found = (order or {}).get("refunds", [])
        return next((one for one in found if one["id"] == refund["id"]), None)

    _more(refund["refundLineItems"], ask, "refundLineItems", client)


def complete_discount(client: Client, node: Node) -> Node:
    """A discount with all its codes."""

    def ask(after: str) -> Node | None:
        found = client.ask(queries.DISCOUNT_CODES_MORE, id=node["id"], after=after)
        discount: Node | None = (found["codeDiscountNode"] or {}).get("codeDiscount")
        return discount

    discount = node["codeDiscount"]
    if "codes" not in discount:
        raise SourceError(
            f"{client.name}: a discount of the unknown kind {discount.get('__typename')}; "
            "report a bug"
        )
    _more(discount["codes"], ask, "codes", client)
    return node


def complete_product(client: Client, product: Node) -> Node:
    """A product with all its variants."""
    _more(
        product["variants"],
        lambda after: client.ask(queries.VARIANTS_MORE, id=product["id"], after=after)["product"],
        "variants",
        client,
    )
    return product


def _more(connection: Node, ask: Callable[[str], Node | None], name: str, client: Client) -> None:
    """Append what a connection holds beyond its first page."""
    info, seen = connection["pageInfo"], set()
    while info["hasNextPage"]:
        after = info["endCursor"]
        found = ask(after) if after and after not in seen else None
        if found is None:
            raise SourceError(
                f"{client.name}: {name}: the rest of a list is not there; run the fetch again, "
                "and ask Shopify if it stays",
                retryable=True,
            )
        seen.add(after)
        connection["nodes"] += found[name]["nodes"]
        info = found[name]["pageInfo"]
