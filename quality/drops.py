"""Raw checks of `drops`: what one feed says agrees with what another says.

Feeds of a drop arrive apart and in any order, so a reference to a row that may still come is only
a warning, and only where the other feed has delivered at all. Money that does not add up inside
orders which did arrive with their lines stops the run.
"""

from __future__ import annotations

from collections.abc import Sequence

from quality.checks import Check, share_check
from quality.facts import Batch, newest, raw_table

_CENTS = 0.02
"""Rounding a shop may do between an order and its lines."""


def checks(batch: Batch) -> Sequence[Check]:
    """Checks of one entity's waiting rows.

    Args:
        batch: Of this source.
    """
    make = _CHECKS.get(batch.entity)
    return make(batch) if make else ()


def _orders(batch: Batch) -> list[Check]:
    return [
        *_totals(batch),
        _currency(batch),
        share_check(
            name="most_orders_name_a_customer",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as placed "
            "where customer_pid is null and email_pid is null and user_pid is null",
            limit=0.5,
            minimum_count=20,
            expected="at most 50% of orders without customer, e-mail and user",
            todo="ask the shop to send the customer with its orders",
        ),
    ]


def _order_lines(batch: Batch) -> list[Check]:
    return _totals(batch)


def _totals(batch: Batch) -> list[Check]:
    """Orders whose lines do not add up to them; the newest version of each row counts.

    The same claim for a batch of orders and for a batch of lines: whichever comes last sees it.
    """
    orders, lines = raw_table(batch.source, "orders"), raw_table(batch.source, "order_lines")
    bad_rows = (
        "select placed.*, sold.line_net_amount "
        f"from ({newest(orders)}) as placed "
        "inner join (select order_id, _source_account, sum(net_amount) as line_net_amount "
        f"from ({newest(lines)}) as newest_lines "
        "group by order_id, _source_account) as sold "
        "on placed.order_id = sold.order_id and placed._source_account = sold._source_account "
        "where (placed.order_id, placed._source_account) in "
        f"(select order_id, _source_account from {batch.table} "
        f"where _file_id in {batch.file_filter}) "
        "and abs(placed.gross_amount - coalesce(placed.discount_amount, 0) "
        f"- sold.line_net_amount) > {_CENTS}"
    )
    todo = (
        "see whether tax or shipping is in one of the two; deliver the orders corrected, or "
        "accept the file"
    )
    file_column = "_file_id" if batch.entity == "orders" else None
    return [
        share_check(
            name="orders_match_their_lines",
            table=batch.table,
            severity="error",
            bad_rows=bad_rows,
            limit=0.05,
            minimum_count=20,
            expected="gross - discount = net amounts of the lines, but for 5% of orders",
            todo=todo,
            file_column=file_column,
        ),
        share_check(
            name="every_order_matches_its_lines",
            table=batch.table,
            severity="warn",
            bad_rows=bad_rows,
            limit=0.0,
            expected="gross - discount = net amounts of the lines, for every order",
            todo=todo,
            file_column=file_column,
        ),
    ]


def _currency(batch: Batch) -> Check:
    wanted = batch.settings.currency
    usual = (
        f"'{wanted}'"
        if wanted
        else f"(select mode(currency) from {raw_table(batch.source, 'orders')})"
    )
    return share_check(
        name="orders_are_in_one_currency",
        table=batch.table,
        severity="warn",
        bad_rows=f"select * from {{batch}} as placed where currency <> {usual}",
        limit=0.0,
        expected=f"only {wanted or 'one currency'}",
        todo="deliver `fx_rates_daily`, or nothing of these orders is in reporting totals",
    )


def _redemptions(batch: Batch) -> list[Check]:
    customers = raw_table(batch.source, "customers")
    orders = raw_table(batch.source, "orders")
    return [
        share_check(
            name="redeeming_customers_are_known",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as redemption where customer_pid is not null "
            f"and not exists (select 1 from {customers} as known "
            "where known.customer_pid = redemption.customer_pid) "
            f"and not exists (select 1 from {orders} as known "
            "where known.customer_pid = redemption.customer_pid) "
            f"and exists (select 1 from {orders})",
            limit=0.0,
            expected="every redeeming customer among customers or orders",
            todo="deliver `customers` and `orders` of these days",
        ),
        _known(batch, "promo_codes", "code_norm"),
    ]


def _link_clicks(batch: Batch) -> list[Check]:
    return [_known(batch, "tracked_links", "link_id"), _bots(batch)]


def _activity_events(batch: Batch) -> list[Check]:
    return [
        _bots(batch),
        share_check(
            name="clocks_of_senders_are_right",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as seen where time_quality <> 'ok'",
            limit=0.01,
            minimum_count=20,
            expected="at most 1% of events with a wrong clock",
            todo="ask the sender to set its clocks; the times were corrected where possible",
        ),
    ]


def _bots(batch: Batch) -> Check:
    return share_check(
        name="bots_are_a_minority",
        table=batch.table,
        severity="warn",
        bad_rows="select * from {batch} as seen where is_bot",
        limit=0.5,
        minimum_count=20,
        expected="at most 50% of rows from bots (they are left out of the marts)",
        todo="see whether a monitor or an attack makes them",
    )


def _posts(batch: Batch) -> list[Check]:
    return [_known(batch, "creators", "creator_id")]


def _creator_costs(batch: Batch) -> list[Check]:
    return [_known(batch, "creators", "creator_id")]


def _known(batch: Batch, other: str, column: str) -> Check:
    """Rows that name something the other feed lacks; nothing while that feed is empty."""
    table = raw_table(batch.source, other)
    return share_check(
        name=f"{other}_are_known",
        table=batch.table,
        severity="warn",
        bad_rows=f"select * from {{batch}} as waiting where {column} is not null "
        f"and not exists (select 1 from {table} as other where other.{column} = waiting.{column}) "
        f"and exists (select 1 from {table})",
        limit=0.0,
        expected=f"every {column} among `{other}`",
        todo=f"deliver `{other}` of these rows; until then they count as unattributed",
    )


_CHECKS = {
    "activity_events": _activity_events,
    "code_redemptions": _redemptions,
    "creator_costs": _creator_costs,
    "link_clicks": _link_clicks,
    "order_lines": _order_lines,
    "orders": _orders,
    "posts": _posts,
}
