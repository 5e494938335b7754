-- A product that only an order line names is a product all the same: it has its row, so that no
-- line drops out of a join when the product feed is late or missing.
with products as (

    select * from {{ ref('int_products__unioned') }}

),

order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

),

only_named_products as (

    select
        order_lines.product_key,
        any_value(order_lines.source) as source,
        min(order_lines.sku) as sku

    from order_lines

    left join products on order_lines.product_key = products.product_key

    where
        order_lines.product_key is not null
        and products.product_key is null

    group by order_lines.product_key

),

final as (

    select
        product_key,
        source,
        sku,
        title,
        category,
        brand,
        currency_code,
        false as is_only_named,
        is_deleted,
        unit_cost_amount
    from products

    union all

    select
        product_key,
        source,
        sku,
        cast(null as varchar) as title,
        cast(null as varchar) as category,
        cast(null as varchar) as brand,
        cast(null as varchar) as currency_code,
        true as is_only_named,
        false as is_deleted,
        cast(null as decimal(18, 4)) as unit_cost_amount
    from only_named_products

)

select * from final
