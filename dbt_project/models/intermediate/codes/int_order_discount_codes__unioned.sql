{{ config(materialized='table') }}

with drops_order_codes as (

    select * from {{ ref('stg_drops__order_discount_codes') }}

),

shopify_order_codes as (

    select * from {{ ref('stg_shopify__order_discount_codes') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

redemptions as (

    select * from {{ ref('int_code_redemptions__matched') }}

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

),

listed_codes as (

    {{ json_list_items('orders', ['order_key'], 'discount_codes', 'code_norm') }}

),

mentions as (

    select
        order_key,
        code_norm,
        amount,
        code_source,
        'stated' as match_step,
        1 as step_order

    from drops_order_codes

    union all

    select
        order_key,
        code_norm,
        amount,
        code_source,
        'stated' as match_step,
        1 as step_order

    from shopify_order_codes

    union all

    select
        order_key,
        code_norm,
        cast(null as decimal(18, 4)) as amount,
        'order' as code_source,
        'stated' as match_step,
        2 as step_order

    from listed_codes

    union all

    select
        order_key,
        code_norm,
        amount,
        'redemption' as code_source,
        match_step,
        case match_step
            when 'order_id' then 3
            when 'product_match' then 4
            else 5
        end as step_order

    from redemptions

    where order_key is not null

),

-- The same code on the same order counts once, by the strongest mention.
ranked_mentions as (

    select
        mentions.*,
        row_number() over (
            partition by mentions.order_key, mentions.code_norm
            order by
                mentions.step_order asc, mentions.code_source asc, coalesce(mentions.amount, 0) desc
        ) as mention_rank

    from mentions

),

order_mentions as (

    select
        ranked_mentions.order_key,
        ranked_mentions.code_norm,
        ranked_mentions.code_source,
        ranked_mentions.match_step,
        ranked_mentions.step_order,
        ranked_mentions.amount,
        orders.source,
        orders.source_account,
        orders.ordered_at

    from ranked_mentions
    inner join orders
        on ranked_mentions.order_key = orders.order_key

    where ranked_mentions.mention_rank = 1

),

owners as (

    select
        order_mentions.order_key,
        order_mentions.code_norm,
        count(promo_codes.promo_code_key) as range_count,
        min(promo_codes.valid_from_at) as first_valid_from_at,
        count(
            distinct
            case
                when {{ is_valid_at('promo_codes', 'order_mentions.ordered_at') }}
                    then promo_codes.creator_key
            end
        ) as owner_count,
        min(
            case
                when {{ is_valid_at('promo_codes', 'order_mentions.ordered_at') }}
                    then promo_codes.creator_key
            end
        ) as first_creator_key,
        min(
            case
                when {{ is_valid_at('promo_codes', 'order_mentions.ordered_at') }}
                    then promo_codes.campaign_key
            end
        ) as campaign_key,
        min(
            case
                when {{ is_valid_at('promo_codes', 'order_mentions.ordered_at') }}
                    then promo_codes.promo_code_key
            end
        ) as promo_code_key

    from order_mentions
    -- A code has one row for each range of validity; the grouping brings it back to one.
    inner join promo_codes
        on order_mentions.source_account = promo_codes.source_account
            and order_mentions.code_norm = promo_codes.code_norm

    group by order_mentions.order_key, order_mentions.code_norm

),

final as (

    select
        order_mentions.order_key,
        order_mentions.code_norm,
        owners.promo_code_key,
        case when owners.owner_count = 1 then owners.first_creator_key end as creator_key,
        owners.campaign_key,
        order_mentions.code_source,
        order_mentions.match_step,
        case
            when owners.order_key is null then 'unknown_code'
            when owners.promo_code_key is not null then 'valid'
            when order_mentions.ordered_at < owners.first_valid_from_at then 'before_window'
            else 'after_window'
        end as validity_status,
        coalesce(owners.owner_count > 1, false) as is_ambiguous,
        order_mentions.step_order,
        coalesce(owners.owner_count, 0) as owner_count,
        order_mentions.amount

    from order_mentions
    left join owners
        on order_mentions.order_key = owners.order_key
            and order_mentions.code_norm = owners.code_norm

)

select * from final
