{{ config(materialized='table') }}

with drops_events as (

    select * from {{ ref('stg_drops__activity_events') }}

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

-- The key an event names may be lent: the order itself comes from another source of the account.
events as (

    select
        drops_events.*,
        coalesce(order_references.order_key, drops_events.order_key) as meant_order_key

    from drops_events
    left join order_references
        on drops_events.order_key = order_references.reference_key

),

purchase_events as (

    select meant_order_key as order_key

    from events

    where event_type = 'purchase'
        and meant_order_key is not null

    group by meant_order_key

),

-- Whoever buys in a shop of bricks was there: the order itself is the visit, unless a feed of
-- events has told of it. A stranger's is nobody's visit.
store_visits as (

    select orders.*

    from orders
    left join purchase_events
        on orders.order_key = purchase_events.order_key

    where orders.channel = 'store'
        and not orders.is_test
        and purchase_events.order_key is null
        and coalesce(
            orders.customer_pid, orders.user_pid, orders.email_pid, orders.visitor_pid
        ) is not null

),

final as (

    select
        event_key,
        cast(null as varchar) as customer_pid,
        cast(null as varchar) as email_pid,
        user_pid,
        visitor_pid,
        creator_key,
        product_key,
        meant_order_key as order_key,
        click_key,
        post_id,
        event_type,
        coalesce(event_name, event_type) as event_name,
        coalesce(platform, 'unknown') as platform,
        channel,
        device_class,
        coalesce(time_quality, 'ok') as time_quality,
        url_host,
        url_path,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        {{ external_referrer_host('url_host', 'referrer_host') }} as referrer_host,
        country,
        coalesce(is_bot, false) as is_bot,
        coalesce(is_in_app_browser, false) as is_in_app_browser,
        coalesce(is_internal, false) as is_internal,
        is_analytics_consented,
        {{ has_wanted_properties() }} as has_wanted_properties,
        value_amount,
        currency_code,
        occurred_at,
        received_at,
        {{ lineage_columns() }}

    from events

    union all

    select
        order_key || ':visit' as event_key,
        customer_pid,
        email_pid,
        user_pid,
        visitor_pid,
        cast(null as varchar) as creator_key,
        cast(null as varchar) as product_key,
        order_key,
        cast(null as varchar) as click_key,
        cast(null as varchar) as post_id,
        'purchase' as event_type,
        'store_order' as event_name,
        'store' as platform,
        cast(null as varchar) as channel,
        'other' as device_class,
        'ok' as time_quality,
        cast(null as varchar) as url_host,
        cast(null as varchar) as url_path,
        cast(null as varchar) as utm_source,
        cast(null as varchar) as utm_medium,
        cast(null as varchar) as utm_campaign,
        cast(null as varchar) as utm_content,
        cast(null as varchar) as utm_term,
        cast(null as varchar) as referrer_host,
        cast(null as varchar) as country,
        false as is_bot,
        false as is_in_app_browser,
        false as is_internal,
        cast(null as boolean) as is_analytics_consented,
        {{ (not var('activity_event_properties')) | lower }} as has_wanted_properties,
        total_amount as value_amount,
        currency_code,
        ordered_at as occurred_at,
        cast(null as timestamp) as received_at,
        {{ lineage_columns() }}

    from store_visits

)

select * from final
