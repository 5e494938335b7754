with records as (

    select * from {{ source('raw_drops', 'platform_claims') }}

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
        {{ make_key('drops', '_source_account', 'claim_id') }} as claim_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        claim_date,
        platform,
        is_view_through,
        window_days,
        conversions as claimed_conversion_count,
        value as claimed_amount,
        currency as currency_code,
        {{ lineage('drops') }}

    from newest

)

select * from final
