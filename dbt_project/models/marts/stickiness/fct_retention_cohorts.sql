{% set periods = var('retention_periods') %}
{% set definitions = var('retention_definitions') %}
{% set recurrences = var('retention_recurrences') %}
{% set minimum_start = var('retention_minimum_start_events') %}
{% set minimum_return = var('retention_minimum_return_events') %}
{% set is_own_start = var('retention_start_event_types')
    or var('retention_start_event_names')
    or minimum_start != minimum_return %}
{% set is_rolling = var('day_definition') == 'rolling_24h' %}
-- Intervals of a period are numbered (hours, days, weeks, months since 1970): "n intervals later"
-- is a subtraction, months keep their own length, and a cohort that nobody joined has its place. A
-- person joins a cohort once and returns in an interval once, so every count below is a plain
-- count of rows; the return before this one tells a bracket's first return from its others.
-- Persons and series get numbers on the way: grouping millions of pairs by whole numbers instead
-- of seven texts is five times as fast.
-- Where days are 24 hours of each person's own, days are counted from every start to every later
-- act; only then are instants compared.
with person_days as (

    select * from {{ ref('int_person_days__aggregated') }}

    where activity_date <= {{ data_through_date() }}

),

slots as (

    select * from {{ ref('int_person_slots__aggregated') }}

    where
        event_count > 0
        and activity_date <= {{ data_through_date() }}

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
    where {{ ('on' in definitions) | lower }}

    union all

    select
        period,
        'on_or_after' as definition,
        n,
        cast(null as bigint) as n_to
    from period_steps
    where {{ ('on_or_after' in definitions) | lower }}

    union all

    select
        brackets.period,
        'bracket' as definition,
        brackets.n,
        brackets.n_to
    from brackets
    inner join period_settings on brackets.period = period_settings.period
    where {{ ('bracket' in definitions) | lower }}

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
        -- in a young history not even the first is
        coalesce(
            max(interval_number) filter (where last_date <= {{ data_through_date() }}),
            min(interval_number) - 1
        ) as last_complete_number

    from intervals

    group by period

),

dated_acts as (

    select
        'visit' as act,
        person_key,
        activity_date as act_date,
        event_count as act_count,
        first_event_at as act_at
    from person_days

    union all

    -- what starts a cohort of visitors, where that is not what counts as coming back
    select
        'start' as act,
        person_key,
        activity_date as act_date,
        start_event_count as act_count,
        first_start_at as act_at
    from slots
    where
        {{ (is_own_start and true) | lower }}
        and start_event_count > 0

    union all

    select
        'exposure' as act,
        person_key,
        touch_date as act_date,
        1 as act_count,
        touch_at as act_at
    from touches

    union all

    select
        'order' as act,
        person_key,
        order_date as act_date,
        1 as act_count,
        ordered_at as act_at
    from orders

),

act_days as (

    select
        act,
        person_key,
        act_date,
        sum(act_count) as act_count,
        min(act_at) as first_act_at

    from dated_acts

    group by act, person_key, act_date

),

-- Acts that take one event are looked for in the days just gone only.
hourly_acts as (

    select
        'visit' as act,
        person_key,
        {{ slot_hour_number('slot_number') }} as interval_number,
        qualifying_event_count as act_count,
        first_qualifying_at as act_at
    from slots
    where
        qualifying_event_count > 0
        and (
            {{ (minimum_return > 1) | lower }}
            or first_qualifying_at >= {{ retention_hours_start() }}
        )

    union all

    select
        'start' as act,
        person_key,
        {{ slot_hour_number('slot_number') }} as interval_number,
        start_event_count as act_count,
        first_start_at as act_at
    from slots
    where
        {{ (is_own_start and true) | lower }}
        and start_event_count > 0
        and (
            {{ (minimum_start > 1) | lower }} or first_start_at >= {{ retention_hours_start() }}
        )

    union all

    select
        act,
        person_key,
        {{ hour_number('act_at') }} as interval_number,
        act_count,
        act_at
    from dated_acts
    where
        act in ('exposure', 'order')
        and act_at >= {{ retention_hours_start() }}

),

