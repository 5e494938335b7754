-- Incremental by order, like fct_orders. Shares come from int_attribution_credits__allocated; here
-- they become money in whole minor units: every party gets the units its share fills, and the units
-- left over go one by one to the largest remainders, ties by key. So the credits of an order sum to
-- its net sales (rounded to the minor unit), whatever the shares.
-- What no creator earned goes, in the models that look at visits, to the channel of the visit that
-- led to the order, if that is known; the model `code` knows of codes only.
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

channels as (

    select * from {{ ref('dim_channels') }}

    where is_marketing_channel

),

parties as (

    select
        allocated_credits.*,
        orders.order_date,
        orders.currency_code,
        orders.net_sales_amount,
        orders.ordered_at,
        channels.channel_key

    from allocated_credits

    -- order_key is unique in orders, channel_key in channels
    inner join orders on allocated_credits.order_key = orders.order_key
    left join channels
        on
            orders.channel_key = channels.channel_key
            and allocated_credits.party_type = 'unattributed'
            and allocated_credits.model != 'code'

),

credits as (

    select
        order_key,
        coalesce(channel_key, party_key) as party_key,
        creator_key,
        channel_key,
        case when channel_key is null then party_type else 'channel' end as party_type,
        order_date,
        model,
        window_days,
        currency_code,
        credit_share,
        {{ minor_units('net_sales_amount', 'currency_code') }} as order_unit_count,
        touch_at,
        ordered_at

    from parties

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
        channel_key,
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
