{{ config(materialized='table') }}

with snapshots as (

    select * from {{ ref('stg_drops__post_metric_snapshots') }}

),

platform_days as (

    select * from {{ ref('stg_drops__post_metrics_daily') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

-- An average is not a counter: its differences mean nothing.
lifetime_counters as (

    select
        post_key,
        metric,
        scope,
        value,
        observed_at,
        {{ business_date('observed_at') }} as metric_date

    from snapshots

    where metric != 'avg_watch_s'

),

ranked_in_day as (

    select
        lifetime_counters.*,
        row_number() over (
            partition by
                lifetime_counters.post_key,
                lifetime_counters.metric,
                lifetime_counters.scope,
                lifetime_counters.metric_date
            order by lifetime_counters.observed_at desc
        ) as newest_rank

    from lifetime_counters

),

day_ends as (

    select
        post_key,
        metric,
        scope,
        metric_date,
        value,
        observed_at,
        lag(value) over counter_history as previous_value,
        lag(observed_at) over counter_history as previous_observed_at,
        lag(metric_date) over counter_history as previous_metric_date

    from ranked_in_day

    where newest_rank = 1

    window counter_history as (
        partition by post_key, metric, scope
        order by metric_date
    )

),

-- A counter starts at nought when the post goes up, so the days always add up to its last value.
differences as (

    select
        day_ends.post_key,
        day_ends.metric,
        day_ends.scope,
        day_ends.metric_date,
        day_ends.observed_at,
        day_ends.value - coalesce(day_ends.previous_value, 0) as value,
        coalesce(day_ends.previous_metric_date, posts.posted_date) as since_date,
        coalesce(day_ends.previous_observed_at, posts.posted_at) as since_at

    from day_ends
    inner join posts
        on day_ends.post_key = posts.post_key

),

candidates as (

    select
        post_key,
        metric_date,
        metric,
        metric_tz,
        'platform_daily' as basis,
        scope,
        is_final,
        cast(null as integer) as gap_days,
        revision,
        value,
        observed_at,
        1 as basis_rank

    from platform_days

    union all

    select
        post_key,
        metric_date,
        metric,
        '{{ var("business_timezone") }}' as metric_tz,
        'snapshot_diff' as basis,
        scope,
        false as is_final,
        case
            when observed_at > since_at + interval '{{ var("snapshot_gap_hours") }} hours'
                then {{ days_between('since_date', 'metric_date') }}
        end as gap_days,
        0 as revision,
        value,
        observed_at,
        2 as basis_rank

    from differences

),

-- The platform's own day beats a difference of snapshots; organic beats a total with paid reach.
ranked_candidates as (

    select
        candidates.*,
        row_number() over (
            partition by candidates.post_key, candidates.metric_date, candidates.metric
            order by
                candidates.basis_rank asc,
                case candidates.scope when 'organic' then 1 when 'total' then 3 else 2 end asc
        ) as candidate_rank

    from candidates

),

final as (

    select
        post_key,
        metric_date,
        metric,
        metric_tz,
        basis,
        scope,
        is_final,
        false as is_interpolated,
        gap_days,
        revision,
        cast(value as decimal(20, 4)) as value,
        observed_at

    from ranked_candidates

    where candidate_rank = 1

)

select * from final
