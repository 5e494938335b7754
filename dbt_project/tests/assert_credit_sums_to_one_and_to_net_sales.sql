-- Every order is credited in every model and window: shares sum to exactly 1, amounts to its net
-- sales in whole minor units.
with orders as (

    select * from {{ ref('fct_orders') }}

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

),

credited_orders as (

    select
        order_key,
        model,
        window_days,
        sum(credit_share) as credit_share,
        sum(credit_amount) as credit_amount

    from credits

    group by order_key, model, window_days

),

compared_orders as (

    select
        orders.order_key,
        orders.net_sales_amount,
        {{ minor_units_amount(
            minor_units('orders.net_sales_amount', 'orders.currency_code'), 'orders.currency_code'
        ) }} as amount_to_credit,
        count(credited_orders.order_key) as credit_count,
        min(credited_orders.credit_share) as least_share,
        max(credited_orders.credit_share) as greatest_share,
        min(credited_orders.credit_amount) as least_amount,
        max(credited_orders.credit_amount) as greatest_amount

    from orders

    left join credited_orders on orders.order_key = credited_orders.order_key

    group by orders.order_key, orders.net_sales_amount, orders.currency_code

)

select *

from compared_orders

where
    credit_count
    != {{ var('attribution_models') | length * (var('attribution_windows_days') | length) }}
    or least_share != 1
    or greatest_share != 1
    or least_amount != amount_to_credit
    or greatest_amount != amount_to_credit
