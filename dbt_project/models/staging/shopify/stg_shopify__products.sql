with records as (

    select * from {{ source('raw_shopify', 'products') }}

),

passed as (

    select *
    from records
    where {{ in_passed_files() }}

),

newest as (

    {{ newest_version('passed') }}

),

final as (

    select
        {{ make_key('shopify', '_source_account', 'product_id') }} as product_key,
        product_id,
        sku,
        title,
        category,
        brand,
        unit_cost_amount,
        currency as currency_code,
        {{ lineage('shopify') }}

    from newest

)

select * from final
