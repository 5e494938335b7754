{{ config(materialized='table') }}

with follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

    where creator_key is not null
        and follower_count is not null

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

    where creator_key is not null

),

post_metrics as (

    select * from {{ ref('int_post_metrics_daily__unioned') }}

    where metric = 'reach'

),

dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

follower_days as (

    select
        follower_ranges.creator_key,
        dates.calendar_date as exposure_date,
        max(follower_ranges.follower_count) as follower_count

    from follower_ranges
    inner join dates
        on {{ is_valid_on('follower_ranges', 'dates.calendar_date') }}

    group by follower_ranges.creator_key, dates.calendar_date

),

reach_days as (

    select
        posts.creator_key,
        post_metrics.metric_date as exposure_date,
        sum(post_metrics.value) as reach_count

    from post_metrics
    inner join posts
        on post_metrics.post_key = posts.post_key

    group by posts.creator_key, post_metrics.metric_date

),

final as (

    select
        coalesce(follower_days.creator_key, reach_days.creator_key) as creator_key,
        coalesce(follower_days.exposure_date, reach_days.exposure_date) as exposure_date,
        follower_days.follower_count,
        cast(reach_days.reach_count as bigint) as reach_count

    from follower_days
    full join reach_days
        on follower_days.creator_key = reach_days.creator_key
            and follower_days.exposure_date = reach_days.exposure_date

)

select * from final
