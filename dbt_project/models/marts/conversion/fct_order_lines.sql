-- Incremental by order, like fct_orders: all lines of an affected order leave and enter together.
{{
    config(
        materialized='incremental',
        incremental_strategy='affected',
        unique_key='order_line_key',
        on_schema_change='fail',
        meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}}
    )
}}

with order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

    {{ where_affected(
        'order_key',
        ref('int_orders__affected'),
        or_when=maturity_turned('order_key', 'order_date', var('refund_maturity_days'))
    ) }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

final as (

    select
        order_lines.order_line_key,
        order_lines.order_key,
        orders.customer_key,
        order_lines.product_key,
        orders.order_date,
        orders.source,
        order_lines.currency_code,
        order_lines.is_gift_card,
        coalesce(order_lines.quality_flag = 'zero_quantity', false) as is_zero_quantity,
        orders.is_mature,
        order_lines.quantity as unit_count,
        order_lines.current_quantity as current_unit_count,
        order_lines.unit_amount,
        order_lines.gross_amount as gross_sales_amount,
        order_lines.discount_amount,
        order_lines.returned_amount,
        order_lines.net_sales_amount,
        orders.ordered_at

    from order_lines

    -- order_key is unique in orders; lines of excluded orders go with them
    inner join orders on order_lines.order_key = orders.order_key

)

select * from final
