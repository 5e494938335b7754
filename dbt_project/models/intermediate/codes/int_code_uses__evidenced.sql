{% set lookback_days = var('default_attribution_window_days') %}
{{ config(materialized='table') }}

-- What speaks for and against each use of a known code: whether its owner was clicked on before,
-- where the visit came from, whether the customer was new.
with order_codes as (

    select * from {{ ref('int_order_discount_codes__unioned') }}

    where validity_status != 'unknown_code'

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where is_click
        and not is_repeat

),

order_touches as (

    select * from {{ ref('int_order_touches__unioned') }}

),

events as (

    select * from {{ ref('int_activity_events__resolved') }}

    where
        not is_excluded
        and referrer_host is not null

),

coupon_sites as (

    select * from {{ ref('coupon_sites') }}

),

posts as (

    select * from {{ ref('dim_posts') }}

    where creator_key is not null

),

follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

    where creator_key is not null

),

uses as (

    select
        order_codes.order_key,
        order_codes.code_norm,
        orders.source_account,
        order_codes.creator_key,
        order_codes.is_ambiguous,
        orders.person_key,
        orders.order_date,
        orders.ordered_at,
        orders.customer_order_number > 1 as is_returning_customer

    from order_codes

    -- order_key is unique in orders
    inner join orders on order_codes.order_key = orders.order_key

),

-- A click on the owner speaks for the code; where nobody or more than one owns it, on any creator.
clicked_uses as (

    select
        uses.order_key,
        uses.code_norm,
        max(
            case
                when
                    touches.touch_at
                    > uses.ordered_at - interval '{{ var("last_minute_seconds") }} seconds'
                    then 1
                else 0
            end
        ) as is_last_minute,
        max(
            case
                when uses.creator_key is null or uses.creator_key = touches.creator_key then 1
                else 0
            end
        ) as is_clicked

    from uses

    -- fans out over the clicks of a person and is folded at once
    inner join touches
        on
            uses.person_key = touches.person_key
            and uses.ordered_at >= touches.touch_at

    where touches.touch_at > uses.ordered_at - interval '{{ lookback_days }} days'

    group by uses.order_key, uses.code_norm

),

use_referrers as (

    select
        order_key,
        lower(referrer_host) as referrer_host
    from order_touches
    where referrer_host is not null

    union distinct

    select
        uses.order_key,
        lower(events.referrer_host) as referrer_host
    from uses
    -- fans out over the visits of the hours before and is made distinct at once
    inner join events
        on
            uses.person_key = events.person_key
            and uses.ordered_at >= events.occurred_at
    where
        events.occurred_at
        > uses.ordered_at - interval '{{ var("coupon_referrer_hours") }} hours'

),

coupon_uses as (

    select use_referrers.order_key

    from use_referrers
    cross join coupon_sites

    -- the site itself or a host below it
    where
        use_referrers.referrer_host = coupon_sites.host
        or use_referrers.referrer_host like '%.' || coupon_sites.host

    group by use_referrers.order_key

),

affiliate_uses as (

    select uses.order_key

    from uses

    -- fans out over the visits of an order and is folded at once
    inner join order_touches
        on
            uses.order_key = order_touches.order_key
            and uses.ordered_at >= order_touches.touch_at

    where
        lower(order_touches.utm_medium) in ('affiliate', 'affiliates')
        and order_touches.touch_at
        > uses.ordered_at - interval '{{ var("last_minute_seconds") }} seconds'

    group by uses.order_key

),

promoted_uses as (

    select
        uses.order_key,
        uses.code_norm

    from uses

    -- fans out over the posts of the days before and is folded at once
    inner join posts
        on
            uses.creator_key = posts.creator_key
            and uses.ordered_at >= posts.posted_at

    where posts.posted_at > uses.ordered_at - interval '{{ var("code_post_days") }} days'

    group by uses.order_key, uses.code_norm

),

ranked_accounts as (

    select
        uses.order_key,
        uses.code_norm,
        follower_ranges.platform,
        row_number() over (
            partition by uses.order_key, uses.code_norm
            order by {{ largest_account_first('follower_ranges') }}
        ) as account_rank

    from uses

    -- fans out over the accounts of the owner, one range each, and is ranked at once
    inner join follower_ranges
        on
            uses.creator_key = follower_ranges.creator_key
            and {{ is_valid_at('follower_ranges', 'uses.ordered_at') }}

),

final as (

    select
        uses.order_key,
        uses.code_norm,
        uses.source_account,
        uses.creator_key,
        coalesce(ranked_accounts.platform, 'unknown') as platform,
        uses.order_date,
        uses.is_ambiguous,
        uses.is_returning_customer,
        coalesce(clicked_uses.is_clicked = 1, false) as has_click,
        coalesce(clicked_uses.is_last_minute = 1, false)
        or affiliate_uses.order_key is not null as has_last_minute_click,
        coupon_uses.order_key is not null as has_coupon_referrer,
        promoted_uses.order_key is not null as is_after_post,
        uses.ordered_at

    from uses

    -- every right side is one row per use, or per order
    left join clicked_uses
        on
            uses.order_key = clicked_uses.order_key
            and uses.code_norm = clicked_uses.code_norm
    left join coupon_uses on uses.order_key = coupon_uses.order_key
    left join affiliate_uses on uses.order_key = affiliate_uses.order_key
    left join promoted_uses
        on
            uses.order_key = promoted_uses.order_key
            and uses.code_norm = promoted_uses.code_norm
    left join ranked_accounts
        on
            uses.order_key = ranked_accounts.order_key
            and uses.code_norm = ranked_accounts.code_norm
            and ranked_accounts.account_rank = 1

)

select * from final
