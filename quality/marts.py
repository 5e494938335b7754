"""Suites of the marts gate: what dbt cannot see from inside one build, before readers see it.

dbt's tests own keys, references, ranges and formulas. This gate asks what they do not: do totals
agree from the raw tables to the credits, do shares look like business, is anything counted that
could not be observed yet, and did the marts move further from the last publication than they
should?
"""

from __future__ import annotations

import duckdb

from quality.checks import Check, Suite, rows_check, share_check
from quality.facts import Facts
from setae.warehouse import MARTS_ALIAS, literal, quote

PREVIOUS = "previous"
"""Catalog name of the publication that readers have now."""

SCHEMA = "marts"

_CENT = 0.01
_REBUILD = "run `setae transform --full-refresh`; if it stays, it is a bug in the models"


def suites(connection: duckdb.DuckDBPyConnection, facts: Facts) -> list[Suite]:
    """The suites of the marts gate for the marts that are there.

    Args:
        connection: To the warehouse, with the marts and the previous publication attached.
        facts: Of this gate run.
    """
    present = _tables(connection, MARTS_ALIAS)
    before = _tables(connection, PREVIOUS)
    through = facts.data_through or "9999-12-31"
    by_table = {
        "fct_attribution_credits": _credits(present),
        "fct_creator_conversion": _conversion(),
        "fct_orders": _orders(present),
        "fct_retention_cohorts": _retention(through),
        "fct_stickiness_daily": _stickiness(through),
    }
    found = [
        Suite(name=table, query=f"select * from {_mart(table)}", checks=checks)
        for table, checks in by_table.items()
        if table in present
    ]
    checks = _drift(facts, present, before)
    if checks:
        found.append(Suite(name="drift", query=_row_counts(present, before), checks=checks))
    if {"fct_orders", "fct_order_lines"} <= present:
        found.append(Suite(name="raw totals", query=_totals(connection), checks=_totals_checks()))
    return found


def _orders(present: frozenset[str]) -> list[Check]:
    checks = [
        share_check(
            name="discounts_are_part_of_the_price",
            table="marts.fct_orders",
            severity="warn",
            bad_rows="select * from {batch} as placed where discount_amount < 0",
            limit=0.0,
            expected="no order with a negative discount",
            todo="see which source sends negative discounts",
            file_column=None,
        ),
        share_check(
            name="few_orders_are_negative",
            table="marts.fct_orders",
            severity="warn",
            bad_rows="select * from {batch} as placed where net_sales_amount < 0",
            limit=0.01,
            minimum_count=20,
            expected="at most 1% of orders with more returned than bought",
            todo="see `returned_amount` of these orders at the source",
            file_column=None,
        ),
        share_check(
            name="customers_order_a_credible_number_of_times",
            table="marts.fct_orders",
            severity="warn",
            bad_rows="select customer_key, count(*) as order_count from {batch} as placed "
            "where customer_key is not null group by customer_key having count(*) > 1000",
            limit=0.0,
            expected="no customer with more than 1,000 orders",
            todo="see whether a shop sends one customer for all guests; map that id to none",
            file_column=None,
            of="(select distinct customer_key from {batch} as placed)",
        ),
    ]
    if "fct_order_lines" in present:
        checks.append(
            share_check(
                name="orders_equal_their_lines",
                table="marts.fct_orders",
                severity="error",
                bad_rows="select placed.order_key, placed.net_sales_amount, sold.line_amount "
                "from {batch} as placed "
                "inner join (select order_key, sum(net_sales_amount) as line_amount "
                f"from {_mart('fct_order_lines')} group by order_key) as sold "
                "on placed.order_key = sold.order_key "
                "where abs(placed.net_sales_amount - sold.line_amount) > 0.02",
                limit=0.05,
                minimum_count=20,
                expected="net sales of an order = net sales of its lines, but for 5% of orders",
                todo="see the raw check `orders_match_their_lines` for the orders' source",
                file_column=None,
            )
        )
    return checks


