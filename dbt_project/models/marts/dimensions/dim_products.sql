with products as (

    select * from {{ ref('int_products__unioned') }}

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
        is_deleted,
        unit_cost_amount

    from products

)

select * from final
