with drops_products as (

    select * from {{ ref('stg_drops__products') }}

),

shopify_products as (

    select * from {{ ref('stg_shopify__products') }}

),

grocery_products as (

    select * from {{ ref('stg_complete_journey__products') }}

),

final as (

    select
        product_key,
        product_id,
        sku,
        title,
        category,
        brand,
        unit_cost_amount,
        currency_code,
        {{ lineage_columns() }}

    from drops_products

    union all

    select
        product_key,
        product_id,
        sku,
        title,
        category,
        brand,
        unit_cost_amount,
        currency_code,
        {{ lineage_columns() }}

    from shopify_products

    union all

    select
        product_key,
        product_id,
        cast(null as varchar) as sku,
        title,
        category,
        brand,
        cast(null as decimal(18, 4)) as unit_cost_amount,
        cast(null as varchar) as currency_code,
        {{ lineage_columns() }}

    from grocery_products

)

select * from final
