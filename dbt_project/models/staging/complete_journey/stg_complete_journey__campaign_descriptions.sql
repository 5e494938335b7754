with records as (

    select * from {{ source('raw_complete_journey', 'campaign_descriptions') }}

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
        {{ global_key('complete_journey', 'campaign_id') }} as campaign_key,
        {{ global_key('complete_journey', "'campaign-' || campaign_id") }} as creator_key,
        'Campaign ' || campaign_id as campaign_name,
        'campaign-' || campaign_id as display_handle,
        lower(replace(campaign_type, ' ', '_')) as niche,
        'other' as platform,
        'contract' as consent_basis,
        case
            when {{ to_utc('end_date + 1') }} <= {{ as_of() }} then 'ended'
            else 'active'
        end as status,
        {{ to_utc('start_date') }} as starts_at,
        {{ to_utc('end_date + 1') }} as ends_at,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
