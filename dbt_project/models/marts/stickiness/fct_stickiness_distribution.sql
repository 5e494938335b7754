{% set distributions = var('stickiness_distributions') %}
{% set has_hours = distributions | selectattr('interval', 'equalto', 'hour') | list | length > 0 %}
-- A histogram of people by their active intervals. A day's place in its period is computed once a
-- day and period, not once a person; persons get numbers, because millions of groups by a number
-- are cheaper than by a text.
with person_days as (

    select * from {{ ref('int_person_days__aggregated') }}

    where activity_date <= {{ data_through_date() }}

),

-- Read only where hours are asked for.
slots as (

    select * from {{ ref('int_person_slots__aggregated') }}

    where
        {{ has_hours | lower }}
        and qualifying_event_count > 0
        and activity_date <= {{ data_through_date() }}

),

person_segments as (

    select * from {{ ref('int_person_segments__assigned') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

distributions as (

    {% for distribution in distributions %}
        select
            {{ loop.index }} as distribution_number,
            '{{ distribution['period'] }}' as period_type,
            '{{ distribution['interval'] }}' as interval_unit,
            {{ distribution.get('length', 1) }} as interval_length,
            {{ distribution.get('days', 0) }} as trailing_days,
            cast(
                nullif(
                    '{{ distribution.get('from', '') }}', ''
                ) as date
            )
                as window_start_date,
            cast(
                nullif(
                    '{{ distribution.get('to', '') }}', ''
                ) as date
            )
                as window_end_date
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

dated_distributions as (

    select
        distribution_number,
        period_type,
        interval_unit,
        interval_length,
        trailing_days,
        case period_type
            when 'trailing' then cast({{ data_through_date() }} - (trailing_days - 1) as date)
            else window_start_date
        end as fixed_start_date,
        case period_type
            when 'trailing' then {{ data_through_date() }}
            else window_end_date
        end as fixed_end_date

    from distributions

),

date_periods as (

    -- a date lies in one period of each calendar kind
    select
        dated_distributions.distribution_number,
        dates.calendar_date,
        case dated_distributions.period_type
            when 'day' then dates.calendar_date
            when 'week' then dates.week_start_date
            when 'month' then dates.month_start_date
            when 'quarter' then dates.quarter_start_date
            when 'year' then dates.year_start_date
            else min(dates.calendar_date)
                    over (partition by dated_distributions.distribution_number)
        end as period_start_date,
        case dated_distributions.period_type
            when 'day' then dates.calendar_date
            when 'week' then cast(dates.week_start_date + 6 as date)
            when 'month' then cast({{ dbt.last_day('dates.calendar_date', 'month') }} as date)
            when 'quarter' then cast({{ dbt.last_day('dates.calendar_date', 'quarter') }} as date)
            when 'year' then cast({{ dbt.last_day('dates.calendar_date', 'year') }} as date)
            else {{ data_through_date() }}
        end as period_end_date
    from dates
    cross join dated_distributions
    where dated_distributions.fixed_start_date is null

    union all

    select
        dated_distributions.distribution_number,
        dates.calendar_date,
        dated_distributions.fixed_start_date as period_start_date,
        dated_distributions.fixed_end_date as period_end_date
    from dated_distributions
    -- a row per day of the window; a window before the history has one row without a day
    left join dates
        on
            dated_distributions.fixed_start_date <= dates.calendar_date
            and dated_distributions.fixed_end_date >= dates.calendar_date
    where dated_distributions.fixed_start_date is not null

),

periods as (

    select
        date_periods.distribution_number,
        date_periods.period_start_date,
        date_periods.period_end_date,
        dated_distributions.interval_unit,
        dated_distributions.interval_length,
        case
            when dated_distributions.period_type = 'trailing'
                then 'trailing_' || cast(dated_distributions.trailing_days as varchar) || 'd'
            else dated_distributions.period_type
        end as period_type,
        case
            when dated_distributions.interval_length = 1 then dated_distributions.interval_unit
            else
                cast(dated_distributions.interval_length as varchar)
                || ' '
                || dated_distributions.interval_unit
                || 's'
        end as interval_name,
        {{ hour_number(to_utc('date_periods.period_start_date')) }} as first_hour_number,
        row_number() over (
            order by date_periods.distribution_number, date_periods.period_start_date
        ) as period_number,
        cast(
            floor(
                case dated_distributions.interval_unit
                    when 'hour'
                        then {{ hour_number(
                            to_utc('cast(date_periods.period_end_date + 1 as date)')
                        ) }}
                            - {{ hour_number(to_utc('date_periods.period_start_date')) }} - 1
                    when 'day'
                        then {{ days_between(
                            'date_periods.period_start_date', 'date_periods.period_end_date'
                        ) }}
                    when 'week'
                        then {{ interval_number('week', 'date_periods.period_end_date') }}
                            - {{ interval_number('week', 'date_periods.period_start_date') }}
                    else
                        {{ interval_number('month', 'date_periods.period_end_date') }}
                        - {{ interval_number('month', 'date_periods.period_start_date') }}
                end / cast(dated_distributions.interval_length as double)
            ) as bigint
        ) + 1 as interval_count

    from date_periods

    inner join dated_distributions
        on date_periods.distribution_number = dated_distributions.distribution_number

    group by
        date_periods.distribution_number,
        date_periods.period_start_date,
        date_periods.period_end_date,
        dated_distributions.interval_unit,
        dated_distributions.interval_length,
        dated_distributions.period_type,
        dated_distributions.trailing_days

),

period_days as (

    select
        periods.period_number,
        periods.interval_unit,
        periods.interval_length,
        periods.first_hour_number,
        date_periods.calendar_date,
        cast(
            floor(
                case periods.interval_unit
                    when 'day'
                        then {{ days_between(
                            'date_periods.period_start_date', 'date_periods.calendar_date'
                        ) }}
                    when 'week'
                        then {{ interval_number('week', 'date_periods.calendar_date') }}
                            - {{ interval_number('week', 'date_periods.period_start_date') }}
                    else
                        {{ interval_number('month', 'date_periods.calendar_date') }}
                        - {{ interval_number('month', 'date_periods.period_start_date') }}
                end / cast(periods.interval_length as double)
            ) as bigint
        ) as interval_position

    from date_periods

    -- distribution and start identify a period
    inner join periods
        on
            date_periods.distribution_number = periods.distribution_number
            and date_periods.period_start_date = periods.period_start_date

    where date_periods.calendar_date is not null

),

persons as (

    select
        person_key,
        row_number() over (order by person_key) as person_number

    from person_days

    group by person_key

),

numbered_days as (

    select
        persons.person_number,
        person_days.platform,
        person_days.activity_date,
        person_days.event_count

    from person_days

    inner join persons on person_days.person_key = persons.person_key

),

numbered_hours as (

    select
        persons.person_number,
        slots.platform,
        slots.activity_date,
        {{ slot_hour_number('slots.slot_number') }} as hour_number,
        sum(slots.qualifying_event_count) as event_count

    from slots

    inner join persons on slots.person_key = persons.person_key

    group by
        persons.person_number,
        slots.platform,
        slots.activity_date,
        {{ slot_hour_number('slots.slot_number') }}

),

platform_intervals as (

    -- fans out on purpose: a day lies in one period of each distribution
    select
        numbered_days.person_number,
        numbered_days.platform,
        period_days.period_number,
        period_days.interval_position,
        sum(numbered_days.event_count) as event_count
    from numbered_days
    inner join period_days on numbered_days.activity_date = period_days.calendar_date
    where period_days.interval_unit != 'hour'
    group by
        numbered_days.person_number,
        numbered_days.platform,
        period_days.period_number,
        period_days.interval_position

    union all

    select
        numbered_hours.person_number,
        numbered_hours.platform,
        period_days.period_number,
        cast(
            floor(
                (numbered_hours.hour_number - period_days.first_hour_number)
                / cast(period_days.interval_length as double)
            ) as bigint
        ) as interval_position,
        sum(numbered_hours.event_count) as event_count
    from numbered_hours
    inner join period_days on numbered_hours.activity_date = period_days.calendar_date
    where period_days.interval_unit = 'hour'
    group by
        numbered_hours.person_number,
        numbered_hours.platform,
        period_days.period_number,
        cast(
            floor(
                (numbered_hours.hour_number - period_days.first_hour_number)
                / cast(period_days.interval_length as double)
            ) as bigint
        )

),

person_intervals as (

    select
        person_number,
        period_number,
        interval_position

    from platform_intervals

    group by person_number, period_number, interval_position

    having
        sum(event_count) >= {{ var('active_minimum_events') }}
        and sum(event_count) <= {{ var('active_maximum_events') or 9223372036854775807 }}

),

person_periods as (

    select
        person_number,
        period_number,
        count(*) as active_intervals

    from person_intervals

    group by person_number, period_number

),

platform_periods as (

    select
        person_number,
        platform,
        period_number,
        count(*) as active_intervals

    from platform_intervals

    where
        event_count >= {{ var('active_minimum_events') }}
        and event_count <= {{ var('active_maximum_events') or 9223372036854775807 }}

    group by person_number, platform, period_number

),

person_counts as (

    select
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment,
        period_number,
        active_intervals,
        count(*) as person_count
    from person_periods
    group by period_number, active_intervals

    union all

    select
        'platform' as segment_type,
        'none' as tier_scheme,
        platform as segment,
        period_number,
        active_intervals,
        count(*) as person_count
    from platform_periods
    group by platform, period_number, active_intervals

    union all

    -- fans out on purpose: a person stands once in each of his segments
    select
        person_segments.segment_type,
        person_segments.tier_scheme,
        person_segments.segment,
        person_periods.period_number,
        person_periods.active_intervals,
        count(*) as person_count
    from person_periods
    inner join persons on person_periods.person_number = persons.person_number
    inner join person_segments on persons.person_key = person_segments.person_key
    group by
        person_segments.segment_type,
        person_segments.tier_scheme,
        person_segments.segment,
        person_periods.period_number,
        person_periods.active_intervals

),

segments as (

    select
        segment_type,
        tier_scheme,
        segment,
        period_number
    from person_counts
    group by segment_type, tier_scheme, segment, period_number

    union distinct

    -- of everybody, also the periods in which nobody came
    select
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment,
        period_number
    from periods

),

segment_periods as (

    select
        segments.segment_type,
        segments.tier_scheme,
        segments.segment,
        segments.period_number,
        periods.interval_count

    from segments

    inner join periods on segments.period_number = periods.period_number

),

cells as (

    {{ number_series(
        'segment_periods',
        ['segment_type', 'tier_scheme', 'segment', 'period_number'],
        '1',
        'interval_count',
        'active_intervals',
    ) }}

),

counted_cells as (

    select
        cells.segment_type,
        cells.tier_scheme,
        cells.segment,
        cells.period_number,
        cells.active_intervals,
        coalesce(person_counts.person_count, 0) as persons_exactly_count,
        sum(coalesce(person_counts.person_count, 0)) over (
            partition by
                cells.segment_type, cells.tier_scheme, cells.segment, cells.period_number
            order by cells.active_intervals desc
            rows between unbounded preceding and current row
        ) as persons_at_least_count,
        sum(coalesce(person_counts.person_count, 0)) over (
            partition by
                cells.segment_type, cells.tier_scheme, cells.segment, cells.period_number
        ) as active_person_count

    from cells

    -- one row per segment, period and number of intervals on the right
    left join person_counts
        on
            cells.segment_type = person_counts.segment_type
            and cells.tier_scheme = person_counts.tier_scheme
            and cells.segment = person_counts.segment
            and cells.period_number = person_counts.period_number
            and cells.active_intervals = person_counts.active_intervals

),

observed_cells as (

    select
        periods.period_start_date,
        periods.period_end_date,
        periods.period_type,
        periods.interval_name,
        periods.interval_count,
        counted_cells.segment_type,
        counted_cells.tier_scheme,
        counted_cells.segment,
        counted_cells.active_intervals,
        periods.period_end_date <= {{ data_through_date() }} as is_mature,
        case
            when periods.period_end_date <= {{ data_through_date() }}
                then cast(counted_cells.active_person_count as bigint)
        end as active_person_count,
        case
            when periods.period_end_date <= {{ data_through_date() }}
                then cast(counted_cells.persons_exactly_count as bigint)
        end as persons_exactly_count,
        case
            when periods.period_end_date <= {{ data_through_date() }}
                then cast(counted_cells.persons_at_least_count as bigint)
        end as persons_at_least_count

    from counted_cells

    inner join periods on counted_cells.period_number = periods.period_number

),

final as (

    select
        period_start_date,
        period_end_date,
        period_type,
        interval_name as interval,
        segment_type,
        tier_scheme,
        segment,
        active_intervals,
        is_mature,
        interval_count,
        active_person_count,
        persons_exactly_count,
        persons_at_least_count,
        {{ safe_rate('persons_exactly_count', 'active_person_count') }} as persons_exactly_rate,
        {{ safe_rate('persons_at_least_count', 'active_person_count') }} as persons_at_least_rate

    from observed_cells

)

select * from final
