with records as (

    select * from {{ source('raw_complete_journey', 'campaigns') }}

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
        {{ global_key('complete_journey', 'campaign_id', 'customer_pid') }} as exposure_key,
        {{ global_key('complete_journey', 'campaign_id') }} as campaign_key,
        {{ global_key('complete_journey', "'campaign-' || campaign_id") }} as creator_key,
        {{ global_key('complete_journey', 'customer_pid') }} as customer_key,
        customer_pid,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
