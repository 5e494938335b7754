{#
    Key: order. Recomputed are the orders the new files touch, with all orders of every person they
    touch: a late click, a code that moved, an earlier first order and a changed identity all end
    there.

    One pass over each person's touches and orders in time: an order puts a mark at its instant and
    one at the beginning of each window, and running counts at two marks, subtracted, are what lies
    between. So the work grows with touches and orders, never with their pairs.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key=['order_key', 'window_days', 'party_type', 'party_key'],
    on_schema_change='fail',
    meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}},
) }}
{%- set windows_days = var('attribution_windows_days') %}
{%- set longest_days = windows_days | max %}

with orders as (

    select *
    from {{ ref('int_orders__resolved') }}
    {{ where_affected('order_key', ref('int_orders__affected')) }}

),

touches as (

    select *
    from {{ ref('int_touches__sequenced') }}
    where path_number is not null

),

windows as (

    {% for window_days in windows_days -%}
        select cast({{ window_days }} as integer) as window_days
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Only persons who touched anything: most orders of most shops have no path.
touched_orders as (

    select
        order_key,
        person_key,
        ordered_at,
        {{ decay_era('ordered_at') }} as order_era,
        {{ decay_era("ordered_at - interval '" ~ longest_days ~ " days'") }} as first_era

    from orders

    where not is_excluded
        and person_key in (select touches.person_key from touches)

),

-- Mark 0 stands at the order, the others a window before it. Touches come before marks of the same
-- instant: at the order they count, exactly a window before it they do not.
marks as (

    select
        order_key,
        person_key,
        order_era,
        first_era,
        0 as window_days,
        ordered_at as marked_at
    from touched_orders

    union all

    select
        touched_orders.order_key,
        touched_orders.person_key,
        touched_orders.order_era,
        touched_orders.first_era,
        windows.window_days,
        touched_orders.ordered_at - windows.window_days * interval '1 day' as marked_at
    from touched_orders
    cross join windows

),

person_stream as (

    select
        person_key,
        touch_at as happened_at,
        0 as mark_order,
        1 as touch_count,
        cast(null as varchar) as order_key,
        cast(null as integer) as window_days
    from touches
    where person_key in (select touched_orders.person_key from touched_orders)

    union all

    select
        person_key,
        marked_at as happened_at,
        1 as mark_order,
        0 as touch_count,
        order_key,
        window_days
    from marks

),

counted_stream as (

    select
        person_key,
        order_key,
        window_days,
        sum(touch_count) over (
            partition by person_key
            order by happened_at, mark_order
            rows between unbounded preceding and current row
        ) as running_count

    from person_stream

),

paths as (

    select
        order_marks.order_key,
        order_marks.person_key,
        window_marks.window_days,
        cast(window_marks.running_count + 1 as bigint) as first_number,
        cast(order_marks.running_count as bigint) as last_number

    from counted_stream as order_marks
    -- an order has one mark of each window
    inner join counted_stream as window_marks
        on order_marks.order_key = window_marks.order_key
            and window_marks.window_days > 0
            and order_marks.running_count > window_marks.running_count

    where order_marks.window_days = 0

),

-- The touches that models of one touch choose. A person has one touch of each number.
chosen_touches as (

    select
        paths.order_key,
        paths.window_days,
        paths.person_key,
        paths.first_number,
        paths.last_number,
        first_touches.party_type as first_party_type,
        first_touches.party_key as first_party_key,
        first_touches.touch_at as first_touch_at,
        last_touches.party_type as last_party_type,
        last_touches.party_key as last_party_key,
        non_direct_touches.party_type as non_direct_party_type,
        non_direct_touches.party_key as non_direct_party_key,
        creator_touches.party_type as creator_party_type,
        creator_touches.party_key as creator_party_key

    from paths
    inner join touches as first_touches
        on paths.person_key = first_touches.person_key
            and paths.first_number = first_touches.path_number
    inner join touches as last_touches
        on paths.person_key = last_touches.person_key
            and paths.last_number = last_touches.path_number
    left join touches as non_direct_touches
        on paths.person_key = non_direct_touches.person_key
            and last_touches.last_non_direct_number = non_direct_touches.path_number
            and paths.first_number <= non_direct_touches.path_number
    left join touches as creator_touches
        on paths.person_key = creator_touches.person_key
            and last_touches.last_creator_number = creator_touches.path_number
            and paths.first_number <= creator_touches.path_number

),

person_eras as (

    select
        person_key,
        decay_era,
        party_type,
        party_key

    from touches

    group by person_key, decay_era, party_type, party_key

),

party_stream as (

    select
        person_key,
        decay_era,
        party_type,
        party_key,
        touch_at as happened_at,
        0 as mark_order,
        1 as touch_count,
        decay_weight,
        touch_at,
        cast(null as varchar) as order_key,
        cast(null as integer) as order_era,
        cast(null as integer) as window_days
    from touches
    where person_key in (select paths.person_key from paths)

    union all

    -- fans out over the parties of the person in the two eras a window may meet
    select
        marks.person_key,
        person_eras.decay_era,
        person_eras.party_type,
        person_eras.party_key,
        marks.marked_at as happened_at,
        1 as mark_order,
        0 as touch_count,
        cast(0 as decimal(38, 0)) as decay_weight,
        cast(null as timestamp) as touch_at,
        marks.order_key,
        marks.order_era,
        marks.window_days
    from marks
    inner join person_eras
        on marks.person_key = person_eras.person_key
            and marks.first_era <= person_eras.decay_era
            and marks.order_era >= person_eras.decay_era
    where marks.order_key in (select paths.order_key from paths)

),

summed_stream as (

    select
        order_key,
        order_era,
        window_days,
        decay_era,
        party_type,
        party_key,
        sum(touch_count) over running_party as running_count,
        sum(decay_weight) over running_party as running_weight,
        max(touch_at) over running_party as last_touch_at

    from party_stream

    window running_party as (
        partition by person_key, decay_era, party_type, party_key
        order by happened_at, mark_order
        rows between unbounded preceding and current row
    )

),

parties as (

    select
        order_marks.order_key,
        window_marks.window_days,
        order_marks.party_type,
        order_marks.party_key,
        cast(sum(order_marks.running_count - window_marks.running_count) as bigint) as touch_count,
        cast(
            sum(
                (order_marks.running_weight - window_marks.running_weight)
                * case
                    when order_marks.decay_era = order_marks.order_era
                        then cast({{ decay_era_factor() }} as decimal(11, 0))
                    else cast(1 as decimal(11, 0))
                end
            ) as decimal(38, 0)
        ) as decay_weight,
        max(order_marks.last_touch_at) as last_touch_at

    from summed_stream as order_marks
    inner join summed_stream as window_marks
        on order_marks.order_key = window_marks.order_key
            and order_marks.decay_era = window_marks.decay_era
            and order_marks.party_type = window_marks.party_type
            and order_marks.party_key = window_marks.party_key
            and window_marks.window_days > 0
            and order_marks.running_count > window_marks.running_count

    where order_marks.window_days = 0

    group by
        order_marks.order_key,
        window_marks.window_days,
        order_marks.party_type,
        order_marks.party_key

),

final as (

    select
        parties.order_key,
        chosen_touches.person_key,
        parties.party_key,
        parties.window_days,
        parties.party_type,
        parties.party_type = chosen_touches.first_party_type
        and parties.party_key = chosen_touches.first_party_key as is_first,
        parties.party_type = chosen_touches.last_party_type
        and parties.party_key = chosen_touches.last_party_key as is_last,
        coalesce(
            parties.party_type = chosen_touches.non_direct_party_type
            and parties.party_key = chosen_touches.non_direct_party_key,
            -- direct counts when there is nothing else
            chosen_touches.non_direct_party_key is null
        ) as is_last_non_direct,
        coalesce(
            parties.party_type = chosen_touches.creator_party_type
            and parties.party_key = chosen_touches.creator_party_key,
            false
        ) as is_last_creator,
        chosen_touches.creator_party_key is not null as has_creator,
        parties.touch_count,
        chosen_touches.last_number - chosen_touches.first_number + 1 as path_touch_count,
        chosen_touches.first_number,
        chosen_touches.last_number,
        parties.decay_weight,
        chosen_touches.first_touch_at as path_first_touch_at,
        parties.last_touch_at

    from parties
    inner join chosen_touches
        on parties.order_key = chosen_touches.order_key
            and parties.window_days = chosen_touches.window_days

)

select * from final
