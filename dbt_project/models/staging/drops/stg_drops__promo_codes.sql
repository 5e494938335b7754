with records as (

    select * from {{ source('raw_drops', 'promo_codes') }}

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
        {{ make_key('drops', '_source_account', 'code_norm', 'valid_from') }} as promo_code_key,
        code_norm,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        code_display,
        discount_type,
        owner_source,
        usage_limit,
        discount_value,
        commission_rate,
        valid_from as valid_from_at,
        valid_to as valid_to_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
