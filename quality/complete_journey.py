"""Raw checks of `complete_journey`: what its six tables say about each other, and money in bands.

The package is of one piece: every redemption is by a household that shops, of a coupon that exists,
for a campaign the household was targeted by and within its days (2,102 of 2,102). Exceptions below
the limits are what the package itself holds, such as 4,836 lines (0.33 %) of products it does not
list. Tables of the package arrive in any order, so a table that has not arrived is not missed.
"""

from __future__ import annotations

from collections.abc import Sequence

from quality.checks import Check, between_check, share_check
from quality.facts import Batch, raw_table

_MINIMUM = 5
"""Fewer exceptions never stop: in a small batch a share says nothing."""

_READ_AGAIN = (
    "fetch the source again; if it stays, the installed package is not version 0.1 of 2017"
)


def checks(batch: Batch) -> Sequence[Check]:
    """Checks of one table's waiting rows.

    Args:
        batch: Of this source.
    """
    if batch.entity == "transactions":
        return _transactions(batch)
    if batch.entity == "coupon_redemptions":
        return _redemptions(batch)
    if batch.entity == "coupons":
        return [_known(batch, "products", ("product_id",), limit=0.01)]
    if batch.entity == "campaigns":
        return [_known(batch, "campaign_descriptions", ("campaign_id",), limit=0.0)]
    return ()


def _transactions(batch: Batch) -> list[Check]:
    return [
        _known(batch, "products", ("product_id",), limit=0.01),
        share_check(
            name="few_lines_have_quantity_zero",
            table=batch.table,
            severity="error",
            bad_rows="select * from {batch} as line where quantity = 0",
            limit=0.02,
            minimum_count=20,
            expected="at most 2% of lines (the package has 0.6%)",
            todo=_READ_AGAIN,
        ),
        share_check(
            name="few_lines_cost_more_than_100",
            table=batch.table,
            severity="error",
            bad_rows="select * from {batch} as line where sales_value > 100",
            limit=0.001,
            minimum_count=20,
            expected="at most 0.1% of lines above 100 dollars",
            todo=_READ_AGAIN,
        ),
        between_check(
            name="a_line_costs_what_groceries_cost",
            table=batch.table,
            severity="error",
            expectation="ExpectColumnMeanToBeBetween",
            column="sales_value",
            aggregate="avg(sales_value)",
            low=1.5,
            high=6.0,
            unit=" dollars",
            todo=_READ_AGAIN,
            failing_where="sales_value > 100 or sales_value = 0",
        ),
        share_check(
            name="discounts_stay_below_the_shelf_price",
            table=batch.table,
            severity="warn",
            bad_rows="select * from {batch} as line "
            "where coupon_disc > sales_value + retail_disc + coupon_match_disc",
            limit=0.01,
            expected="at most 1% of lines with a coupon worth more than the line (package: 0.2%)",
            todo="nothing, if few; else fetch the source again",
        ),
    ]


def _redemptions(batch: Batch) -> list[Check]:
    shoppers = raw_table(batch.source, "transactions")
    descriptions = raw_table(batch.source, "campaign_descriptions")
    return [
        share_check(
            name="redeeming_households_shop",
            table=batch.table,
            severity="error",
            bad_rows="select * from {batch} as redemption where not exists ("
            f"select 1 from {shoppers} as line where line.customer_pid = redemption.customer_pid) "
            "and redemption.redemption_date <= ("
            f"select cast(max(transaction_timestamp) as date) from {shoppers})",
            limit=0.05,
            minimum_count=_MINIMUM,
            expected="every redeeming household among the transactions",
            todo="fetch `transactions` of the same months, then check again",
        ),
        _known(batch, "coupons", ("coupon_upc", "campaign_id"), limit=0.0),
        _known(batch, "campaigns", ("campaign_id", "customer_pid"), limit=0.0),
        share_check(
            name="redemptions_fall_into_their_campaign",
            table=batch.table,
            severity="error",
            bad_rows="select redemption.* from {batch} as redemption "
            f"inner join {descriptions} as campaign "
            "on redemption.campaign_id = campaign.campaign_id "
            "where redemption.redemption_date not between "
            "cast(campaign.start_date as date) and cast(campaign.end_date as date)",
            limit=0.01,
            minimum_count=_MINIMUM,
            expected="at most 1% redeemed outside the days of the campaign",
            todo=_READ_AGAIN,
        ),
    ]


def _known(batch: Batch, other: str, columns: tuple[str, ...], *, limit: float) -> Check:
    """Rows whose key the other table lacks; nothing while the other table is empty."""
    table = raw_table(batch.source, other)
    on = " and ".join(f"other.{column} = waiting.{column}" for column in columns)
    return share_check(
        name=f"{other}_are_known",
        table=batch.table,
        severity="error",
        bad_rows="select * from {batch} as waiting "
        f"where not exists (select 1 from {table} as other where {on}) "
        f"and exists (select 1 from {table})",
        limit=limit,
        minimum_count=_MINIMUM,
        expected=f"{'every row' if not limit else f'at least {1 - limit:.0%}'} "
        f"with a {' and '.join(columns)} that `{other}` lists",
        todo=f"fetch `{other}` again, then check again",
    )
