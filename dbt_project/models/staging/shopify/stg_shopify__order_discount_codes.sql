with records as (

    select * from {{ source('raw_shopify', 'order_discount_codes') }}

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
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        code_norm,
        'order' as code_source,
        amount,
        {{ lineage('shopify') }}

    from newest

)

select * from final
