-- Where all days of a counter come from snapshots, they add up to the last one.
with days as (

    select * from {{ ref('int_post_metrics_daily__unioned') }}

),

snapshots as (

    select * from {{ ref('stg_drops__post_metric_snapshots') }}

),

day_totals as (

    select
        post_key,
        metric,
        sum(value) as value

    from days

    group by post_key, metric

    having min(basis) = 'snapshot_diff'
        and count(distinct coalesce(scope, '')) = 1

),

ranked_snapshots as (

    select
        post_key,
        metric,
        value,
        count(*) over (partition by post_key, metric, scope)
        = count(*) over (partition by post_key, metric) as has_one_scope,
        row_number() over (
            partition by post_key, metric
            order by observed_at desc
        ) as newest_rank

    from snapshots

),

final as (

    select
        day_totals.post_key,
        day_totals.metric

    from day_totals
    inner join ranked_snapshots
        on day_totals.post_key = ranked_snapshots.post_key
            and day_totals.metric = ranked_snapshots.metric
            and ranked_snapshots.newest_rank = 1
            and ranked_snapshots.has_one_scope

    where day_totals.value != ranked_snapshots.value

)

select * from final
