"""A plain HTTP client of the simulated shop."""

from __future__ import annotations

from typing import Any

import httpx

from ingestion.synthetic.shopify.shop import API_VERSION, Shop

# No certificate is read: that alone takes longer than a test. No connection is kept from one shop
# to the next, as a port may come again.
client = httpx.Client(
    verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
)


def post(
    shop: Shop,
    query: str,
    variables: dict[str, Any] | None = None,
    *,
    version: str = API_VERSION,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """One request to the Admin API, with the shop's token."""
    return client.post(
        f"{shop.address}/admin/api/{version}/graphql.json",
        json={"query": query, "variables": variables or {}},
        headers={"X-Shopify-Access-Token": shop.token} | (headers or {}),
        timeout=10,
    )


def ask(shop: Shop, text: str, /, **variables: Any) -> dict[str, Any]:
    """The `data` of a query that must succeed."""
    content: dict[str, Any] = post(shop, text, variables).json()
    assert "errors" not in content, content["errors"]
    data: dict[str, Any] = content["data"]
    return data


def codes(response: httpx.Response) -> list[str]:
    """The codes of the errors of a 200."""
    assert response.status_code == 200
    return [error["extensions"]["code"] for error in response.json()["errors"]]


def number(gid: str) -> int:
    """The number of order `n` of the hand-made shop out of its id."""
    return int(gid.rsplit("/", 1)[1]) - 5_000_000_000
