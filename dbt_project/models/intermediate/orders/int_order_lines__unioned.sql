{{ config(materialized='table') }}

with drops_lines as (

    select * from {{ ref('stg_drops__order_lines') }}

),

shopify_lines as (

    select * from {{ ref('stg_shopify__order_lines') }}

),

basket_lines as (

    select * from {{ ref('stg_complete_journey__transactions') }}

),

drops_refund_lines as (

    select * from {{ ref('stg_drops__refund_lines') }}

),

shopify_refund_lines as (

    select * from {{ ref('stg_shopify__refund_lines') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

refund_lines as (

    select
        order_line_key,
        amount

    from drops_refund_lines

    union all

    select
        order_line_key,
        amount

    from shopify_refund_lines

),

returns as (

    select
        order_line_key,
        sum(amount) as returned_amount

    from refund_lines

    group by order_line_key

),

-- A line that names no currency has its order's.
completed_drops_lines as (

    select
        drops_lines.order_line_key,
        drops_lines.order_key,
        drops_lines.product_key,
        drops_lines.product_id,
        drops_lines.sku,
        drops_lines.is_gift_card,
        drops_lines.quantity,
        drops_lines.current_quantity,
        drops_lines.unit_amount,
        drops_lines.discount_amount,
        drops_lines.net_amount,
        coalesce(drops_lines.currency_code, orders.currency_code) as currency_code,
        drops_lines.source,
        drops_lines.source_account,
        drops_lines.is_deleted

    from drops_lines
    left join orders
        on drops_lines.order_key = orders.order_key

),

unioned as (

    select
        order_line_key,
        order_key,
        product_key,
        product_id,
        sku,
        is_gift_card,
        quantity,
        current_quantity,
        unit_amount,
        discount_amount,
        net_amount,
        currency_code,
        source,
        source_account,
        is_deleted

    from completed_drops_lines

    union all

    select
        order_line_key,
        order_key,
        product_key,
        product_id,
        sku,
        is_gift_card,
        quantity,
        current_quantity,
        unit_amount,
        discount_amount,
        net_amount,
        currency_code,
        source,
        source_account,
        is_deleted

    from shopify_lines

    union all

    select
        order_line_key,
        order_key,
        product_key,
        product_id,
        cast(null as varchar) as sku,
        false as is_gift_card,
        quantity,
        quantity as current_quantity,
        unit_amount,
        discount_amount,
        net_amount,
        currency_code,
        source,
        source_account,
        is_deleted

    from basket_lines

),

final as (

    select
        unioned.order_line_key,
        unioned.order_key,
        unioned.product_key,
        unioned.product_id,
        unioned.sku,
        case when unioned.quantity = 0 then 'zero_quantity' end as quality_flag,
        unioned.is_gift_card,
        unioned.quantity,
        unioned.current_quantity,
        unioned.unit_amount,
        cast(unioned.net_amount + unioned.discount_amount as decimal(18, 4)) as gross_amount,
        cast(unioned.discount_amount as decimal(18, 4)) as discount_amount,
        cast(unioned.net_amount as decimal(18, 4)) as net_amount,
        cast(coalesce(returns.returned_amount, 0) as decimal(18, 4)) as returned_amount,
        cast(
            unioned.net_amount - coalesce(returns.returned_amount, 0) as decimal(18, 4)
        ) as net_sales_amount,
        unioned.currency_code,
        unioned.source,
        unioned.source_account,
        unioned.is_deleted

    from unioned
    left join returns
        on unioned.order_line_key = returns.order_line_key

)

select * from final
