-- The entrants-less-leavers sweep of fct_stickiness_daily against counting the distinct people of
-- each window outright, on the last complete day and four weeks before.
-- A day counts from the events that make somebody active, on all platforms or on one.
with person_days as (

    select
        'all' as segment_type,
        'all' as segment,
        person_key,
        activity_date
    from {{ ref('int_person_days__aggregated') }}
    group by person_key, activity_date
    having sum(event_count) >= {{ var('active_minimum_events') }}

    union all

    select
        'platform' as segment_type,
        platform as segment,
        person_key,
        activity_date
    from {{ ref('int_person_days__aggregated') }}
    where event_count >= {{ var('active_minimum_events') }}

),

stickiness as (

    select * from {{ ref('fct_stickiness_daily') }}

    where
        segment_type in ('all', 'platform')
        and activity_date in (
            {{ data_through_date() }},
            {{ data_through_date() }} - {{ var('mau_28d_days') }}
        )

),

plain_counts as (

    select
        stickiness.activity_date,
        stickiness.segment_type,
        stickiness.segment,
        {% for window_name in ['wau', 'mau_28d', 'mau_30d'] %}
            count(distinct case
                when
                    {{ days_between('person_days.activity_date', 'stickiness.activity_date') }}
                    < {{ var(window_name ~ '_days') }}
                    then person_days.person_key
            end) as {{ window_name }}_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from stickiness

    inner join person_days
        on
            stickiness.segment_type = person_days.segment_type
            and stickiness.segment = person_days.segment
            and stickiness.activity_date >= person_days.activity_date
            and {{ days_between('person_days.activity_date', 'stickiness.activity_date') }}
            < {{ var('mau_30d_days') }}

    group by stickiness.activity_date, stickiness.segment_type, stickiness.segment

)

select
    stickiness.activity_date,
    stickiness.segment,
    stickiness.wau_count,
    plain_counts.wau_count as plain_wau_count,
    stickiness.mau_28d_count,
    plain_counts.mau_28d_count as plain_mau_28d_count,
    stickiness.mau_30d_count,
    plain_counts.mau_30d_count as plain_mau_30d_count

from stickiness

left join plain_counts
    on
        stickiness.activity_date = plain_counts.activity_date
        and stickiness.segment_type = plain_counts.segment_type
        and stickiness.segment = plain_counts.segment

where
    stickiness.wau_count != coalesce(plain_counts.wau_count, 0)
    or stickiness.mau_28d_count != coalesce(plain_counts.mau_28d_count, 0)
    or stickiness.mau_30d_count != coalesce(plain_counts.mau_30d_count, 0)
