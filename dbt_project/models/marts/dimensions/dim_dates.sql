-- Every other mart that lays days side by side takes its spine from here, so the first and the last
-- day of the history are decided in one place.
with observed as (

    select order_date as observed_date from {{ ref('int_orders__resolved') }}
    where not is_excluded

    union all

    select activity_date as observed_date from {{ ref('int_person_days__aggregated') }}

    union all

    select touch_date as observed_date from {{ ref('int_creator_touches__unioned') }}

    union all

    select metric_date as observed_date from {{ ref('int_post_metrics_daily__unioned') }}

    union all

    select commented_date as observed_date from {{ ref('int_comments__unioned') }}

    union all

    select posted_date as observed_date from {{ ref('int_posts__unioned') }}

    union all

    select refunded_date as observed_date from {{ ref('int_refunds__unioned') }}

    union all

    -- a fee is paid before there is anything to see; one that is planned tells of no day yet
    select incurred_date as observed_date from {{ ref('int_creator_costs__unioned') }}
    where incurred_date <= {{ business_date(as_of()) }}

    union all

    select {{ data_through_date() }} as observed_date

),

bounds as (

    select
        min(observed_date) as first_date,
        max(observed_date) as last_date

    from observed

),

days as (

    {{ date_series('bounds', 'first_date', 'last_date', 'calendar_date') }}

),

final as (

    select
        calendar_date,
        {{ week_start_date('calendar_date') }} as week_start_date,
        cast({{ dbt.date_trunc('month', 'calendar_date') }} as date) as month_start_date,
        cast({{ dbt.date_trunc('quarter', 'calendar_date') }} as date) as quarter_start_date,
        cast({{ dbt.date_trunc('year', 'calendar_date') }} as date) as year_start_date,
        case {{ weekday_number('calendar_date') }}
            when 1 then 'monday'
            when 2 then 'tuesday'
            when 3 then 'wednesday'
            when 4 then 'thursday'
            when 5 then 'friday'
            when 6 then 'saturday'
            else 'sunday'
        end as day_name,
        cast(extract(year from calendar_date) as integer) as year_number,
        cast(extract(quarter from calendar_date) as integer) as quarter_number,
        cast(extract(month from calendar_date) as integer) as month_number,
        cast(extract(day from calendar_date) as integer) as day_of_month_number,
        cast(
            {{ days_between(week_start_date('calendar_date'), 'calendar_date') }} + 1 as integer
        ) as day_of_week_number,
        {{ weekday_number('calendar_date') }} >= 6 as is_weekend,
        calendar_date <= {{ data_through_date() }} as is_complete

    from days

)

select * from final
