{%- set references = [
    ('raw_drops', 'activity_events', 'identity', identity_key('visitor', 'visitor_pid')),
    ('raw_drops', 'activity_events', 'identity', identity_key('user', 'user_pid')),
    ('raw_drops', 'activity_events', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'activity_events', 'click', make_key('drops', '_source_account', 'click_id')),
    ('raw_drops', 'link_clicks', 'identity', identity_key('visitor', 'visitor_pid')),
    ('raw_drops', 'link_clicks', 'identity', identity_key('user', 'user_pid')),
    ('raw_drops', 'link_clicks', 'click', make_key('drops', '_source_account', 'click_id')),
    ('raw_drops', 'campaign_exposures', 'identity', identity_key('visitor', 'visitor_pid')),
    ('raw_drops', 'campaign_exposures', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_drops', 'campaign_exposures', 'identity', identity_key('email', 'email_pid')),
    ('raw_drops', 'customers', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_drops', 'customers', 'identity', identity_key('email', 'email_pid')),
    ('raw_drops', 'customers', 'identity', identity_key('user', 'user_pid')),
    ('raw_drops', 'identity_links', 'identity', "left_type || ':' || left_pid"),
    ('raw_drops', 'identity_links', 'identity', "right_type || ':' || right_pid"),
    ('raw_drops', 'code_redemptions', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_drops', 'code_redemptions', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'orders', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'orders', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_drops', 'orders', 'identity', identity_key('email', 'email_pid')),
    ('raw_drops', 'orders', 'identity', identity_key('user', 'user_pid')),
    ('raw_drops', 'orders', 'identity', identity_key('visitor', 'visitor_pid')),
    ('raw_drops', 'order_lines', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'refunds', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'refund_lines', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'order_discount_codes', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'order_touches', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'affiliate_conversions', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'survey_responses', 'order', make_key('drops', '_source_account', 'order_id')),
    ('raw_drops', 'promo_codes', 'code', 'code_norm'),
    ('raw_drops', 'promo_code_products', 'code', 'code_norm'),
    ('raw_drops', 'campaigns', 'campaign', make_key('drops', '_source_account', 'campaign_id')),
    ('raw_drops', 'tracked_links', 'link', make_key('drops', '_source_account', 'link_id')),
    ('raw_drops', 'tracked_links', 'marks', utm_marks()),
    ('raw_drops', 'posts', 'post', 'post_id'),
    ('raw_drops', 'posts', 'account', platform_key('platform', 'platform_user_id')),
    ('raw_drops', 'posts', 'creator', make_key('drops', '_source_account', 'creator_id')),
    ('raw_drops', 'creators', 'creator', make_key('drops', '_source_account', 'creator_id')),
    ('raw_drops', 'creator_accounts', 'account', platform_key('platform', 'platform_user_id')),
    ('raw_drops', 'creator_accounts', 'creator', make_key('drops', '_source_account', 'creator_id')),
    ('raw_drops', 'creator_follower_snapshots', 'account', platform_key('platform', 'platform_user_id')),
    ('raw_drops', 'products', 'product', make_key('drops', '_source_account', 'product_id')),
    ('raw_shopify', 'orders', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'orders', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_shopify', 'orders', 'identity', identity_key('email', 'email_pid')),
    ('raw_shopify', 'order_lines', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'refunds', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'refund_lines', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'order_discount_codes', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'order_touches', 'order', make_key('shopify', '_source_account', 'order_id')),
    ('raw_shopify', 'customers', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_shopify', 'customers', 'identity', identity_key('email', 'email_pid')),
    ('raw_shopify', 'discount_codes', 'code', 'code_norm'),
    ('raw_shopify', 'products', 'product', make_key('shopify', '_source_account', 'product_id')),
    ('raw_complete_journey', 'transactions', 'order', global_key('complete_journey', 'basket_id')),
    ('raw_complete_journey', 'transactions', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_complete_journey', 'campaigns', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_complete_journey', 'campaign_descriptions', 'campaign', global_key('complete_journey', 'campaign_id')),
    ('raw_complete_journey', 'coupons', 'code', "campaign_id || '-' || coupon_upc"),
    ('raw_complete_journey', 'coupon_redemptions', 'identity', identity_key('customer', 'customer_pid')),
    ('raw_complete_journey', 'products', 'product', global_key('complete_journey', 'product_id')),
] -%}

{{ config(materialized='table') }}

-- Reads raw, not staging: staging shows only winners, and here every version counts.
with collected as (

    {% for source_name, table_name, reference_type, reference in references -%}
        select
            '{{ reference_type }}' as reference_type,
            {{ reference }} as reference_value
        from ({{ changed_records(source(source_name, table_name)) }}) as changed
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

final as (

    select
        reference_type,
        reference_value

    from collected

    where reference_value is not null

    group by reference_type, reference_value

)

select * from final