def _credits(present: frozenset[str]) -> list[Check]:
    checks = [
        rows_check(
            name="credit_shares_sum_to_one",
            table="marts.fct_attribution_credits",
            severity="error",
            bad_rows="select order_key, model, window_days, sum(credit_share) as credit_share "
            "from {batch} as credit group by order_key, model, window_days "
            "having sum(credit_share) <> 1",
            expected="shares of an order sum to exactly 1 per model and window",
            todo=_REBUILD,
        ),
        rows_check(
            name="one_model_and_window_is_the_default",
            table="marts.fct_attribution_credits",
            severity="error",
            bad_rows="select count(*) as default_count from (select distinct model, window_days "
            "from {batch} as credit where is_default) as defaults having count(*) > 1",
            expected="one default model and window",
            todo="see the vars default_attribution_model and default_attribution_window_days",
        ),
    ]
    if "fct_orders" in present:
        checks += [
            rows_check(
                name="credit_amounts_sum_to_net_sales",
                table="marts.fct_attribution_credits",
                severity="error",
                bad_rows="select credit.order_key, credit.model, credit.window_days, "
                "credit.credit_amount, placed.net_sales_amount from ("
                "select order_key, model, window_days, sum(credit_amount) as credit_amount, "
                "bool_and(is_whole) as is_whole from (select *, "
                "bool_and(credit_amount = trunc(credit_amount)) "
                "over (partition by currency_code) as is_whole from {batch} as one_credit) "
                "as every_credit group by order_key, model, window_days) as credit "
                f"left join {_mart('fct_orders')} as placed on credit.order_key = placed.order_key "
                # Credit is in whole minor units: where a currency has no fraction anywhere, as the
                # yen, an order is off by what it was rounded.
                "where placed.order_key is null "
                "or abs(credit.credit_amount - placed.net_sales_amount) "
                f"> case when credit.is_whole then 0.5 else {_CENT} end",
                expected="credit of an order = its net sales, per model and window",
                todo=_REBUILD,
            ),
            rows_check(
                name="every_order_has_its_credit",
                table="marts.fct_attribution_credits",
                severity="error",
                bad_rows="select credit.model, credit.window_days, credit.order_count from ("
                "select model, window_days, count(distinct order_key) as order_count "
                "from {batch} as every_credit group by model, window_days) as credit "
                f"cross join (select count(*) as order_count from {_mart('fct_orders')}) as placed "
                "where credit.order_count <> placed.order_count",
                expected="as many orders credited as there are, per model and window",
                todo=_REBUILD,
            ),
        ]
    return checks


def _conversion() -> list[Check]:
    return [
        rows_check(
            name="conversion_is_credible",
            table="marts.fct_creator_conversion",
            severity="warn",
            bad_rows="select * from {batch} as cell where person_conversion_rate > 0.6 "
            "and person_conversion_numerator_count >= 100",
            expected="at most 60% of a creator's people buying, where 100 or more did",
            todo="see whether the creator's clicks are missing, so that only buyers were seen",
        ),
    ]


def _retention(through: str) -> list[Check]:
    return [
        rows_check(
            name="no_cell_is_seen_before_its_time",
            table="marts.fct_retention_cohorts",
            severity="error",
            bad_rows="select * from {batch} as cell where (not is_mature "
            "and (retained_count is not null or retention_rate is not null)) "
            "or (is_mature and period <> 'hour' and cohort_start_date > "
            f"cast('{through}' as date))",
            expected="counts only in cells that were observed to their end",
            todo=_REBUILD,
        ),
        rows_check(
            name="a_cohort_keeps_its_size",
            table="marts.fct_retention_cohorts",
            severity="error",
            bad_rows="select cohort_kind, cohort_recurrence, period, segment_type, tier_scheme, "
            "segment, cohort_start from {batch} as cell group by all "
            "having count(distinct cohort_size_count) > 1",
            expected="the same cohort_size_count in every cell of a cohort",
            todo=_REBUILD,
        ),
    ]


