{%- set window_days = var('default_attribution_window_days') %}
{{ config(materialized='table') }}

-- A person enters the funnel of a creator and week by the first click of that week, and is followed
-- for one window from that instant. Steps are counted each by itself: a shop that records no cart
-- still has orders, and hiding them would make the funnel tell less than is known.
with touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        is_click
        and not is_repeat
        and creator_key is not null

),

events as (

    select * from {{ ref('int_activity_events__resolved') }}

    where
        not is_excluded
        and event_type in ('product_view', 'add_to_cart')

),

sessions as (

    select * from {{ ref('fct_sessions') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

creator_tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where
        platform = 'all'
        and tier_scheme = '{{ var("leading_tier_scheme") }}'

),

creator_accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

creator_platforms as (

    {{ creator_platforms('creator_accounts') }}

),

weekly_clicks as (

    select
        creator_key,
        person_key,
        {{ week_start_date('touch_date') }} as click_week_start_date,
        touch_at

    from touches

),

entries as (

    select
        creator_key,
        person_key,
        click_week_start_date,
        count(*) as click_count,
        min(touch_at) as clicked_at,
        {{ dbt.dateadd('day', window_days, 'min(touch_at)') }} as window_ends_at

    from weekly_clicks

    group by creator_key, person_key, click_week_start_date

),

-- Sessions that the creator's touch opened.
creator_sessions as (

    select
        creator_key,
        person_key,
        {{ week_start_date(business_date('touched_at')) }} as click_week_start_date,
        count(*) as session_count

    from sessions

    where
        creator_key is not null
        and touched_at is not null

    group by
        creator_key,
        person_key,
        {{ week_start_date(business_date('touched_at')) }}

),

-- One pass over each person's clicks and steps: the next step of each kind after a click. A step at
-- the instant of the click comes after it.
stream as (

    select
        person_key,
        clicked_at as happened_at,
        0 as step_order,
        'entry' as step,
        creator_key,
        click_week_start_date
    from entries

    union all

    select
        person_key,
        occurred_at as happened_at,
        1 as step_order,
        event_type as step,
        cast(null as varchar) as creator_key,
        cast(null as date) as click_week_start_date
    from events

    union all

    select
        person_key,
        ended_at as happened_at,
        1 as step_order,
        'session_end' as step,
        cast(null as varchar) as creator_key,
        cast(null as date) as click_week_start_date
    from sessions

    union all

    select
        person_key,
        ordered_at as happened_at,
        1 as step_order,
        'order' as step,
        cast(null as varchar) as creator_key,
        cast(null as date) as click_week_start_date
    from orders

),

followed_stream as (

    select
        step,
        creator_key,
        person_key,
        click_week_start_date,
        min(case when step = 'product_view' then happened_at end) over ahead as product_viewed_at,
        min(case when step = 'add_to_cart' then happened_at end) over ahead as added_to_cart_at,
        min(case when step = 'order' then happened_at end) over ahead as ordered_at,
        min(case when step = 'session_end' then happened_at end) over ahead as session_ended_at

    from stream

    window ahead as (
        partition by person_key
        order by happened_at, step_order
        rows between current row and unbounded following
    )

),

-- Fans out over the orders of a person after the click and is folded at once.
entry_orders as (

    select
        entries.creator_key,
        entries.person_key,
        entries.click_week_start_date,
        count(*) as order_count

    from entries
    inner join orders
        on
            entries.person_key = orders.person_key
            and entries.clicked_at <= orders.ordered_at
            and entries.window_ends_at > orders.ordered_at

    group by entries.creator_key, entries.person_key, entries.click_week_start_date

),

followed_entries as (

    select
        entries.creator_key,
        entries.person_key,
        entries.click_week_start_date,
        entries.click_count,
        entries.clicked_at,
        coalesce(creator_sessions.session_count, 0) as session_count,
        coalesce(entry_orders.order_count, 0) as order_count,
        coalesce(followed_stream.product_viewed_at < entries.window_ends_at, false)
            as has_viewed_product,
        coalesce(followed_stream.added_to_cart_at < entries.window_ends_at, false)
            as has_added_to_cart,
        coalesce(followed_stream.ordered_at < entries.window_ends_at, false) as has_ordered,
        coalesce(
            followed_stream.ordered_at < entries.window_ends_at
            and followed_stream.ordered_at <= {{ dbt.dateadd(
                'minute', var('session_gap_minutes'), 'followed_stream.session_ended_at'
            ) }},
            false
        ) as has_ordered_in_first_session,
        case
            when followed_stream.ordered_at < entries.window_ends_at
                then
                    {{ epoch_microseconds('followed_stream.ordered_at') }}
                    - {{ epoch_microseconds('entries.clicked_at') }}
        end as microseconds_to_order

    from entries

    -- creator, person and week are unique on every right side
    inner join followed_stream
        on
            entries.creator_key = followed_stream.creator_key
            and entries.person_key = followed_stream.person_key
            and entries.click_week_start_date = followed_stream.click_week_start_date
            and followed_stream.step = 'entry'
    left join creator_sessions
        on
            entries.creator_key = creator_sessions.creator_key
            and entries.person_key = creator_sessions.person_key
            and entries.click_week_start_date = creator_sessions.click_week_start_date
    left join entry_orders
        on
            entries.creator_key = entry_orders.creator_key
            and entries.person_key = entry_orders.person_key
            and entries.click_week_start_date = entry_orders.click_week_start_date

),

ranked_entries as (

    select
        *,
        row_number() over (
            partition by creator_key, click_week_start_date
            order by
                case when has_ordered then 0 else 1 end asc,
                microseconds_to_order asc,
                person_key asc
        ) as order_rank,
        count(case when has_ordered then 1 end) over (
            partition by creator_key, click_week_start_date
        ) as ordering_count

    from followed_entries

),

-- The median of the times to the first order, from the one or two in the middle.
counted_weeks as (

    select
        creator_key,
        click_week_start_date,
        {{ is_matured('cast(click_week_start_date + 6 as date)', window_days) }} as is_mature,
        min(clicked_at) as first_clicked_at,
        cast(sum(click_count) as bigint) as click_count,
        count(*) as clicker_count,
        cast(sum(session_count) as bigint) as session_count,
        count(*) filter (where session_count > 0) as session_person_count,
        count(*) filter (where has_viewed_product) as product_view_person_count,
        count(*) filter (where has_added_to_cart) as cart_person_count,
        count(*) filter (where has_ordered) as ordered_person_count,
        cast(sum(order_count) as bigint) as order_count,
        count(*) filter (where has_ordered_in_first_session)
            as first_session_ordered_person_count,
        (
            min(microseconds_to_order) filter (where 2 * order_rank >= ordering_count)
            + max(microseconds_to_order) filter (where 2 * order_rank <= ordering_count + 2)
        ) / 120000000.0 as median_minutes_to_order

    from ranked_entries

    group by creator_key, click_week_start_date

),

final as (

    select
        counted_weeks.creator_key,
        counted_weeks.click_week_start_date,
        {{ population(['counted_weeks.click_week_start_date']) }} as population,
        coalesce(creator_platforms.platform, 'none') as platform,
        coalesce(creator_tiers.tier, 'unknown') as tier,
        counted_weeks.is_mature,
        counted_weeks.click_count,
        counted_weeks.clicker_count,
        counted_weeks.session_count,
        counted_weeks.session_person_count,
        {% for counted in [
            'product_view_person_count',
            'cart_person_count',
            'ordered_person_count',
            'order_count',
            'first_session_ordered_person_count',
        ] %}
            case when counted_weeks.is_mature then counted_weeks.{{ counted }} end
                as {{ counted }},
        {% endfor %}
        case
            when counted_weeks.is_mature
                then cast(counted_weeks.median_minutes_to_order as double)
        end as median_minutes_to_order

    from counted_weeks
    left join creator_platforms
        on counted_weeks.creator_key = creator_platforms.creator_key
    -- Ranges of a creator have no overlap.
    left join creator_tiers
        on
            counted_weeks.creator_key = creator_tiers.creator_key
            and {{ is_valid_at('creator_tiers', 'counted_weeks.first_clicked_at') }}

)

select * from final
