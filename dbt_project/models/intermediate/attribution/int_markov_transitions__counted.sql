{#
    Steps between the touches of all journeys, counted without writing a journey down: the paths of a
    person's orders are ranges of the same numbered touches, so one running sum says how many paths
    hold a touch together with the one before it. A person's touches on no path are journeys that led
    nowhere.
#}
{{ config(materialized='table') }}

with touches as (

    select *
    from {{ ref('int_touches__sequenced') }}
    where path_number is not null

),

order_paths as (

    select *
    from {{ ref('int_order_paths__counted') }}
    where is_last

),

windows as (

    {% for window_days in var('attribution_windows_days') -%}
        select cast({{ window_days }} as integer) as window_days
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- What begins and ends where: a path covers its touches, and a step leads to each but the first.
changes as (

    select
        person_key,
        window_days,
        first_number as path_number,
        1 as start_count,
        0 as end_count,
        1 as cover_change,
        0 as step_change
    from order_paths

    union all

    select
        person_key,
        window_days,
        first_number + 1 as path_number,
        0 as start_count,
        0 as end_count,
        0 as cover_change,
        1 as step_change
    from order_paths

    union all

    select
        person_key,
        window_days,
        last_number as path_number,
        0 as start_count,
        1 as end_count,
        0 as cover_change,
        0 as step_change
    from order_paths

    union all

    select
        person_key,
        window_days,
        last_number + 1 as path_number,
        0 as start_count,
        0 as end_count,
        -1 as cover_change,
        -1 as step_change
    from order_paths

),

changes_by_touch as (

    select
        person_key,
        window_days,
        path_number,
        sum(start_count) as start_count,
        sum(end_count) as end_count,
        sum(cover_change) as cover_change,
        sum(step_change) as step_change

    from changes

    group by person_key, window_days, path_number

),

covered_touches as (

    select
        touches.person_key,
        touches.path_number,
        touches.party_type,
        touches.party_key,
        touches.touch_at,
        windows.window_days,
        coalesce(changes_by_touch.start_count, 0) as start_count,
        coalesce(changes_by_touch.end_count, 0) as end_count,
        sum(coalesce(changes_by_touch.cover_change, 0)) over running_touches as cover_count,
        sum(coalesce(changes_by_touch.step_change, 0)) over running_touches as step_count

    from touches

    cross join windows

    left join changes_by_touch
        on touches.person_key = changes_by_touch.person_key
            and touches.path_number = changes_by_touch.path_number
            and windows.window_days = changes_by_touch.window_days

    window running_touches as (
        partition by touches.person_key, windows.window_days
        order by touches.path_number
        rows between unbounded preceding and current row
    )

),

neighboured_touches as (

    select
        *,
        lag(party_type) over person_touches as previous_party_type,
        lag(party_key) over person_touches as previous_party_key,
        -- a journey that led nowhere goes on while a touch follows within the window
        cover_count = 0
        and coalesce(
            lag(cover_count) over person_touches = 0
            and touch_at
            <= lag(touch_at) over person_touches + window_days * interval '1 day',
            false
        ) as goes_on,
        cover_count = 0
        and coalesce(
            lead(cover_count) over person_touches = 0
            and lead(touch_at) over person_touches
            <= touch_at + window_days * interval '1 day',
            false
        ) as is_gone_on_from

    from covered_touches

    window person_touches as (
        partition by person_key, window_days
        order by path_number
    )

),

steps as (

    select
        window_days,
        'start' as from_type,
        '(start)' as from_key,
        party_type as to_type,
        party_key as to_key,
        start_count + case when cover_count = 0 and not goes_on then 1 else 0 end as step_count
    from neighboured_touches

    union all

    select
        window_days,
        previous_party_type as from_type,
        previous_party_key as from_key,
        party_type as to_type,
        party_key as to_key,
        step_count + case when goes_on then 1 else 0 end as step_count
    from neighboured_touches

    union all

    select
        window_days,
        party_type as from_type,
        party_key as from_key,
        'conversion' as to_type,
        '(conversion)' as to_key,
        end_count as step_count
    from neighboured_touches

    union all

    select
        window_days,
        party_type as from_type,
        party_key as from_key,
        'null' as to_type,
        '(null)' as to_key,
        case when cover_count = 0 and not is_gone_on_from then 1 else 0 end as step_count
    from neighboured_touches

),

-- By creator every creator is a state of its own; by channel all of them are one.
steps_by_level as (

    select
        'creator' as chain_level,
        window_days,
        from_type,
        from_key,
        to_type,
        to_key,
        step_count
    from steps

    union all

    select
        'channel' as chain_level,
        window_days,
        case when from_type in ('creator', 'ambiguous') then 'channel' else from_type end
            as from_type,
        case when from_type in ('creator', 'ambiguous') then 'creator' else from_key end
            as from_key,
        case when to_type in ('creator', 'ambiguous') then 'channel' else to_type end as to_type,
        case when to_type in ('creator', 'ambiguous') then 'creator' else to_key end as to_key,
        step_count
    from steps

),

final as (

    select
        chain_level,
        window_days,
        from_type,
        from_key,
        to_type,
        to_key,
        cast(sum(step_count) as bigint) as transition_count

    from steps_by_level

    where step_count > 0

    group by chain_level, window_days, from_type, from_key, to_type, to_key

)

select * from final
