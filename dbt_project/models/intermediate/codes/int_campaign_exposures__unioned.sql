with drops_exposures as (

    select * from {{ ref('stg_drops__campaign_exposures') }}

),

targeted_households as (

    select * from {{ ref('stg_complete_journey__campaigns') }}

),

campaigns as (

    select * from {{ ref('int_campaigns__unioned') }}

),

exposures as (

    select
        exposure_key,
        campaign_key,
        creator_key,
        customer_key,
        customer_pid,
        visitor_pid,
        email_pid,
        exposed_at,
        {{ lineage_columns() }}

    from drops_exposures

    union all

    select
        exposure_key,
        campaign_key,
        creator_key,
        customer_key,
        customer_pid,
        cast(null as varchar) as visitor_pid,
        cast(null as varchar) as email_pid,
        cast(null as timestamp) as exposed_at,
        {{ lineage_columns() }}

    from targeted_households

),

-- A list of people without a moment counts from the start of its campaign.
final as (

    select
        exposures.exposure_key,
        exposures.campaign_key,
        exposures.creator_key,
        exposures.customer_key,
        exposures.customer_pid,
        exposures.visitor_pid,
        exposures.email_pid,
        coalesce(exposures.exposed_at, campaigns.starts_at) as exposed_at,
        exposures.source,
        exposures.source_account,
        exposures.source_record_id,
        exposures.source_updated_at,
        exposures.extracted_at,
        exposures.load_id,
        exposures.record_hash,
        exposures.is_deleted

    from exposures
    left join campaigns
        on exposures.campaign_key = campaigns.campaign_key

)

select * from final
