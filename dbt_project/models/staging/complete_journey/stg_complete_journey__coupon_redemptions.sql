with records as (

    select * from {{ source('raw_complete_journey', 'coupon_redemptions') }}

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
        {{ global_key('complete_journey', 'customer_pid', 'campaign_id') }}
        || '-'
        || coupon_upc
        || ':'
        || cast(redemption_date as varchar) as redemption_key,
        campaign_id || '-' || coupon_upc as code_norm,
        {{ global_key('complete_journey', 'customer_pid') }} as customer_key,
        customer_pid,
        redemption_date as redeemed_date,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
