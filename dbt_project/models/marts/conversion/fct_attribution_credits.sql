-- Incremental by order; int_attribution_credits__allocated says who earned which share of an order.
-- Here shares become money in whole minor units: every party gets the units its share fills, and
-- the units left over go one by one to the largest remainders, ties by key. So the credits of an
-- order sum to its net sales (rounded to the minor unit), whatever the shares.
-- What nobody earned goes to the channel of the visit that led to the order, if it is known and
-- somebody's marketing; the model `code` knows of codes only.
{{
    config(
        materialized='incremental',
        incremental_strategy='affected',
        unique_key='order_key',
        on_schema_change='fail',
        meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}}
    )
}}

with several_parties as (

    {{ orders_of_several_parties() }}

),

earned_shares as (

    select * from {{ ref('int_attribution_credits__allocated') }}

    {{ where_affected(
        'order_key',
        ref('int_orders__affected'),
        or_when='order_key in (select several_parties.order_key from several_parties)'
    ) }}

),

orders as (

    select * from {{ ref('fct_orders') }}

    {{ where_affected(
        'order_key',
        ref('int_orders__affected'),
        or_when='order_key in (select several_parties.order_key from several_parties)'
    ) }}

),

channels as (

    select * from {{ ref('dim_channels') }}

    where is_marketing_channel

),

rules as (

    {{ attribution_rules() }}

),

earned_credits as (

    select
        earned_shares.order_key,
        earned_shares.model,
        earned_shares.window_days,
        earned_shares.party_type,
        earned_shares.party_key,
        earned_shares.credit_share,
        earned_shares.touch_at,
        {{ minor_units('orders.net_sales_amount', 'orders.currency_code') }} as order_unit_count,
        orders.currency_code,
        orders.order_date,
        orders.ordered_at

    from earned_shares

    -- order_key is unique in orders
    inner join orders on earned_shares.order_key = orders.order_key

),

filled_credits as (

    select
        *,
        cast(floor(abs(order_unit_count) * credit_share) as bigint) as filled_unit_count,
        row_number() over (
            partition by order_key, model, window_days
            order by
                abs(order_unit_count) * credit_share
                - floor(abs(order_unit_count) * credit_share) desc,
                party_type asc,
                party_key asc
        ) as remainder_rank,
        abs(order_unit_count) - sum(
            cast(floor(abs(order_unit_count) * credit_share) as bigint)
        ) over (partition by order_key, model, window_days) as left_over_unit_count

    from earned_credits

),

earned_keys as (

    select
        order_key,
        model,
        window_days

    from earned_shares

    group by order_key, model, window_days

),

-- What nobody earned.
left_over_credits as (

    select
        orders.order_key,
        rules.model,
        rules.window_days,
        case when channels.channel_key is null then 'unattributed' else 'channel' end
            as party_type,
        coalesce(channels.channel_key, 'unattributed') as party_key,
        cast(1 as decimal(18, 12)) as credit_share,
        {{ minor_units('orders.net_sales_amount', 'orders.currency_code') }} as order_unit_count,
        orders.currency_code,
        orders.order_date,
        orders.ordered_at

    from orders
    cross join rules

    -- channel_key is unique in channels, and an order has a party of a model and window or none
    left join channels
        on
            orders.channel_key = channels.channel_key
            and rules.model != 'code'
    left join earned_keys
        on
            orders.order_key = earned_keys.order_key
            and rules.model = earned_keys.model
            and rules.window_days = earned_keys.window_days

    where earned_keys.order_key is null

),

credits as (

    select
        order_key,
        party_key,
        order_date,
        party_type,
        model,
        window_days,
        currency_code,
        credit_share,
        sign(order_unit_count) * (
            filled_unit_count
            + case when remainder_rank <= left_over_unit_count then 1 else 0 end
        ) as credit_unit_count,
        touch_at,
        ordered_at
    from filled_credits

    union all

    select
        order_key,
        party_key,
        order_date,
        party_type,
        model,
        window_days,
        currency_code,
        credit_share,
        order_unit_count as credit_unit_count,
        cast(null as timestamp) as touch_at,
        ordered_at
    from left_over_credits

),

final as (

    select
        order_key,
        party_key,
        case when party_type = 'creator' then party_key end as creator_key,
        case when party_type = 'channel' then party_key end as channel_key,
        order_date,
        party_type,
        model,
        window_days,
        currency_code,
        model = '{{ var("default_attribution_model") }}'
        and window_days = {{ var('default_attribution_window_days') }} as is_default,
        credit_share,
        {{ minor_units_amount('credit_unit_count', 'currency_code') }} as credit_amount,
        touch_at,
        ordered_at

    from credits

)

select * from final