def _stickiness(through: str) -> list[Check]:
    return [
        rows_check(
            name="days_end_with_the_data",
            table="marts.fct_stickiness_daily",
            severity="error",
            bad_rows="select * from {batch} as daily where activity_date > "
            f"cast('{through}' as date)",
            expected=f"no day after {through}, the last complete one",
            todo=_REBUILD,
        ),
        rows_check(
            name="people_do_not_all_come_every_day",
            table="marts.fct_stickiness_daily",
            severity="warn",
            bad_rows="select * from {batch} as daily where segment_type = 'all' "
            "and is_window_complete and mau_28d_count >= 1000 and dau_mau_28d_ratio > 0.9",
            expected="at most 90% of a month's people on one day, where they are 1,000 or more",
            todo="see whether a monitor or one shared id fills the events",
        ),
    ]


def _totals(connection: duckdb.DuckDBPyConnection) -> str:
    """One row per source with orders: how many, and their money, in the raw tables and in marts."""
    schemas = {
        str(schema)
        for (schema,) in connection.execute(
            "select distinct schema_name from duckdb_tables() "
            "where database_name = current_database() and starts_with(schema_name, 'raw_')"
        ).fetchall()
    }
    tables = {
        (str(schema), str(table))
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = current_database() and starts_with(schema_name, 'raw_')"
        ).fetchall()
    }
    parts = []
    for schema in sorted(schemas):
        source = schema.removeprefix("raw_")
        if (schema, "transactions") in tables:
            parts.append(
                f"select {literal(source)} as source, count(distinct basket_id) as order_count, "
                "coalesce(sum(sales_value), 0) as net_sales_amount "
                f"from ({_newest(schema, 'transactions')}) as line"
            )
        if (schema, "orders") in tables:
            parts.append(
                f"select {literal(source)} as source, "
                "count(*) filter (where not coalesce(is_test, false)) as order_count, "
                "null as net_sales_amount "
                f"from ({_newest(schema, 'orders')}) as placed"
            )
    raw = (
        " union all ".join(parts) or "select '' as source, 0 as order_count, 0 as net_sales_amount"
    )
    return (
        "select raw.source, raw.order_count as raw_order_count, "
        "raw.net_sales_amount as raw_amount, coalesce(orders.order_count, 0) as order_count, "
        "coalesce(orders.amount, 0) as order_amount, coalesce(lines.amount, 0) as line_amount "
        f"from ({raw}) as raw "
        "left join (select source, count(*) as order_count, sum(net_sales_amount) as amount "
        f"from {_mart('fct_orders')} group by source) as orders on raw.source = orders.source "
        "left join (select source, sum(net_sales_amount) as amount "
        f"from {_mart('fct_order_lines')} group by source) as lines on raw.source = lines.source"
    )


def _newest(schema: str, table: str) -> str:
    return (
        f"select * from {quote(schema)}.{quote(table)} where not _is_parked "
        "and _file_id in (select file_id from ops.loaded_files "
        "where gate_status in ('passed', 'accepted')) "
        "qualify row_number() over (partition by _record_key order by "
        "_source_updated_at desc nulls last, _revision desc, _record_hash desc) = 1"
    )


def _totals_checks() -> list[Check]:
    return [
        rows_check(
            name="every_raw_order_is_an_order",
            table="marts.fct_orders",
            severity="error",
            bad_rows="select * from {batch} as total where raw_order_count <> order_count",
            expected="as many orders as the raw tables hold, test orders left out",
            todo=_REBUILD,
        ),
        rows_check(
            name="orders_lines_and_raw_have_one_total",
            table="marts.fct_order_lines",
            severity="error",
            bad_rows="select * from {batch} as total where raw_amount is not null and "
            "(raw_amount <> order_amount or raw_amount <> line_amount)",
            expected="the same net sales in raw, orders and lines, to the cent",
            todo=_REBUILD,
        ),
    ]


