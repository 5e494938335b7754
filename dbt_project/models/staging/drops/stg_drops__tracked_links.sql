with records as (

    select * from {{ source('raw_drops', 'tracked_links') }}

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
        {{ make_key('drops', '_source_account', 'link_id') }} as link_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        post_id,
        platform,
        slug,
        target_url,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        valid_from as valid_from_at,
        valid_to as valid_to_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
