with records as (

    select * from {{ source('raw_drops', 'activity_events') }}

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
        {{ make_key('drops', '_source_account', 'event_id') }} as event_key,
        visitor_pid,
        user_pid,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        post_id,
        {{ make_key('drops', '_source_account', 'product_id') }} as product_key,
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        {{ make_key('drops', '_source_account', 'click_id') }} as click_key,
        event_type,
        event_name,
        platform,
        channel,
        device_class,
        time_quality,
        url_host,
        url_path,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        referrer_host,
        country,
        properties,
        is_bot,
        is_in_app_browser,
        is_internal,
        consent_analytics as is_analytics_consented,
        value as value_amount,
        currency as currency_code,
        occurred_at,
        received_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
