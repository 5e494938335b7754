-- mean(L28) / 28 = mean(DAU of the 28 days) / MAU28: the left side person by person from the days
-- of activity, the right side from the daily counts. Whole numbers, multiplied crosswise.
-- A day counts from the events that make somebody active, as in the mart.
with person_days as (

    select
        person_key,
        activity_date

    from {{ ref('int_person_days__aggregated') }}

    group by person_key, activity_date

    having sum(event_count) >= {{ var('active_minimum_events') }}

),

stickiness as (

    select * from {{ ref('fct_stickiness_daily') }}

    where segment_type = 'all'

),

sample_dates as (

    select
        activity_date as sample_date,
        mau_28d_count,
        mean_l28

    from stickiness

    where
        activity_date in (
            {{ data_through_date() }},
            {{ data_through_date() }} - {{ var('mau_28d_days') }}
        )

),

person_l28 as (

    select
        sample_dates.sample_date,
        person_days.person_key,
        count(*) as active_day_count

    from sample_dates

    inner join person_days
        on
            sample_dates.sample_date >= person_days.activity_date
            and {{ days_between('person_days.activity_date', 'sample_dates.sample_date') }}
            < {{ var('mau_28d_days') }}

    group by sample_dates.sample_date, person_days.person_key

),

left_side as (

    select
        sample_date,
        count(*) as person_count,
        sum(active_day_count) as active_day_count

    from person_l28

    group by sample_date

),

right_side as (

    select
        sample_dates.sample_date,
        sample_dates.mau_28d_count,
        sample_dates.mean_l28,
        sum(stickiness.dau_count) as dau_sum

    from sample_dates

    inner join stickiness
        on
            sample_dates.sample_date >= stickiness.activity_date
            and {{ days_between('stickiness.activity_date', 'sample_dates.sample_date') }}
            < {{ var('mau_28d_days') }}

    group by sample_dates.sample_date, sample_dates.mau_28d_count, sample_dates.mean_l28

)

select
    left_side.sample_date,
    left_side.active_day_count,
    left_side.person_count,
    right_side.dau_sum,
    right_side.mau_28d_count,
    right_side.mean_l28

from left_side

inner join right_side on left_side.sample_date = right_side.sample_date

where
    left_side.active_day_count * right_side.mau_28d_count
    != right_side.dau_sum * left_side.person_count
    or abs(right_side.mean_l28 * left_side.person_count - left_side.active_day_count) > 0.000001
