-- Incremental by order, like fct_orders. Shares come from int_attribution_credits__allocated; here
-- they become money in whole minor units: every party gets the units its share fills, and the units
-- left over go one by one to the largest remainders, ties by key. So the credits of an order sum to
-- its net sales (rounded to the minor unit), whatever the shares.
{{
    config(
        materialized='incremental',
        incremental_strategy='affected',
        unique_key='order_key',
        on_schema_change='fail',
        meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}}
    )
}}

with allocated_credits as (

    select * from {{ ref('int_attribution_credits__allocated') }}

    {{ where_affected('order_key', ref('int_orders__affected')) }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

credits as (

    select
        allocated_credits.order_key,
        allocated_credits.party_key,
        allocated_credits.creator_key,
        allocated_credits.party_type,
        allocated_credits.model,
        allocated_credits.window_days,
        allocated_credits.credit_share,
        allocated_credits.touch_at,
        orders.order_date,
        orders.currency_code,
        orders.ordered_at,
        {{ minor_units('orders.net_sales_amount', 'orders.currency_code') }} as order_unit_count

    from allocated_credits

    -- order_key is unique in orders
    inner join orders on allocated_credits.order_key = orders.order_key

),

filled_credits as (

    select
        *,
        cast(floor(abs(order_unit_count) * credit_share) as bigint) as filled_unit_count,
        abs(order_unit_count) * credit_share
        - floor(abs(order_unit_count) * credit_share) as unit_remainder

    from credits

),

ranked_credits as (

    select
        *,
        row_number() over (
            partition by order_key, model, window_days
            order by unit_remainder desc, party_type asc, party_key asc
        ) as remainder_rank,
        abs(order_unit_count) - sum(filled_unit_count) over (
            partition by order_key, model, window_days
        ) as left_over_unit_count

    from filled_credits

),

final as (

    select
        order_key,
        party_key,
        creator_key,
        order_date,
        party_type,
        model,
        window_days,
        currency_code,
        model = '{{ var("default_attribution_model") }}'
        and window_days = {{ var('default_attribution_window_days') }} as is_default,
        credit_share,
        {{ minor_units_amount(
            'sign(order_unit_count) * (filled_unit_count + case when remainder_rank'
            ~ ' <= left_over_unit_count then 1 else 0 end)',
            'currency_code'
        ) }} as credit_amount,
        touch_at,
        ordered_at

    from ranked_credits

)

select * from final
