with records as (

    select * from {{ source('raw_drops', 'promo_code_products') }}

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
        code_norm,
        {{ make_key('drops', '_source_account', 'product_id') }} as product_key,
        {{ lineage('drops') }}

    from newest

)

select * from final