interval_acts as (

    select
        act_days.act,
        act_days.person_key,
        date_intervals.period,
        date_intervals.interval_number,
        sum(act_days.act_count) as act_count,
        min(act_days.first_act_at) as first_act_at

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
        interval_number,
        sum(act_count) as act_count,
        min(act_at) as first_act_at

    from hourly_acts

    group by act, person_key, interval_number

),

-- so many events make an interval count
act_intervals as (

    select *

    from interval_acts

    where
        (act = 'visit' and act_count >= {{ minimum_return }})
        or (act = 'start' and act_count >= {{ minimum_start }})
        or act in ('exposure', 'order')

),

persons as (

    select
        person_key,
        row_number() over (order by person_key) as person_number

    from act_days

    group by person_key

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
        act_intervals.period,
        persons.person_key,
        persons.person_number,
        act_intervals.interval_number,
        act_intervals.first_act_at as start_at,
        lag(act_intervals.interval_number) over person_history as previous_number,
        lead(act_intervals.interval_number) over person_history is null as is_last,
        case
            -- hours see only the days just gone, so the first is checked against all of history;
            -- where it takes several events, all hours are there
            when
                act_intervals.period = 'hour'
                and act_intervals.act not in (
                    {{ "'visit'" if minimum_return > 1 else "'none'" }},
                    {{ "'start'" if minimum_start > 1 else "'none'" }}
                )
                then
                    act_intervals.interval_number
                    = {{ interval_number('hour', 'person_firsts.first_act_at') }}
            else lag(act_intervals.interval_number) over person_history is null
        end as is_first_ever

    from act_intervals

    inner join period_settings on act_intervals.period = period_settings.period

    -- one row per person, and per act and person, on the right
    inner join persons on act_intervals.person_key = persons.person_key
    inner join person_firsts
        on
            act_intervals.act = person_firsts.act
            and act_intervals.person_key = person_firsts.person_key

    window person_history as (
        partition by act_intervals.act, act_intervals.period, persons.person_number
        order by act_intervals.interval_number
    )

),

segments as (

    select
        segment_type,
        tier_scheme,
        segment
    from person_segments
    group by segment_type, tier_scheme, segment

    union all

    select
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment

),

kinds as (

    select
        'first_visit' as cohort_kind,
        '{{ 'start' if is_own_start else 'visit' }}' as act,
        'visit' as return_act

    union all

    select
        'first_creator_exposure' as cohort_kind,
        'exposure' as act,
        'visit' as return_act

    union all

    -- customers return by ordering again, everybody else by coming back
    select
        'first_order' as cohort_kind,
        'order' as act,
        'order' as return_act

),

