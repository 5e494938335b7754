with promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

),

code_products as (

    select * from {{ ref('int_promo_code_products__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

order_codes as (

    select * from {{ ref('int_order_discount_codes__unioned') }}

),

products_by_code as (

    select
        source,
        source_account,
        code_norm,
        count(*) as product_count

    from code_products

    group by source, source_account, code_norm

),

-- An order in the ranges of two owners counts in both.
uses_by_range as (

    select
        promo_codes.promo_code_key,
        count(*) as order_count

    from order_codes

    -- order_key is unique in orders: the join only drops excluded ones
    inner join orders on order_codes.order_key = orders.order_key
    inner join promo_codes
        on
            orders.source_account = promo_codes.source_account
            and order_codes.code_norm = promo_codes.code_norm
            and {{ is_valid_at('promo_codes', 'orders.ordered_at') }}

    group by promo_codes.promo_code_key

),

final as (

    select
        promo_codes.promo_code_key,
        promo_codes.code_norm,
        promo_codes.creator_key,
        promo_codes.campaign_key,
        promo_codes.source,
        promo_codes.validity_source,
        promo_codes.discount_type,
        promo_codes.owner_source,
        promo_codes.has_overlap,
        promo_codes.is_deleted,
        coalesce(products_by_code.product_count, 0) as product_count,
        promo_codes.usage_limit as usage_limit_count,
        coalesce(uses_by_range.order_count, 0) as order_count,
        cast(promo_codes.discount_value as decimal(18, 4)) as discount_value,
        promo_codes.commission_rate,
        promo_codes.valid_from_at,
        promo_codes.valid_to_at

    from promo_codes

    -- both right sides hold one row per join key, so neither join can fan out
    left join products_by_code
        on
            promo_codes.source = products_by_code.source
            and promo_codes.source_account = products_by_code.source_account
            and promo_codes.code_norm = products_by_code.code_norm
    left join uses_by_range on promo_codes.promo_code_key = uses_by_range.promo_code_key

)

select * from final
