{#
    Key: person, half-hour of the clock, opening touch and platform. Recomputed is all of a person
    whom the new files touch; persons who were merged into another leave.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key=['person_key', 'slot_number', 'activity_date', 'touch_number', 'platform'],
    on_schema_change='fail',
    meta={
        'affected': {
            'model': 'int_persons__affected',
            'key': 'person_key',
            'alive': 'int_persons__resolved',
        },
    },
) }}

-- depends_on: {{ ref('int_persons__resolved') }}

-- Everything that sessions, person-days and hours need of an event, folded once: no gap between two
-- sessions fits inside a slot, so windows over slots find the sessions that windows over events
-- would, on a seventh of the rows.
with events as (

    select *
    from {{ ref('int_activity_events__resolved') }}
    {{ where_affected('person_key', ref('int_persons__affected')) }}

),

touches as (

    select *
    from {{ ref('int_creator_touches__unioned') }}
    -- what somebody was merely shown is no act of his, and what a shop remembers is told by events
    where touch_type not in ('campaign_exposure', 'order_visit')

),

-- A visit that names a delivered click is that click's, whatever the two clocks say.
touch_points as (

    select
        person_key,
        coalesce(creator_key, 'ambiguous') as creator_key,
        touch_key,
        touch_type = 'link_click' as is_click,
        touch_at

    from touches

    {{ where_affected('person_key', ref('int_persons__affected')) }}

    union all

    select
        events.person_key,
        coalesce(touches.creator_key, 'ambiguous') as creator_key,
        'visit:' || events.event_key as touch_key,
        false as is_click,
        events.occurred_at as touch_at

    from events
    inner join touches on 'click:' || events.click_key = touches.touch_key

    where
        events.click_key is not null
        and not events.is_excluded

),

compared_points as (

    select
        *,
        lag(creator_key) over person_history as previous_creator_key,
        lag(touch_at) over person_history as previous_touch_at

    from touch_points

    window person_history as (partition by person_key order by touch_at, touch_key)

),

-- Only these may open a session. An event that is itself a touch says nothing new within a gap of
-- a touch of the same creator: it is in that touch's session. A click may be all there is of the
-- beginning of a visit, so it always counts.
openings as (

    select
        person_key,
        creator_key,
        touch_at,
        {{ slot_number('touch_at') }} as slot_number,
        row_number() over (partition by person_key order by touch_at, touch_key) as touch_number

    from compared_points

    where
        is_click
        or previous_creator_key is null
        or previous_creator_key != creator_key
        or touch_at > {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_touch_at') }}

),

slot_openings as (

    select
        *,
        lead(touch_at, 1, {{ end_of_time() }}) over (
            partition by person_key, slot_number
            order by touch_number
        ) as next_touch_at

    from openings

),

slotted_events as (

    select
        *,
        {{ slot_number('occurred_at') }} as slot_number

    from events

),

members as (

    select
        slotted_events.person_key,
        slotted_events.slot_number,
        slotted_events.platform,
        slotted_events.activity_date,
        slotted_events.event_type,
        slotted_events.event_name,
        slotted_events.is_bot,
        slotted_events.is_internal,
        not slotted_events.is_excluded as is_counted,
        slotted_events.is_qualifying,
        {% if var('retention_start_event_types') or var('retention_start_event_names') -%}
            not slotted_events.is_excluded
            and {{ is_event_of(
                var('retention_start_event_types'), var('retention_start_event_names')
            ) }} as is_start,
        {%- else -%}
            slotted_events.is_qualifying as is_start,
        {%- endif %}
        slotted_events.occurred_at,
        -- the touch is part of the key: a session that it splits would hide inside the slot
        coalesce(slot_openings.touch_number, 0) as touch_number

    from slotted_events

    -- the touches of a slot follow each other without overlap, so an event meets one at most
    left join slot_openings
        on
            slotted_events.person_key = slot_openings.person_key
            and slotted_events.slot_number = slot_openings.slot_number
            and slotted_events.occurred_at >= slot_openings.touch_at
            and slotted_events.occurred_at < slot_openings.next_touch_at

),

folded_events as (

    select
        person_key,
        slot_number,
        touch_number,
        platform,
        activity_date,
        cast(null as varchar) as opening_creator_key,
        count(*) filter (where is_counted) as event_count,
        count(*) filter (where is_qualifying) as qualifying_event_count,
        count(*) filter (where is_start) as start_event_count,
        count(*) filter (
            where is_counted and {{ is_event_of(var('session_view_event_types')) }}
        ) as view_count,
        count(*) filter (
            where is_counted and {{ is_event_of(var('session_key_event_types')) }}
        ) as key_event_count,
        count(*) filter (where is_counted and event_type = 'product_view') as product_view_count,
        count(*) filter (where is_counted and event_type = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where is_counted and event_type = 'checkout_started')
            as checkout_started_count,
        count(*) filter (where is_counted and event_type = 'purchase') as purchase_count,
        count(*) filter (where is_bot) as bot_event_count,
        count(*) filter (where is_internal and not is_bot) as internal_event_count,
        min(occurred_at) filter (where is_counted) as first_event_at,
        max(occurred_at) filter (where is_counted) as last_event_at,
        min(occurred_at) filter (where is_qualifying) as first_qualifying_at,
        max(occurred_at) filter (where is_qualifying) as last_qualifying_at,
        min(occurred_at) filter (where is_start) as first_start_at,
        cast(null as timestamp) as touch_at

    from members

    group by person_key, slot_number, touch_number, platform, activity_date

),

-- A touch has a row of its own, because the visit it opens may begin in the next slot, or never.
final as (

    select * from folded_events

    union all

    select
        person_key,
        slot_number,
        touch_number,
        'none' as platform,
        {{ business_date('touch_at') }} as activity_date,
        creator_key as opening_creator_key,
        0 as event_count,
        0 as qualifying_event_count,
        0 as start_event_count,
        0 as view_count,
        0 as key_event_count,
        0 as product_view_count,
        0 as add_to_cart_count,
        0 as checkout_started_count,
        0 as purchase_count,
        0 as bot_event_count,
        0 as internal_event_count,
        cast(null as timestamp) as first_event_at,
        cast(null as timestamp) as last_event_at,
        cast(null as timestamp) as first_qualifying_at,
        cast(null as timestamp) as last_qualifying_at,
        cast(null as timestamp) as first_start_at,
        touch_at

    from openings

)

select * from final
