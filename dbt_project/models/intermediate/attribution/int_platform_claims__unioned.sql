with drops_claims as (

    select * from {{ ref('stg_drops__platform_claims') }}

),

final as (

    select
        claim_key,
        campaign_key,
        platform,
        currency_code,
        is_view_through,
        window_days,
        claimed_conversion_count,
        claimed_amount,
        claim_date,
        {{ lineage_columns() }}

    from drops_claims

)

select * from final
