{% set bands = var('tenure_band_weeks') %}
{% set weeks_back = var('creator_activity_weeks') %}
-- The creators' own stickiness: a week is active when the creator posted in it. The grid has no gap
-- from a creator's first week on, so a window over rows is a window over weeks.
with creators as (

    select * from {{ ref('dim_creators') }}

    where not is_member

),

posts as (

    select * from {{ ref('dim_posts') }}

    where creator_key is not null

),

clicks as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        is_click
        and not is_repeat
        and creator_key is not null

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

    where
        is_default
        and creator_key is not null

),

orders as (

    select * from {{ ref('fct_orders') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

weeks as (

    select
        week_start_date,
        max(calendar_date) filter (where is_complete) as as_of_date,
        count(*) filter (where is_complete) = 7 as is_complete

    from dates

    group by week_start_date

),

post_weeks as (

    select
        posts.creator_key,
        dates.week_start_date,
        count(*) as post_count,
        count(*) filter (where posts.is_sponsored) as sponsored_post_count

    from posts

    -- calendar_date is unique in dates
    inner join dates on posts.posted_date = dates.calendar_date

    where dates.is_complete

    group by posts.creator_key, dates.week_start_date

),

click_weeks as (

    select
        clicks.creator_key,
        dates.week_start_date,
        count(*) as click_count

    from clicks

    inner join dates on clicks.touch_date = dates.calendar_date

    where dates.is_complete

    group by clicks.creator_key, dates.week_start_date

),

result_weeks as (

    select
        credits.creator_key,
        dates.week_start_date,
        count(*) as order_count,
        count(*) filter (where orders.is_new_customer) as new_customer_count,
        {{ only_value('credits.currency_code') }} as currency_code,
        {{ sum_of_one_currency('credits.credit_amount', 'credits.currency_code') }}
            as net_sales_amount

    from credits

    -- order_key is unique in orders, calendar_date in dates
    inner join orders on credits.order_key = orders.order_key
    inner join dates on credits.order_date = dates.calendar_date

    where dates.is_complete

    group by credits.creator_key, dates.week_start_date

),

started_creators as (

    select
        creator_key,
        {{ business_date('joined_at') }} as joined_date,
        {{ business_date('left_at') }} as left_date,
        {{ business_date('first_activity_at') }} as first_activity_date,
        {{ business_date('coalesce(joined_at, first_activity_at)') }} as tenure_from_date,
        {{ business_date('least(joined_at, first_activity_at)') }} as first_date

    from creators

),

grid as (

    select
        started_creators.creator_key,
        started_creators.joined_date,
        started_creators.left_date,
        started_creators.tenure_from_date,
        weeks.week_start_date,
        weeks.as_of_date,
        weeks.is_complete

    from started_creators

    -- fans out on purpose: a creator has a row for every week since the first that has a day yet
    inner join weeks on started_creators.first_date <= weeks.as_of_date

),

active_weeks as (

    select
        grid.*,
        coalesce(post_weeks.post_count, 0) as post_count,
        coalesce(post_weeks.sponsored_post_count, 0) as sponsored_post_count,
        coalesce(click_weeks.click_count, 0) as click_count,
        coalesce(result_weeks.order_count, 0) as order_count,
        coalesce(result_weeks.new_customer_count, 0) as new_customer_count,
        result_weeks.currency_code,
        case when result_weeks.order_count is null then 0 else result_weeks.net_sales_amount end
            as net_sales_amount,
        case when post_weeks.creator_key is null then 0 else 1 end as active,
        case when result_weeks.creator_key is null then 0 else 1 end as selling

    from grid

    -- every right side is one row per creator and week
    left join post_weeks
        on
            grid.creator_key = post_weeks.creator_key
            and grid.week_start_date = post_weeks.week_start_date
    left join click_weeks
        on
            grid.creator_key = click_weeks.creator_key
            and grid.week_start_date = click_weeks.week_start_date
    left join result_weeks
        on
            grid.creator_key = result_weeks.creator_key
            and grid.week_start_date = result_weeks.week_start_date

),

remembered_weeks as (

    select
        *,
        coalesce(lag(active) over creator_history, 0) as previous_active,
        coalesce(
            max(active) over (
                partition by creator_key
                order by week_start_date
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as earlier_active,
        sum(active) over last_weeks as active_week_count,
        sum(selling) over last_weeks as selling_week_count,
        count(*) over last_weeks as observed_week_count

    from active_weeks

    window
        creator_history as (partition by creator_key order by week_start_date),
        last_weeks as (
            partition by creator_key
            order by week_start_date
            rows between {{ weeks_back - 1 }} preceding and current row
        )

),

tenured_weeks as (

    select
        *,
        case
            when as_of_date >= tenure_from_date
                then {{ days_between('tenure_from_date', 'as_of_date') }}
        end as tenure_days

    from remembered_weeks

),

final as (

    select
        creator_key,
        week_start_date,
        as_of_date,
        case
            when active = 1 and earlier_active = 0 then 'new'
            when active = 1 and previous_active = 1 then 'returning'
            when active = 1 then 'resurrecting'
            when previous_active = 1 then 'dormant'
            else 'inactive'
        end as lifecycle_status,
        case
            when tenure_days is null then 'not_joined'
            {% for band in bands %}
                when tenure_days < 7 * {{ band }} then 'under_{{ band }}_weeks'
            {% endfor %}
            else '{{ bands | last }}_weeks_and_more'
        end as tenure_band_type,
        currency_code,
        active = 1 as is_active,
        coalesce(joined_date <= as_of_date, false)
        and coalesce(left_date > as_of_date, true) as is_in_programme,
        is_complete,
        post_count,
        sponsored_post_count,
        cast(active_week_count as bigint) as active_weeks_8w_count,
        cast(selling_week_count as bigint) as selling_weeks_8w_count,
        cast(observed_week_count as bigint) as observed_weeks_8w_count,
        click_count,
        order_count,
        new_customer_count,
        cast(net_sales_amount as decimal(38, 4)) as net_sales_amount,
        {{ safe_rate('active_week_count', 'observed_week_count') }} as active_weeks_8w_rate,
        cast(tenure_days as bigint) as tenure_days

    from tenured_weeks

)

select * from final
