with records as (

    select * from {{ source('raw_shopify', 'discount_codes') }}

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
        {{ make_key('shopify', '_source_account', 'code_norm', 'starts_at') }} as promo_code_key,
        code_norm,
        code_display,
        discount_type,
        usage_limit,
        discount_value,
        starts_at as valid_from_at,
        ends_at as valid_to_at,
        {{ lineage('shopify') }}

    from newest

)

select * from final