def _drift(facts: Facts, present: frozenset[str], before: frozenset[str]) -> list[Check]:
    limit = facts.settings.drift_warn_rate
    missing = None if before else "no history: nothing is published yet"
    checks = [
        Check(
            name="no_mart_lost_all_its_rows",
            table="marts.*",
            severity="error",
            expected="rows wherever the last publication has some",
            todo="see which feed stopped; to publish less on purpose, move serving/ away first",
            arguments={
                "unexpected_rows_query": "select * from {batch} as mart "
                "where row_count = 0 and previous_row_count > 0"
            },
            observed_sql="select count(*) || ' such marts' from {batch} as mart "
            "where row_count = 0 and previous_row_count > 0",
            failing_sql="select * from {batch} as mart "
            "where row_count = 0 and previous_row_count > 0",
            missing_history=missing,
        ),
        Check(
            name="row_counts_are_near_the_last_publication",
            table="marts.*",
            severity="warn",
            expected=f"row counts within {limit:.0%} of the last publication",
            todo="compare the two: `setae compare serving/current.duckdb marts.duckdb`",
            arguments={
                "unexpected_rows_query": "select * from {batch} as mart where "
                f"abs(row_count - previous_row_count) > {limit!r} * previous_row_count"
            },
            observed_sql="select count(*) || ' marts beyond' from {batch} as mart where "
            f"abs(row_count - previous_row_count) > {limit!r} * previous_row_count",
            failing_sql="select * from {batch} as mart where "
            f"abs(row_count - previous_row_count) > {limit!r} * previous_row_count",
            missing_history=missing,
        ),
    ]
    if "fct_orders" in present:
        checks.append(_past_sales(limit, "fct_orders" in before))
    return checks


def _past_sales(limit: float, has_before: bool) -> Check:
    """Days that the last publication already had complete should hardly change."""
    sales = (
        "select placed.order_date, placed.amount, published.amount as previous_amount from ("
        f"select order_date, sum(net_sales_amount) as amount from {_mart('fct_orders')} "
        "group by order_date) as placed inner join ("
        "select order_date, sum(net_sales_amount) as amount "
        f"from {PREVIOUS}.{SCHEMA}.fct_orders "
        f"where order_date <= (select max(data_through_date) from {PREVIOUS}.{SCHEMA}.publication) "
        "group by order_date) as published on placed.order_date = published.order_date"
    )
    moved = (
        f"select * from ({sales}) as daily "
        f"where abs(amount - previous_amount) > {limit!r} * abs(previous_amount)"
    )
    return Check(
        name="published_days_keep_their_sales",
        table="marts.fct_orders",
        severity="warn",
        expected=f"net sales of a published day within {limit:.0%} of what was published",
        todo="see which late files or refunds these days got",
        arguments={"unexpected_rows_query": moved},
        observed_sql=f"select count(*) || ' days beyond' from ({moved}) as daily",
        failing_sql=moved,
        missing_history=None if has_before else "no history: nothing is published yet",
    )


def _row_counts(present: frozenset[str], before: frozenset[str]) -> str:
    parts = []
    for table in sorted(present | before):
        now = f"(select count(*) from {_mart(table)})" if table in present else "0"
        then = (
            f"(select count(*) from {PREVIOUS}.{SCHEMA}.{quote(table)})"
            if table in before
            else "null"
        )
        parts.append(
            f"select {literal(table)} as table_name, {now} as row_count, "
            f"{then} as previous_row_count"
        )
    return " union all ".join(parts) or (
        "select '' as table_name, 0 as row_count, 0 as previous_row_count"
    )


def _tables(connection: duckdb.DuckDBPyConnection, catalog: str) -> frozenset[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ? "
        "and table_name <> 'publication' and not contains(table_name, '__dbt_')",
        [catalog, SCHEMA],
    ).fetchall()
    return frozenset(name for (name,) in rows)


def _mart(table: str) -> str:
    return f"{MARTS_ALIAS}.{SCHEMA}.{table}"
