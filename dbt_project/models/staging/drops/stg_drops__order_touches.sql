with records as (

    select * from {{ source('raw_drops', 'order_touches') }}

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
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        touch_role,
        landing_path,
        referrer_host,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        coalesce(is_journey_ready, true) as is_journey_ready,
        touch_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
