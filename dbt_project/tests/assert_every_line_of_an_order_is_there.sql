-- The lines of fct_order_lines are those that fct_orders counts, order by order.
with orders as (

    select * from {{ ref('fct_orders') }}

),

order_lines as (

    select * from {{ ref('fct_order_lines') }}

),

lines_by_order as (

    select
        order_key,
        count(*) as line_count,
        sum(unit_count) as unit_count

    from order_lines

    group by order_key

)

select
    orders.order_key,
    orders.line_count,
    lines_by_order.line_count as found_line_count

from orders

left join lines_by_order on orders.order_key = lines_by_order.order_key

where
    orders.line_count != coalesce(lines_by_order.line_count, 0)
    or orders.unit_count != coalesce(lines_by_order.unit_count, 0)
