{% set periods = var('retention_periods') %}
-- Intervals of a period are numbered (hours, days, weeks, months since 1970), so "n intervals later"
-- is a subtraction, months keep their own length, and a cohort that nobody joined still has its
-- place. A person joins a cohort once and returns in an interval once, so every count below is a
-- plain count of rows; the return before this one tells a bracket's first return from its others.
with person_days as (

    select * from {{ ref('int_person_days__aggregated') }}

    where activity_date <= {{ data_through_date() }}

),

recent_events as (

    select * from {{ ref('int_activity_events__resolved') }}

    where
        is_qualifying
        and activity_date <= {{ data_through_date() }}
        and occurred_at >= {{ retention_hours_start() }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where touch_date <= {{ data_through_date() }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where
        not is_excluded
        and order_date <= {{ data_through_date() }}

),

person_segments as (

    select * from {{ ref('int_person_segments__assigned') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

period_settings as (

    {% for period, setting in periods.items() %}
        select
            '{{ period }}' as period,
            {{ setting['horizon'] }} as horizon,
            {{ (period in var('retention_segment_periods')) | lower }} as has_segments
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

brackets as (

    {% for period, setting in periods.items() %}
        {% for first_n, last_n in setting['brackets'] %}
            select
                '{{ period }}' as period,
                {{ first_n }} as n,
                {{ last_n }} as n_to
            union all
        {% endfor %}
    {% endfor %}
    -- closes the union, and stands for "no brackets" where none are set
    select
        'none' as period,
        0 as n,
        0 as n_to

),

period_steps as (

    {{ number_series('period_settings', ['period'], '0', 'horizon', 'n') }}

),

period_cells as (

    select
        period,
        'on' as definition,
        n,
        n as n_to
    from period_steps

    union all

    select
        period,
        'on_or_after' as definition,
        n,
        cast(null as bigint) as n_to
    from period_steps

    union all

    select
        brackets.period,
        'bracket' as definition,
        brackets.n,
        brackets.n_to
    from brackets
    inner join period_settings on brackets.period = period_settings.period

),

hour_bounds as (

    select
        {{ interval_number('hour', retention_hours_start()) }} as first_number,
        {{ interval_number('hour', data_through_end()) }} - 1 as last_number,
        {{ retention_hours_start() }} as first_at

),

hour_numbers as (

    {{ number_series(
        'hour_bounds', ['first_number', 'first_at'], 'first_number', 'last_number', 'interval_number'
    ) }}

),

date_intervals as (

    select
        'day' as period,
        calendar_date,
        {{ interval_number('day', 'calendar_date') }} as interval_number,
        calendar_date as start_date,
        calendar_date as last_date
    from dates

    union all

    select
        'week' as period,
        calendar_date,
        {{ interval_number('week', 'calendar_date') }} as interval_number,
        week_start_date as start_date,
        cast(week_start_date + 6 as date) as last_date
    from dates

    union all

    select
        'month' as period,
        calendar_date,
        {{ interval_number('month', 'calendar_date') }} as interval_number,
        month_start_date as start_date,
        cast({{ dbt.last_day('calendar_date', 'month') }} as date) as last_date
    from dates

),

-- one row per interval that has begun
intervals as (

    select
        period,
        interval_number,
        cast(start_date as timestamp) as start_at,
        start_date,
        last_date
    from date_intervals
    group by period, interval_number, start_date, last_date

    union all

    select
        'hour' as period,
        interval_number,
        {{ dbt.dateadd('hour', 'cast(interval_number - first_number as integer)', 'first_at') }}
            as start_at,
        {{ business_date(
            dbt.dateadd('hour', 'cast(interval_number - first_number as integer)', 'first_at')
        ) }} as start_date,
        {{ business_date(
            dbt.dateadd('hour', 'cast(interval_number - first_number as integer)', 'first_at')
        ) }} as last_date
    from hour_numbers

),

period_bounds as (

    select
        period,
        max(interval_number) as last_number,
        max(interval_number) filter (where last_date <= {{ data_through_date() }})
            as last_complete_number

    from intervals

    group by period

),

dated_acts as (

    select
        'visit' as act,
        person_key,
        activity_date as act_date,
        first_event_at as act_at
    from person_days

    union all

    select
        'exposure' as act,
        person_key,
        touch_date as act_date,
        touch_at as act_at
    from touches

    union all

    select
        'order' as act,
        person_key,
        order_date as act_date,
        ordered_at as act_at
    from orders

),

act_days as (

    select
        act,
        person_key,
        act_date,
        min(act_at) as first_act_at

    from dated_acts

    group by act, person_key, act_date

),

recent_acts as (

    select
        'visit' as act,
        person_key,
        occurred_at as act_at
    from recent_events

    union all

    select
        act,
        person_key,
        act_at
    from dated_acts
    where
        act <> 'visit'
        and act_at >= {{ retention_hours_start() }}

),

act_intervals as (

    select
        act_days.act,
        act_days.person_key,
        date_intervals.period,
        date_intervals.interval_number

    from act_days

    -- fans out on purpose: a date lies in one interval of each period
    inner join date_intervals on act_days.act_date = date_intervals.calendar_date

    group by
        act_days.act,
        act_days.person_key,
        date_intervals.period,
        date_intervals.interval_number

    union all

    select
        act,
        person_key,
        'hour' as period,
        {{ interval_number('hour', 'act_at') }} as interval_number

    from recent_acts

    group by act, person_key, {{ interval_number('hour', 'act_at') }}

),

person_firsts as (

    select
        act,
        person_key,
        min(first_act_at) as first_act_at

    from act_days

    group by act, person_key

),

person_intervals as (

    select
        act_intervals.act,
        act_intervals.person_key,
        act_intervals.period,
        act_intervals.interval_number,
        lag(act_intervals.interval_number) over person_history as previous_number,
        max(act_intervals.interval_number) over person_acts as last_number,
        -- hours see only the days just gone, so the first one is checked against all of history
        case
            when act_intervals.period = 'hour'
                then
                    act_intervals.interval_number
                    = {{ interval_number('hour', 'person_firsts.first_act_at') }}
            else
                act_intervals.interval_number = min(act_intervals.interval_number) over person_acts
        end as is_first_ever

    from act_intervals

    -- one row per act and person on the right
    inner join person_firsts
        on
            act_intervals.act = person_firsts.act
            and act_intervals.person_key = person_firsts.person_key

    inner join period_settings on act_intervals.period = period_settings.period

    window
        person_history as (
            partition by act_intervals.act, act_intervals.person_key, act_intervals.period
            order by act_intervals.interval_number
        ),
        person_acts as (
            partition by act_intervals.act, act_intervals.person_key, act_intervals.period
        )

),

starts as (

    select
        case act
            when 'visit' then 'first_visit'
            when 'exposure' then 'first_creator_exposure'
            else 'first_order'
        end as cohort_kind,
        'recurring' as cohort_recurrence,
        -- customers return by ordering again, everybody else by coming back
        case act when 'order' then 'order' else 'visit' end as return_act,
        person_key,
        period,
        interval_number as cohort_number
    from person_intervals

    union all

    select
        case act
            when 'visit' then 'first_visit'
            when 'exposure' then 'first_creator_exposure'
            else 'first_order'
        end as cohort_kind,
        'first_ever' as cohort_recurrence,
        case act when 'order' then 'order' else 'visit' end as return_act,
        person_key,
        period,
        interval_number as cohort_number
    from person_intervals
    where is_first_ever

),

memberships as (

    select
        starts.*,
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment
    from starts

    union all

    -- fans out on purpose: a person stands once in each of his segments
    select
        starts.*,
        person_segments.segment_type,
        person_segments.tier_scheme,
        person_segments.segment
    from starts
    inner join period_settings
        on starts.period = period_settings.period and period_settings.has_segments
    inner join person_segments on starts.person_key = person_segments.person_key

),

sizes as (

    select
        cohort_kind,
        cohort_recurrence,
        period,
        segment_type,
        tier_scheme,
        segment,
        cohort_number,
        count(*) as cohort_size_count

    from memberships

    group by
        cohort_kind,
        cohort_recurrence,
        period,
        segment_type,
        tier_scheme,
        segment,
        cohort_number

),

returns as (

    select
        memberships.cohort_kind,
        memberships.cohort_recurrence,
        memberships.period,
        memberships.segment_type,
        memberships.tier_scheme,
        memberships.segment,
        memberships.cohort_number,
        person_intervals.interval_number - memberships.cohort_number as n,
        greatest(
            coalesce(person_intervals.previous_number - memberships.cohort_number, 0), 0
        ) as previous_n,
        count(*) as person_count

    from memberships

    inner join period_settings on memberships.period = period_settings.period

    -- fans out on purpose: a member meets each interval he returned in, up to the horizon
    inner join person_intervals
        on
            memberships.person_key = person_intervals.person_key
            and memberships.period = person_intervals.period
            and memberships.return_act = person_intervals.act
            and memberships.cohort_number < person_intervals.interval_number
            and memberships.cohort_number + period_settings.horizon
            >= person_intervals.interval_number

    group by
        memberships.cohort_kind,
        memberships.cohort_recurrence,
        memberships.period,
        memberships.segment_type,
        memberships.tier_scheme,
        memberships.segment,
        memberships.cohort_number,
        person_intervals.interval_number - memberships.cohort_number,
        greatest(coalesce(person_intervals.previous_number - memberships.cohort_number, 0), 0)

),

last_returns as (

    select
        memberships.cohort_kind,
        memberships.cohort_recurrence,
        memberships.period,
        memberships.segment_type,
        memberships.tier_scheme,
        memberships.segment,
        memberships.cohort_number,
        least(
            person_intervals.last_number - memberships.cohort_number, period_settings.horizon
        ) as n,
        count(*) as person_count

    from memberships

    inner join period_settings on memberships.period = period_settings.period

    -- the person's last interval is one row
    inner join person_intervals
        on
            memberships.person_key = person_intervals.person_key
            and memberships.period = person_intervals.period
            and memberships.return_act = person_intervals.act
            and person_intervals.interval_number = person_intervals.last_number
            and memberships.cohort_number < person_intervals.last_number

    group by
        memberships.cohort_kind,
        memberships.cohort_recurrence,
        memberships.period,
        memberships.segment_type,
        memberships.tier_scheme,
        memberships.segment,
        memberships.cohort_number,
        least(person_intervals.last_number - memberships.cohort_number, period_settings.horizon)

),

cell_returns as (

    select
        returns.cohort_kind,
        returns.cohort_recurrence,
        returns.period,
        returns.segment_type,
        returns.tier_scheme,
        returns.segment,
        returns.cohort_number,
        period_cells.definition,
        period_cells.n,
        sum(returns.person_count) as person_count

    from returns

    -- fans out on purpose over definitions; in a bracket only its first return counts
    inner join period_cells
        on
            returns.period = period_cells.period
            and (
                (period_cells.definition = 'on' and returns.n = period_cells.n)
                or (
                    period_cells.definition = 'bracket'
                    and returns.n >= period_cells.n
                    and returns.n <= period_cells.n_to
                    and returns.previous_n < period_cells.n
                )
            )

    group by
        returns.cohort_kind,
        returns.cohort_recurrence,
        returns.period,
        returns.segment_type,
        returns.tier_scheme,
        returns.segment,
        returns.cohort_number,
        period_cells.definition,
        period_cells.n

    union all

    select
        cohort_kind,
        cohort_recurrence,
        period,
        segment_type,
        tier_scheme,
        segment,
        cohort_number,
        'on_or_after' as definition,
        n,
        person_count
    from last_returns

),

cohort_spans as (

    select
        cohort_kind,
        cohort_recurrence,
        period,
        segment_type,
        tier_scheme,
        segment,
        min(cohort_number) as first_number

    from sizes

    group by cohort_kind, cohort_recurrence, period, segment_type, tier_scheme, segment

),

cohorts as (

    select
        cohort_spans.cohort_kind,
        cohort_spans.cohort_recurrence,
        cohort_spans.period,
        cohort_spans.segment_type,
        cohort_spans.tier_scheme,
        cohort_spans.segment,
        intervals.interval_number as cohort_number,
        intervals.start_at,
        intervals.start_date,
        intervals.last_date,
        coalesce(sizes.cohort_size_count, 0) as cohort_size_count

    from cohort_spans

    -- fans out on purpose: every interval from the first cohort on, joined by anybody or not
    inner join intervals
        on
            cohort_spans.period = intervals.period
            and cohort_spans.first_number <= intervals.interval_number

    left join sizes
        on
            cohort_spans.cohort_kind = sizes.cohort_kind
            and cohort_spans.cohort_recurrence = sizes.cohort_recurrence
            and cohort_spans.period = sizes.period
            and cohort_spans.segment_type = sizes.segment_type
            and cohort_spans.tier_scheme = sizes.tier_scheme
            and cohort_spans.segment = sizes.segment
            and intervals.interval_number = sizes.cohort_number

),

cells as (

    select
        cohorts.*,
        period_cells.definition,
        period_cells.n,
        period_cells.n_to,
        cohorts.cohort_number + coalesce(period_cells.n_to, period_cells.n)
        <= period_bounds.last_complete_number as is_mature,
        case
            -- the start itself: everybody is there, whatever he came for
            when period_cells.n = 0 then cohorts.cohort_size_count
            when period_cells.definition = 'on_or_after'
                then
                    sum(
                        case when period_cells.n > 0 then coalesce(cell_returns.person_count, 0) end
                    ) over later_cells
            else coalesce(cell_returns.person_count, 0)
        end as observed_count

    from cohorts

    -- fans out on purpose: every cell of the period
    inner join period_cells on cohorts.period = period_cells.period

    inner join period_bounds on cohorts.period = period_bounds.period

    left join cell_returns
        on
            cohorts.cohort_kind = cell_returns.cohort_kind
            and cohorts.cohort_recurrence = cell_returns.cohort_recurrence
            and cohorts.period = cell_returns.period
            and cohorts.segment_type = cell_returns.segment_type
            and cohorts.tier_scheme = cell_returns.tier_scheme
            and cohorts.segment = cell_returns.segment
            and cohorts.cohort_number = cell_returns.cohort_number
            and period_cells.definition = cell_returns.definition
            and period_cells.n = cell_returns.n

    window later_cells as (
        partition by
            cohorts.cohort_kind,
            cohorts.cohort_recurrence,
            cohorts.period,
            cohorts.segment_type,
            cohorts.tier_scheme,
            cohorts.segment,
            cohorts.cohort_number,
            period_cells.definition
        order by period_cells.n desc
        rows between unbounded preceding and current row
    )

),

final as (

    select
        start_at as cohort_start,
        start_date as cohort_start_date,
        period,
        cohort_kind,
        cohort_recurrence,
        segment_type,
        tier_scheme,
        segment,
        definition,
        is_mature,
        cast(n as bigint) as n,
        cast(n_to as bigint) as n_to,
        cohort_size_count,
        case when is_mature then cast(observed_count as bigint) end as retained_count,
        case when is_mature then {{ safe_rate('observed_count', 'cohort_size_count') }} end
            as retention_rate,
        greatest({{ days_between('last_date', data_through_date()) }}, 0) as follow_up_days

    from cells

)

select * from final
