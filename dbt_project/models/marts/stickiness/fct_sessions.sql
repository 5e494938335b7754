{#
    Key: session. Recomputed are the sessions of persons whom the new files touch: a late event, a
    link that arrives or is revoked, a touch that moved. Persons who were merged into another leave.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key='session_key',
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

with slots as (

    select *
    from {{ ref('int_person_slots__aggregated') }}
    {{ where_affected('person_key', ref('int_persons__affected')) }}

),

-- Platforms folded: a session may run over several. What is left are the stretches of a slot
-- between two touches, and the touches.
stretches as (

    select
        person_key,
        slot_number,
        touch_number,
        max(opening_creator_key) as creator_key,
        max(touch_at) as touch_at,
        min(first_event_at) as first_event_at,
        max(last_event_at) as last_event_at,
        sum(event_count) as event_count,
        sum(qualifying_event_count) as qualifying_event_count,
        sum(view_count) as view_count,
        sum(key_event_count) as key_event_count,
        sum(product_view_count) as product_view_count,
        sum(add_to_cart_count) as add_to_cart_count,
        sum(checkout_started_count) as checkout_started_count,
        sum(purchase_count) as purchase_count

    from slots

    group by person_key, slot_number, touch_number

),

-- A touch belongs to the first event after it. Touches without an event of their own and the next
-- stretch that has one share a number: how many such stretches came before.
numbered_stretches as (

    select
        *,
        count(first_event_at) over (
            partition by person_key
            order by slot_number, touch_number
            rows between unbounded preceding and 1 preceding
        ) as stretch_number

    from stretches

),

touched_stretches as (

    select
        *,
        first_value(creator_key) over last_touches as last_creator_key,
        first_value(touch_at) over last_touches as last_touch_at

    from numbered_stretches

    window
        last_touches as (
            partition by person_key, stretch_number
            order by case when touch_at is null then 1 else 0 end, touch_number desc
        )

),

opened_stretches as (

    select
        person_key,
        stretch_number,
        {% for column in ['creator_key', 'touch_at'] %}
            case
                when
                    last_touch_at
                    >= {{ dbt.dateadd('minute', -var('session_gap_minutes'), 'first_event_at') }}
                    then last_{{ column }}
            end as {{ column }},
        {% endfor %}
        first_event_at,
        last_event_at,
        event_count,
        qualifying_event_count,
        view_count,
        key_event_count,
        product_view_count,
        add_to_cart_count,
        checkout_started_count,
        purchase_count

    from touched_stretches

    -- not touches, after some of which nothing happened
    where first_event_at is not null

),

gaps as (

    select
        *,
        lag(last_event_at) over (
            partition by person_key
            order by stretch_number
        ) as previous_event_at

    from opened_stretches

),

-- Runs of events without a longer gap; a gap of exactly the limit is inside.
runs as (

    select
        *,
        sum(
            case
                when previous_event_at is null then 1
                when
                    first_event_at
                    > {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_event_at') }}
                    then 1
                else 0
            end
        ) over (
            partition by person_key
            order by stretch_number
            rows between unbounded preceding and current row
        ) as run_number

    from gaps

),

compared_touches as (

    select
        *,
        lag(creator_key) over (
            partition by person_key, run_number, case when touch_at is null then 0 else 1 end
            order by stretch_number
        ) as previous_creator_key,
        row_number() over (
            partition by person_key, run_number
            order by stretch_number
        ) as run_position

    from runs

),

-- In a run, the first touch and each touch of somebody else open a session.
numbered_sessions as (

    select
        *,
        touch_at is not null
        and (
            previous_creator_key is null
            {%- if var('split_on_new_creator_touch') %}
                or previous_creator_key != creator_key
            {%- endif %}
        ) as is_opened_by_touch,
        sum(
            case
                when run_position = 1 then 1
                {% if var('split_on_new_creator_touch') -%}
                    when touch_at is not null and previous_creator_key is null then 1
                    when touch_at is not null and previous_creator_key != creator_key then 1
                {%- endif %}
                else 0
            end
        ) over (
            partition by person_key
            order by stretch_number
            rows between unbounded preceding and current row
        ) as session_number

    from compared_touches

),

folded_sessions as (

    select
        person_key,
        any_value(creator_key) filter (where is_opened_by_touch) as creator_key,
        any_value(touch_at) filter (where is_opened_by_touch) as touched_at,
        cast(sum(event_count) as bigint) as event_count,
        cast(sum(qualifying_event_count) as bigint) as qualifying_event_count,
        cast(sum(view_count) as bigint) as view_count,
        cast(sum(key_event_count) as bigint) as key_event_count,
        cast(sum(product_view_count) as bigint) as product_view_count,
        cast(sum(add_to_cart_count) as bigint) as add_to_cart_count,
        cast(sum(checkout_started_count) as bigint) as checkout_started_count,
        cast(sum(purchase_count) as bigint) as purchase_count,
        {{ epoch_microseconds('min(first_event_at)') }} as started_microseconds,
        {{ epoch_microseconds('max(last_event_at)') }} as ended_microseconds,
        min(first_event_at) as started_at,
        max(last_event_at) as ended_at

    from numbered_sessions

    group by person_key, session_number

),

final as (

    select
        person_key || '@' || cast(started_microseconds as varchar) as session_key,
        person_key,
        creator_key,
        {{ business_date('started_at') }} as session_date,
        qualifying_event_count > 0 as is_visit,
        ended_microseconds - started_microseconds > {{ var('engaged_session_seconds') * 1000000 }}
        or key_event_count > 0
        or view_count >= {{ var('engaged_session_views') }} as is_engaged,
        event_count,
        qualifying_event_count,
        view_count,
        key_event_count,
        product_view_count,
        add_to_cart_count,
        checkout_started_count,
        purchase_count,
        cast(floor((ended_microseconds - started_microseconds) / 1000000.0) as bigint)
            as duration_seconds,
        touched_at,
        started_at,
        ended_at

    from folded_sessions

)

select * from final
