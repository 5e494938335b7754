-- Lines add up to their order: gross minus discount, within the tolerance of rounding. Shops that
-- keep an order's discount off its lines make this differ, so it warns and does not stop.
{{ config(severity='warn') }}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

),

order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

),

line_totals as (

    select
        order_key,
        sum(net_amount) as net_amount

    from order_lines

    group by order_key

),

final as (

    select
        orders.order_key,
        orders.gross_sales_amount - orders.discount_amount as order_amount,
        line_totals.net_amount as line_amount

    from orders
    inner join line_totals
        on orders.order_key = line_totals.order_key

    where abs(orders.gross_sales_amount - orders.discount_amount - line_totals.net_amount)
        > {{ var('money_tolerance') }}

)

select * from final
