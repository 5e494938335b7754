{% set windows = {
    'wau': var('wau_days'),
    'mau_28d': var('mau_28d_days'),
    'mau_30d': var('mau_30d_days'),
    'mau_56d': 2 * var('mau_28d_days'),
} %}
-- Exact distinct people of every rolling window, without a range join: a day of activity covers the
-- days d to d + W - 1. A person *enters* the window on d if he was not in it the day before (no
-- earlier activity within W days), and *leaves* W days after an activity that none follows within W
-- days. Entrants minus leavers, summed up over the days, is the count. One pass over person-days
-- serves every W.
with person_days as (

    select * from {{ ref('int_person_days__aggregated') }}

    where activity_date <= {{ data_through_date() }}

),

person_segments as (

    select * from {{ ref('int_person_segments__assigned') }}

),

slots as (

    select * from {{ ref('int_person_slots__aggregated') }}

    where activity_date <= {{ data_through_date() }}

),

dates as (

    select * from {{ ref('dim_dates') }}

    where calendar_date <= {{ data_through_date() }}

),

person_dates as (

    select
        person_key,
        activity_date

    from person_days

    group by person_key, activity_date

    having sum(event_count) >= {{ var('active_minimum_events') }}

),

visits as (

    select
        person_key,
        activity_date,
        lag(activity_date) over person_history as previous_date,
        lead(activity_date) over person_history as next_date

    from person_dates

    window person_history as (partition by person_key order by activity_date)

),

platform_visits as (

    select
        person_key,
        platform,
        activity_date,
        lag(activity_date) over person_history as previous_date,
        lead(activity_date) over person_history as next_date

    from person_days

    where event_count >= {{ var('active_minimum_events') }}

    window person_history as (partition by person_key, platform order by activity_date)

),

segment_visits as (

    select
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment,
        activity_date,
        previous_date,
        next_date
    from visits

    union all

    select
        'platform' as segment_type,
        'none' as tier_scheme,
        platform as segment,
        activity_date,
        previous_date,
        next_date
    from platform_visits

    union all

    -- fans out on purpose: a person stands once in each of his segments
    select
        person_segments.segment_type,
        person_segments.tier_scheme,
        person_segments.segment,
        visits.activity_date,
        visits.previous_date,
        visits.next_date
    from visits
    inner join person_segments on visits.person_key = person_segments.person_key

),

-- What happened at all on a day, and what was left out of every count. Bots are nobody's segment.
platform_events as (

    select
        activity_date,
        platform,
        sum(qualifying_event_count) as qualifying_event_count,
        sum(bot_event_count) as bot_event_count,
        sum(internal_event_count) as internal_event_count

    from slots

    group by activity_date, platform

),

segment_events as (

    select
        'platform' as segment_type,
        platform as segment,
        activity_date,
        qualifying_event_count,
        bot_event_count,
        internal_event_count
    from platform_events

    union all

    select
        'all' as segment_type,
        'all' as segment,
        activity_date,
        sum(qualifying_event_count) as qualifying_event_count,
        sum(bot_event_count) as bot_event_count,
        sum(internal_event_count) as internal_event_count
    from platform_events
    group by activity_date

),

gaps as (

    select
        segment_type,
        tier_scheme,
        segment,
        activity_date,
        previous_date is null as is_first,
        -- a gap that no window can bridge stands for "never"
        coalesce({{ days_between('previous_date', 'activity_date') }}, 1000000) as gap_before_days,
        coalesce({{ days_between('activity_date', 'next_date') }}, 1000000) as gap_after_days

    from segment_visits

),

steps as (

    select
        segment_type,
        tier_scheme,
        segment,
        activity_date,
        count(*) as dau_count,
        count(*) filter (where is_first) as new_count,
        count(*) filter (where gap_before_days = 1) as returning_count,
        {% for window_name, days in windows.items() %}
            count(*) filter (where gap_before_days >= {{ days }})
                as {{ window_name }}_entrant_count,
            count(*) filter (where gap_after_days >= {{ days }}) as {{ window_name }}_leaver_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from gaps

    group by segment_type, tier_scheme, segment, activity_date

),