recurrences as (

    {% for recurrence in recurrences %}
        select
            '{{ recurrence }}' as cohort_recurrence,
            {{ (recurrence == 'recurring') | lower }} as is_recurring
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

series as (

    select
        kinds.cohort_kind,
        kinds.act,
        kinds.return_act,
        recurrences.cohort_recurrence,
        recurrences.is_recurring,
        period_settings.period,
        period_settings.horizon,
        segments.segment_type,
        segments.tier_scheme,
        segments.segment,
        row_number() over (
            order by
                kinds.cohort_kind,
                recurrences.cohort_recurrence,
                period_settings.period,
                segments.segment_type,
                segments.tier_scheme,
                segments.segment
        ) as series_number

    from kinds

    cross join recurrences
    cross join period_settings
    inner join segments on period_settings.has_segments or segments.segment_type = 'all'

),

memberships as (

    -- fans out on purpose: whoever acted is in the cohort of each series of that act
    select
        series.series_number,
        series.return_act,
        series.period,
        series.horizon,
        person_intervals.person_number,
        person_intervals.interval_number as cohort_number,
        person_intervals.start_at
    from person_intervals
    inner join series
        on
            person_intervals.act = series.act
            and person_intervals.period = series.period
            and series.segment_type = 'all'
    where series.is_recurring or person_intervals.is_first_ever

    union all

    select
        series.series_number,
        series.return_act,
        series.period,
        series.horizon,
        person_intervals.person_number,
        person_intervals.interval_number as cohort_number,
        person_intervals.start_at
    from person_intervals
    inner join person_segments on person_intervals.person_key = person_segments.person_key
    inner join series
        on
            person_intervals.act = series.act
            and person_intervals.period = series.period
            and person_segments.segment_type = series.segment_type
            and person_segments.tier_scheme = series.tier_scheme
            and person_segments.segment = series.segment
    where series.is_recurring or person_intervals.is_first_ever

),

sizes as (

    select
        series_number,
        cohort_number,
        count(*) as cohort_size_count

    from memberships

    group by series_number, cohort_number

),

-- Instants of coming back, where days are each person's own. A slot's first and last event tell all
-- windows that it reaches into: 24 hours begin in a slot once at most.
return_instants as (

    select
        'visit' as act,
        persons.person_number,
        slots.first_qualifying_at as act_at
    from slots
    inner join persons on slots.person_key = persons.person_key
    where {{ is_rolling | lower }} and slots.qualifying_event_count > 0

    union all

    select
        'visit' as act,
        persons.person_number,
        slots.last_qualifying_at as act_at
    from slots
    inner join persons on slots.person_key = persons.person_key
    where {{ is_rolling | lower }} and slots.qualifying_event_count > 0

    union all

    select
        'order' as act,
        persons.person_number,
        orders.ordered_at as act_at
    from orders
    inner join persons on orders.person_key = persons.person_key
    where {{ is_rolling | lower }}

),

rolling_returns as (

    select
        memberships.series_number,
        memberships.cohort_number,
        memberships.person_number,
        memberships.horizon,
        {{ whole_days('memberships.start_at', 'return_instants.act_at') }} as n

    from memberships

    -- fans out on purpose: a member meets each instant at which he was back
    inner join return_instants
        on
            memberships.person_number = return_instants.person_number
            and memberships.return_act = return_instants.act
            and memberships.start_at < return_instants.act_at

    where
        memberships.period = 'day'
        and {{ whole_days('memberships.start_at', 'return_instants.act_at') }} > 0

    group by
        memberships.series_number,
        memberships.cohort_number,
        memberships.person_number,
        memberships.horizon,
        {{ whole_days('memberships.start_at', 'return_instants.act_at') }}

),

compared_rolling_returns as (

    select
        series_number,
        cohort_number,
        horizon,
        n,
        lag(n, 1, 0) over member_history as previous_n,
        lead(n) over member_history is null as is_last

    from rolling_returns

    window member_history as (
        partition by series_number, cohort_number, person_number
        order by n
    )

),

returns as (

    select
        memberships.series_number,
        memberships.cohort_number,
        person_intervals.interval_number - memberships.cohort_number as n,
        greatest(
            coalesce(person_intervals.previous_number - memberships.cohort_number, 0), 0
        ) as previous_n,
        count(*) as person_count

    from memberships

    -- fans out on purpose: a member meets each interval he returned in, up to the horizon
    inner join person_intervals
        on
            memberships.person_number = person_intervals.person_number
            and memberships.period = person_intervals.period
            and memberships.return_act = person_intervals.act
            and memberships.cohort_number < person_intervals.interval_number
            and memberships.cohort_number + memberships.horizon
            >= person_intervals.interval_number

    where memberships.period != '{{ 'day' if is_rolling else 'none' }}'

    group by
        memberships.series_number,
        memberships.cohort_number,
        person_intervals.interval_number - memberships.cohort_number,
        greatest(coalesce(person_intervals.previous_number - memberships.cohort_number, 0), 0)

    union all

    select
        series_number,
        cohort_number,
        n,
        previous_n,
        count(*) as person_count

    from compared_rolling_returns

    where n <= horizon

    group by series_number, cohort_number, n, previous_n

),

last_returns as (

    select
        memberships.series_number,
        memberships.cohort_number,
        least(person_intervals.interval_number - memberships.cohort_number, memberships.horizon)
            as n,
        count(*) as person_count

    from memberships

    -- a person's last interval is one row
    inner join person_intervals
        on
            memberships.person_number = person_intervals.person_number
            and memberships.period = person_intervals.period
            and memberships.return_act = person_intervals.act
            and memberships.cohort_number < person_intervals.interval_number
            and person_intervals.is_last

    where memberships.period != '{{ 'day' if is_rolling else 'none' }}'

    group by
        memberships.series_number,
        memberships.cohort_number,
        least(person_intervals.interval_number - memberships.cohort_number, memberships.horizon)

    union all

    select
        series_number,
        cohort_number,
        least(n, horizon) as n,
        count(*) as person_count

    from compared_rolling_returns

    where is_last

    group by series_number, cohort_number, least(n, horizon)

),

cell_returns as (

    select
        series_number,
        cohort_number,
        'on' as definition,
        n,
        sum(person_count) as person_count
    from returns
    group by series_number, cohort_number, n

    union all

    select
        series_number,
        cohort_number,
        'on_or_after' as definition,
        n,
        person_count
    from last_returns

    union all

    -- a return before this one, but inside the bracket, was counted there
    select
        returns.series_number,
        returns.cohort_number,
        'bracket' as definition,
        brackets.n,
        sum(returns.person_count) as person_count
    from returns
    inner join series on returns.series_number = series.series_number
    inner join brackets
        on
            series.period = brackets.period
            and returns.n >= brackets.n
            and returns.n <= brackets.n_to
            and returns.previous_n < brackets.n
    group by returns.series_number, returns.cohort_number, brackets.n

),

series_spans as (

    select
        series_number,
        min(cohort_number) as first_number

    from sizes

    group by series_number

),

cohorts as (

    select
        series.series_number,
        series.cohort_kind,
        series.cohort_recurrence,
        series.period,
        series.segment_type,
        series.tier_scheme,
        series.segment,
        intervals.interval_number as cohort_number,
        intervals.start_at,
        intervals.start_date,
        intervals.last_date,
        coalesce(sizes.cohort_size_count, 0) as cohort_size_count

    from series

    inner join series_spans on series.series_number = series_spans.series_number

    -- fans out on purpose: every interval from the first cohort on
    inner join intervals
        on
            series.period = intervals.period
            and series_spans.first_number <= intervals.interval_number

    left join sizes
        on
            series.series_number = sizes.series_number
            and intervals.interval_number = sizes.cohort_number

    -- segments are many: theirs are only the cohorts that somebody joined
    where
        series.segment_type = 'all'
        or sizes.cohort_size_count is not null

),

cells as (

    select
        cohorts.*,
        period_cells.definition,
        period_cells.n,
        period_cells.n_to,
        cohorts.cohort_number + coalesce(period_cells.n_to, period_cells.n)
        -- who starts in the last minute of a day has his own days end that late
        {%- if is_rolling %}
            + case when cohorts.period = 'day' and period_cells.n > 0 then 1 else 0 end
        {%- endif %}
        <= period_bounds.last_complete_number as is_mature,
        case
            -- the start itself: everybody is there, whatever he came for
            when period_cells.n = 0 then cohorts.cohort_size_count
            when period_cells.definition = 'on_or_after'
                then sum(coalesce(cell_returns.person_count, 0)) over later_cells
            else coalesce(cell_returns.person_count, 0)
        end as observed_count

    from cohorts

    -- fans out on purpose: every cell of the period
    inner join period_cells on cohorts.period = period_cells.period

    inner join period_bounds on cohorts.period = period_bounds.period

    left join cell_returns
        on
            cohorts.series_number = cell_returns.series_number
            and cohorts.cohort_number = cell_returns.cohort_number
            and period_cells.definition = cell_returns.definition
            and period_cells.n = cell_returns.n

    window later_cells as (
        partition by cohorts.series_number, cohorts.cohort_number, period_cells.definition
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
