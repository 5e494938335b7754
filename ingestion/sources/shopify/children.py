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
        if found is not None:
            order["refunds"] = found["refunds"]
    for refund in order["refunds"]:
        _complete_refund(client, refund)
    return order


def _complete_refund(client: Client, refund: Node) -> None:
    _more(
        refund["refundLineItems"],
        lambda after: client.ask(queries.REFUND_LINES_MORE, id=refund["id"], after=after)["node"],
        "refundLineItems",
        client,
    )


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
    """Append what a connection holds beyond its first page; its parent may have gone meanwhile."""
    info, seen = connection["pageInfo"], set()
    while info["hasNextPage"]:
        after = info["endCursor"]
        if not after or after in seen:
            raise SourceError(
                f"{client.name}: {name}: a page leads nowhere; run the fetch again, and ask "
                "Shopify if it stays",
                retryable=True,
            )
        seen.add(after)
        found = ask(after)
        if found is None:
            return
        connection["nodes"] += found[name]["nodes"]
        info = found[name]["pageInfo"]