segments as (

    select
        segment_type,
        tier_scheme,
        segment,
        min(activity_date) as first_date

    from steps

    group by segment_type, tier_scheme, segment

),

segment_days as (

    -- fans out on purpose: every day from the segment's first to the last complete one
    select
        segments.segment_type,
        segments.tier_scheme,
        segments.segment,
        dates.calendar_date as activity_date,
        {{ days_between('segments.first_date', 'dates.calendar_date') }} as segment_age_days

    from segments

    inner join dates on segments.first_date <= dates.calendar_date

),

daily_steps as (

    select
        segment_days.segment_type,
        segment_days.tier_scheme,
        segment_days.segment,
        segment_days.activity_date,
        segment_days.segment_age_days,
        coalesce(steps.dau_count, 0) as dau_count,
        coalesce(steps.new_count, 0) as new_count,
        coalesce(steps.returning_count, 0) as returning_count,
        {% for window_name in windows %}
            coalesce(steps.{{ window_name }}_entrant_count, 0) as {{ window_name }}_entrant_count,
            coalesce(steps.{{ window_name }}_leaver_count, 0) as {{ window_name }}_leaver_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from segment_days

    -- steps holds one row per segment and day
    left join steps
        on
            segment_days.segment_type = steps.segment_type
            and segment_days.tier_scheme = steps.tier_scheme
            and segment_days.segment = steps.segment
            and segment_days.activity_date = steps.activity_date

),

running_steps as (

    select
        segment_type,
        tier_scheme,
        segment,
        activity_date,
        segment_age_days,
        dau_count,
        new_count,
        returning_count,
        {% for window_name in windows %}
            sum({{ window_name }}_entrant_count) over segment_history
                as {{ window_name }}_entrant_count,
            sum({{ window_name }}_leaver_count) over segment_history
                as {{ window_name }}_leaver_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from daily_steps

    window segment_history as (
        partition by segment_type, tier_scheme, segment
        order by activity_date
        rows between unbounded preceding and current row
    )

),

active_persons as (

    select
        segment_type,
        tier_scheme,
        segment,
        activity_date,
        segment_age_days,
        dau_count,
        new_count,
        returning_count,
        lag(dau_count, 1, 0) over segment_history as previous_dau_count,
        sum(dau_count) over last_7_days as active_day_7d_count,
        sum(dau_count) over last_28_days as active_day_28d_count,
        sum(new_count) over last_28_days as new_28d_count,
        {% for window_name, days in windows.items() %}
            {{ window_name }}_entrant_count
            - lag({{ window_name }}_leaver_count, {{ days }}, 0) over segment_history
                as {{ window_name }}_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from running_steps

    window
        segment_history as (
            partition by segment_type, tier_scheme, segment
            order by activity_date
        ),
        last_7_days as (
            partition by segment_type, tier_scheme, segment
            order by activity_date
            rows between {{ var('wau_days') - 1 }} preceding and current row
        ),
        last_28_days as (
            partition by segment_type, tier_scheme, segment
            order by activity_date
            rows between {{ var('mau_28d_days') - 1 }} preceding and current row
        )

),

lifecycles as (

    select
        *,
        lag(mau_28d_count, {{ var('mau_28d_days') }}, 0) over segment_history
            as previous_mau_28d_count,
        -- active in both windows = the two counts less the people of their union
        mau_28d_count
        + lag(mau_28d_count, {{ var('mau_28d_days') }}, 0) over segment_history
        - mau_56d_count as returning_28d_count,
        {{ safe_rate('dau_count', 'mau_28d_count') }} as dau_mau_28d_ratio,
        {{ safe_rate('dau_count', 'mau_30d_count') }} as dau_mau_30d_ratio,
        {{ safe_rate('wau_count', 'mau_28d_count') }} as wau_mau_ratio

    from active_persons

    window segment_history as (
        partition by segment_type, tier_scheme, segment
        order by activity_date
    )

),

