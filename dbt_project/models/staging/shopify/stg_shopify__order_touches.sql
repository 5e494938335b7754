with records as (

    select * from {{ source('raw_shopify', 'order_touches') }}

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
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        touch_role,
        landing_path,
        referrer_host,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        true as is_journey_ready,
        touch_at,
        {{ lineage('shopify') }}

    from newest

)

select * from final
