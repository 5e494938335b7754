with drops_code_products as (

    select * from {{ ref('stg_drops__promo_code_products') }}

),

coupons as (

    select * from {{ ref('stg_complete_journey__coupons') }}

),

final as (

    select
        code_norm,
        product_key,
        {{ lineage_columns() }}

    from drops_code_products

    union all

    select
        code_norm,
        product_key,
        {{ lineage_columns() }}

    from coupons

)

select * from final
