"""Amounts as the Admin API writes them: decimal strings out of integer cents."""

from __future__ import annotations

from typing import Any


def decimal_text(cents: int) -> str:
    """A `Decimal`: no more digits than needed, at least one: 40000 is "400.0", 1250 is "12.5"."""
    sign, units, rest = "-" if cents < 0 else "", abs(cents) // 100, abs(cents) % 100
    text = f"{sign}{units}.{rest:02d}"
    return text.removesuffix("0")


def money_text(cents: int) -> str:
    """A `Money`: always two digits."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def money(cents: int, currency: str) -> dict[str, Any]:
    """A `MoneyV2`."""
    return {"__typename": "MoneyV2", "amount": decimal_text(cents), "currencyCode": currency}


def bag(cents: int, currency: str) -> dict[str, Any]:
    """A `MoneyBag` of a shop that sells in one currency."""
    amount = money(cents, currency)
    return {"shopMoney": amount, "presentmentMoney": amount}


def allocate(rows: list[int], columns: list[int]) -> list[list[int]]:
    """Split each line's discount over the codes so that both totals hold to the cent.

    The north-west corner rule: walk lines and codes in order and give each pair what is left of
    both. What a code took off beyond the lines (shipping) stays unallocated.

    Args:
        rows: Discount of each line in cents.
        columns: Amount of each code in cents.

    Returns:
        One list a line, one amount a code.
    """
    left = list(columns)
    result = []
    for amount in rows:
        cells = []
        for index, available in enumerate(left):
            cell = min(amount, available)
            left[index] -= cell
            amount -= cell  # noqa: PLW2901 - the rest of this line
            cells.append(cell)
        result.append(cells)
    return result
