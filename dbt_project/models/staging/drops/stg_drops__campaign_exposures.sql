with records as (

    select * from {{ source('raw_drops', 'campaign_exposures') }}

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
        {{ make_key('drops', '_source_account', 'campaign_id') }}
        || ':'
        || coalesce(customer_pid, visitor_pid, email_pid)
        || ':'
        || exposed_at as exposure_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        {{ make_key('drops', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        visitor_pid,
        email_pid,
        exposed_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
