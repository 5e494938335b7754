with drops_touches as (

    select * from {{ ref('stg_drops__order_touches') }}

),

shopify_touches as (

    select * from {{ ref('stg_shopify__order_touches') }}

),

final as (

    select
        order_key,
        touch_role,
        landing_path,
        referrer_host,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        is_journey_ready,
        touch_at,
        {{ lineage_columns() }}

    from drops_touches

    union all

    select
        order_key,
        touch_role,
        landing_path,
        referrer_host,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        is_journey_ready,
        touch_at,
        {{ lineage_columns() }}

    from shopify_touches

)

select * from final