mean_ratios as (

    select
        *,
        {% for ratio in ['dau_mau_28d_ratio', 'dau_mau_30d_ratio', 'wau_mau_ratio'] %}
            -- DECIMAL, because a sum of doubles depends on who adds first
            sum(cast({{ ratio }} as decimal(18, 12))) over last_28_days as {{ ratio }}_sum,
            count({{ ratio }}) over last_28_days as {{ ratio }}_day_count
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from lifecycles

    window last_28_days as (
        partition by segment_type, tier_scheme, segment
        order by activity_date
        rows between {{ var('mau_28d_days') - 1 }} preceding and current row
    )

),

final as (

    select
        mean_ratios.activity_date,
        mean_ratios.segment_type,
        mean_ratios.tier_scheme,
        mean_ratios.segment,
        mean_ratios.segment_age_days >= {{ var('mau_30d_days') - 1 }} as is_window_complete,
        mean_ratios.dau_count,
        cast(mean_ratios.wau_count as bigint) as wau_count,
        cast(mean_ratios.mau_28d_count as bigint) as mau_28d_count,
        cast(mean_ratios.mau_30d_count as bigint) as mau_30d_count,
        mean_ratios.new_count,
        mean_ratios.returning_count,
        mean_ratios.dau_count - mean_ratios.new_count - mean_ratios.returning_count
            as resurrecting_count,
        mean_ratios.previous_dau_count - mean_ratios.returning_count as dormant_count,
        cast(mean_ratios.new_28d_count as bigint) as new_28d_count,
        cast(mean_ratios.returning_28d_count as bigint) as returning_28d_count,
        cast(
            mean_ratios.mau_28d_count
            - mean_ratios.new_28d_count
            - mean_ratios.returning_28d_count as bigint
        ) as resurrecting_28d_count,
        cast(
            mean_ratios.previous_mau_28d_count - mean_ratios.returning_28d_count as bigint
        ) as dormant_28d_count,
        cast(mean_ratios.active_day_7d_count as bigint) as active_day_7d_count,
        cast(mean_ratios.active_day_28d_count as bigint) as active_day_28d_count,
        case
            when mean_ratios.segment_type in ('all', 'platform')
                then cast(coalesce(segment_events.qualifying_event_count, 0) as bigint)
        end as qualifying_event_count,
        case
            when mean_ratios.segment_type in ('all', 'platform')
                then cast(coalesce(segment_events.bot_event_count, 0) as bigint)
        end as bot_event_count,
        case
            when mean_ratios.segment_type in ('all', 'platform')
                then cast(coalesce(segment_events.internal_event_count, 0) as bigint)
        end as internal_event_count,
        mean_ratios.dau_mau_28d_ratio,
        mean_ratios.dau_mau_30d_ratio,
        mean_ratios.wau_mau_ratio,
        {% for ratio in ['dau_mau_28d_ratio', 'dau_mau_30d_ratio', 'wau_mau_ratio'] %}
            case
                when mean_ratios.segment_age_days >= {{ var('mau_28d_days') - 1 }}
                    then {{ safe_rate(
                        'mean_ratios.' ~ ratio ~ '_sum', 'mean_ratios.' ~ ratio ~ '_day_count'
                    ) }}
            end as {{ ratio }}_mean_28d,
        {% endfor %}
        {{ safe_rate('mean_ratios.active_day_7d_count', 'mean_ratios.wau_count') }} as mean_l7,
        {{ safe_rate('mean_ratios.active_day_28d_count', 'mean_ratios.mau_28d_count') }} as mean_l28

    from mean_ratios

    -- one row per segment and day on the right; persons' segments have none
    left join segment_events
        on
            mean_ratios.segment_type = segment_events.segment_type
            and mean_ratios.segment = segment_events.segment
            and mean_ratios.activity_date = segment_events.activity_date

)

select * from final
