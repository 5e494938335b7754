"""What estimators should find: one number per name and group, computed from causes.

`truth/targets.parquet` has `name`, `group_type`, `group_key`, `value` and `observation_count`
(what the value is a mean or count over). Processes of the world add up, so a world without a cause
is this one without the rows that carry it: realised effects are counts, not models.

A creator's own conversion is told as it happened, and a handful of clickers says little. For the
rate behind it, generate the same creators before another, larger crowd (`--people-seed`,
`--people`) and read the target there.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
from scipy import special

from ingestion.synthetic.scenario import Scenario

LIFT_DAYS = (7, 14, 28)
COMPLETION_DAYS = (7, 14, 28, 60)
CONVERSION_DAYS = 30

_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("group_type", pa.string()),
        ("group_key", pa.string()),
        ("value", pa.float64()),
        ("observation_count", pa.int64()),
    ]
)


def make(
    truth: Path, scenario: Scenario, *, end: int, connection: duckdb.DuckDBPyConnection
) -> pa.Table:
    """All targets, from the truth files written so far.

    Args:
        truth: The folder with `creators`, `visits`, `exposures`, `orders`, `claims`, `surveys`.
        end: The world's `as_of`, µs.
        connection: With `TimeZone` UTC.
    """
    connection.execute("set memory_limit = '1GiB'")
    connection.execute(f"set temp_directory = '{truth.parent / '.spill'}'")
    for name in ("creators", "visits", "exposures", "orders", "claims", "surveys"):
        path = truth / f"{name}.parquet"
        connection.execute(
            f"create or replace temp view {name} as select * from read_parquet('{path}')"
        )
    found = [connection.execute(sql).fetchall() for sql in _queries(scenario, end)]
    rows = [row for part in found for row in part] + _planted(scenario)
    rows.sort(key=lambda row: (row[0], row[1], row[2]))
    columns = list(zip(*rows, strict=True))
    values = [None if value is None else round(float(value), 8) for value in columns[3]]
    return pa.table([*columns[:3], values, columns[4]], schema=_SCHEMA)


def _planted(scenario: Scenario) -> list[tuple[str, str, str, float, int]]:
    shape, mean = scenario.refund_lag_shape, scenario.refund_lag_days
    return [
        (
            f"refund_completion_{days}d",
            "all",
            "all",
            float(special.gammainc(shape, days * shape / mean)),
            0,
        )
        for days in COMPLETION_DAYS
    ]


def _queries(scenario: Scenario, end: int) -> list[str]:
    zone = scenario.business_timezone
    groups = "grouping sets ((tier), (creator_id), ())"
    group_type = (
        "case when grouping(creator_id) = 0 then 'creator' when grouping(tier) = 0 then 'tier' "
        "else 'all' end"
    )
    group_key = "coalesce(creator_id, tier, 'all')"
    return [
        # Means over the creators of a tier, as planted.
        """
        select unnest(['order_effect', 'return_effect']), 'tier', tier,
            unnest([avg(order_effect), avg(return_effect)]), count(*)
        from creators group by tier
        """,
        # Orders and money that would be missing without creators.
        f"""
        with caused as (
            select creator_id, count(*) as orders, sum(subtotal) as net
            from orders where cause = 'creator' group by creator_id
        ), exposed as (
            select creator_id, count(*) as persons from exposures where is_first group by creator_id
        ), joined as (
            select creators.creator_id, tier, coalesce(orders, 0) as orders,
                coalesce(net, 0) as net, coalesce(persons, 0) as persons
            from creators left join caused using (creator_id) left join exposed using (creator_id)
        ), summed as (
            select {group_type} as group_type, {group_key} as group_key, sum(orders) as orders,
                sum(net) as net, sum(persons) as persons
            from joined group by {groups}
        )
        select unnest(['incremental_orders', 'incremental_net_sales_amount']), group_type,
            group_key, unnest([orders::double, net::double]), persons::bigint
        from summed
        """,
        # Of the orders that name a creator by code or last link, those the creator caused.
        """
        select 'caused_share_of_code_orders', 'all', 'all',
            avg((cause = 'creator' and creator_id = code_owner_id)::int), count(*)
        from orders where code_owner_id is not null and cause in ('baseline', 'creator')
        """,
        """
        select 'caused_share_of_link_orders', 'all', 'all',
            avg((cause = 'creator' and creator_id = last_link_creator_id)::int), count(*)
        from orders where last_link_creator_id is not null and cause in ('baseline', 'creator')
        """,
        """
        select 'declared_share', 'declared_by', declared_by,
            count(*) / (sum(count(*)) over ()), count(*)
        from orders where cause = 'creator' group by declared_by
        """,
        *(_lift(days, zone, end) for days in LIFT_DAYS),
        _conversion(end, groups, group_type, group_key),
        # Activation by lot: orders caused per creator and 28 days of being active.
        f"""
        with caused as (
            select creator_id, count(*) as orders from orders where cause = 'creator' group by all
        ), active as (
            select creator_id, wave, coalesce(orders, 0) as orders,
                greatest(least(coalesce(epoch_us(active_to), {end}), {end})
                    - epoch_us(active_from), 0) / 86400e6 as days
            from creators left join caused using (creator_id) where wave is not null
        )
        select 'incremental_orders_per_creator_28d',
            case when grouping(wave) = 0 then 'wave' else 'all' end,
            coalesce('wave-' || wave, 'all'), 28 * sum(orders) / nullif(sum(days), 0), count(*)
        from active group by grouping sets ((wave), ())
        """,
        """
        with caused as (select count(*) as orders from orders where cause = 'creator')
        select 'claims_per_caused_order',
            case when grouping(platform) = 0 then 'platform' else 'all' end,
            coalesce(platform, 'all'), count(*) / nullif(max(orders), 0), count(*)
        from claims cross join caused group by grouping sets ((platform), ())
        """,
    ]


def _lift(days: int, zone: str, end: int) -> str:
    """By tier: creator sessions followed by a return; how many more than without the creator."""
    return f"""
    with sessions as (
        select visit_id, person_id, started_at, link_creator_id,
            timezone('{zone}', started_at)::date as day
        from visits
        where channel = 'creator' and link_creator_id is not null and event_count > 0
        and epoch_us(started_at) < {end - days * 86_400_000_000}
    ), followed as (
        select sessions.visit_id,
            bool_or(true) as returns,
            bool_or(not (later.cause = 'return' and later.caused_by = sessions.link_creator_id))
                as returns_anyway
        from sessions inner join visits as later
            on sessions.person_id = later.person_id and later.event_count > 0
            and later.started_at > sessions.started_at
            and later.started_at < sessions.started_at + interval {days} day
            and timezone('{zone}', later.started_at)::date > sessions.day
        group by sessions.visit_id
    )
    select unnest(['return_rate_{days}d', 'return_lift_{days}d']),
        case when grouping(tier) = 0 then 'tier' else 'all' end, coalesce(tier, 'all'),
        unnest([
            avg(coalesce(returns, false)::int),
            avg(coalesce(returns, false)::int - coalesce(returns_anyway, false)::int)
        ]), count(*)
    from sessions left join followed using (visit_id)
    inner join creators on sessions.link_creator_id = creators.creator_id
    group by grouping sets ((tier), ())
    """


def _conversion(end: int, groups: str, group_type: str, group_key: str) -> str:
    """By creator: who bought within 30 days of the first click, of those observed so long."""
    return f"""
    with clicks as (
        select person_id, link_creator_id as creator_id, min(started_at) as first_at
        from visits where channel = 'creator' and link_creator_id is not null group by all
    ), observed as (
        select *, exists (
            select 1 from orders where orders.person_id = clicks.person_id
            and orders.created_at >= first_at
            and orders.created_at < first_at + interval {CONVERSION_DAYS} day
            and orders.cause in ('baseline', 'creator')
        ) as buys
        from clicks where epoch_us(first_at) < {end - CONVERSION_DAYS * 86_400_000_000}
    )
    select 'conversion_{CONVERSION_DAYS}d', {group_type}, {group_key},
        avg(buys::int), count(*)
    from observed inner join creators using (creator_id) group by {groups}
    """
