with records as (

    select * from {{ source('raw_complete_journey', 'coupons') }}

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
        {{ global_key('complete_journey', "campaign_id || '-' || coupon_upc") }} as promo_code_key,
        campaign_id || '-' || coupon_upc as code_norm,
        {{ global_key('complete_journey', 'campaign_id') }} as campaign_key,
        {{ global_key('complete_journey', "'campaign-' || campaign_id") }} as creator_key,
        {{ global_key('complete_journey', 'product_id') }} as product_key,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
