{%- set windows_days = var('attribution_windows_days') -%}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

),

windows as (

    {% for window_days in windows_days -%}
        select cast({{ window_days }} as integer) as window_days
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted_orders as (

    select
        order_key,
        person_key,
        code_norm,
        code_party_type,
        code_creator_key,
        ordered_at

    from orders

    where not is_excluded

),

-- The last click before the order is the last one of every window that reaches back to it.
ranked_clicks as (

    select
        counted_orders.order_key,
        counted_orders.ordered_at,
        touches.touch_key,
        touches.touch_at,
        touches.creator_key,
        touches.is_ambiguous,
        row_number() over (
            partition by counted_orders.order_key
            order by touches.touch_at desc, touches.touch_key desc
        ) as click_rank

    from counted_orders
    inner join touches
        on counted_orders.person_key = touches.person_key
            and counted_orders.ordered_at >= touches.touch_at
            and touches.is_click

    where touches.touch_at > counted_orders.ordered_at - interval '{{ windows_days | max }} days'

),

last_clicks as (

    select
        ranked_clicks.order_key,
        windows.window_days,
        ranked_clicks.touch_key,
        ranked_clicks.touch_at,
        ranked_clicks.creator_key,
        ranked_clicks.is_ambiguous

    from ranked_clicks
    cross join windows

    where ranked_clicks.click_rank = 1
        and ranked_clicks.touch_at
        > ranked_clicks.ordered_at - windows.window_days * interval '1 day'

),

evidence as (

    select
        counted_orders.order_key,
        windows.window_days,
        counted_orders.code_norm,
        case counted_orders.code_party_type
            when 'none' then 'unattributed'
            else counted_orders.code_party_type
        end as code_party_type,
        counted_orders.code_creator_key,
        case
            when last_clicks.order_key is null then 'unattributed'
            when last_clicks.is_ambiguous then 'ambiguous'
            else 'creator'
        end as click_party_type,
        last_clicks.creator_key as click_creator_key,
        last_clicks.touch_key,
        last_clicks.touch_at

    from counted_orders
    cross join windows
    left join last_clicks
        on counted_orders.order_key = last_clicks.order_key
            and windows.window_days = last_clicks.window_days

),

credits as (

    select
        order_key,
        'code' as model,
        window_days,
        code_party_type as party_type,
        code_creator_key as creator_key,
        code_norm,
        cast(null as varchar) as touch_key,
        cast(null as timestamp) as touch_at

    from evidence

    union all

    select
        order_key,
        'last_touch' as model,
        window_days,
        click_party_type as party_type,
        click_creator_key as creator_key,
        cast(null as varchar) as code_norm,
        touch_key,
        touch_at

    from evidence

    union all

    -- A code that is somebody's wins; without one the last click decides.
    select
        order_key,
        'code_then_last_touch' as model,
        window_days,
        case
            when code_party_type = 'unattributed' then click_party_type
            else code_party_type
        end as party_type,
        case
            when code_party_type = 'unattributed' then click_creator_key
            else code_creator_key
        end as creator_key,
        case when code_party_type != 'unattributed' then code_norm end as code_norm,
        case when code_party_type = 'unattributed' then touch_key end as touch_key,
        case when code_party_type = 'unattributed' then touch_at end as touch_at

    from evidence

),

final as (

    select
        order_key,
        model,
        window_days,
        party_type,
        case when party_type = 'creator' then creator_key else party_type end as party_key,
        case when party_type = 'creator' then creator_key end as creator_key,
        code_norm,
        touch_key,
        cast(1 as decimal(18, 12)) as credit_share,
        touch_at

    from credits

)

select * from final
