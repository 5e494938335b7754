{{ config(materialized='table') }}

with drops_redemptions as (

    select * from {{ ref('stg_drops__code_redemptions') }}

),

coupon_redemptions as (

    select * from {{ ref('stg_complete_journey__coupon_redemptions') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

code_products as (

    select * from {{ ref('int_promo_code_products__unioned') }}

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

),

redemptions as (

    select
        drops_redemptions.redemption_key,
        drops_redemptions.code_norm,
        drops_redemptions.customer_key,
        drops_redemptions.customer_pid,
        coalesce(order_references.order_key, drops_redemptions.order_key) as named_order_key,
        drops_redemptions.redeemed_date,
        drops_redemptions.amount,
        drops_redemptions.source,
        drops_redemptions.source_account,
        drops_redemptions.source_record_id,
        drops_redemptions.source_updated_at,
        drops_redemptions.extracted_at,
        drops_redemptions.load_id,
        drops_redemptions.record_hash,
        drops_redemptions.is_deleted

    from drops_redemptions
    left join order_references
        on drops_redemptions.order_key = order_references.reference_key

    union all

    select
        redemption_key,
        code_norm,
        customer_key,
        customer_pid,
        cast(null as varchar) as named_order_key,
        redeemed_date,
        cast(null as decimal(18, 4)) as amount,
        {{ lineage_columns() }}

    from coupon_redemptions

),

-- Orders of the same customer on the same business day: one of them must have been it.
candidates as (

    select
        redemptions.redemption_key,
        redemptions.code_norm,
        redemptions.source_account,
        orders.order_key,
        orders.ordered_at

    from redemptions
    inner join orders
        on redemptions.customer_key = orders.customer_key
            and redemptions.redeemed_date = orders.order_date

    where redemptions.named_order_key is null
        and not orders.is_test

),

candidate_lines as (

    select
        order_lines.order_key,
        order_lines.product_key,
        order_lines.net_amount

    from order_lines
    where order_lines.order_key in (select candidates.order_key from candidates)

),

-- A code lists a product once and an order holds a product on few lines, so lines do not multiply.
product_evidence as (

    select
        candidates.redemption_key,
        candidates.order_key,
        count(distinct candidate_lines.product_key) as matched_product_count,
        sum(candidate_lines.net_amount) as matched_amount

    from candidates
    inner join candidate_lines
        on candidates.order_key = candidate_lines.order_key
    inner join code_products
        on candidates.source_account = code_products.source_account
            and candidates.code_norm = code_products.code_norm
            and candidate_lines.product_key = code_products.product_key

    group by candidates.redemption_key, candidates.order_key

),

-- More of the code's products, then more money on them, then the earlier order.
ranked_candidates as (

    select
        candidates.redemption_key,
        candidates.order_key,
        candidates.ordered_at,
        product_evidence.order_key is not null as has_product,
        row_number() over (
            partition by candidates.redemption_key
            order by
                coalesce(product_evidence.matched_product_count, 0) desc,
                coalesce(product_evidence.matched_amount, 0) desc,
                candidates.ordered_at asc,
                candidates.order_key asc
        ) as candidate_rank,
        count(*) over (partition by candidates.redemption_key) as candidate_order_count,
        count(product_evidence.order_key) over (
            partition by candidates.redemption_key
        ) as product_order_count

    from candidates
    left join product_evidence
        on candidates.redemption_key = product_evidence.redemption_key
            and candidates.order_key = product_evidence.order_key

),

best_candidates as (

    select * from ranked_candidates
    where candidate_rank = 1

),

codes_with_products as (

    select
        source_account,
        code_norm

    from code_products

    group by source_account, code_norm

),

stepped_redemptions as (

    select
        redemptions.*,
        named_orders.order_key as found_named_order_key,
        named_orders.ordered_at as named_ordered_at,
        best_candidates.order_key as best_order_key,
        best_candidates.ordered_at as best_ordered_at,
        codes_with_products.code_norm is not null as has_product_list,
        coalesce(best_candidates.candidate_order_count, 0) as candidate_order_count,
        coalesce(best_candidates.product_order_count, 0) as product_order_count,
        case
            when redemptions.named_order_key is not null and named_orders.order_key is not null
                then 'order_id'
            when redemptions.named_order_key is not null or best_candidates.order_key is null
                then 'no_order'
            when best_candidates.product_order_count > 0 then 'product_match'
            when best_candidates.candidate_order_count = 1 then 'only_order_of_day'
            else 'ambiguous'
        end as match_step

    from redemptions
    left join orders as named_orders
        on redemptions.named_order_key = named_orders.order_key
    left join best_candidates
        on redemptions.redemption_key = best_candidates.redemption_key
    left join codes_with_products
        on redemptions.source_account = codes_with_products.source_account
            and redemptions.code_norm = codes_with_products.code_norm

),

matched_redemptions as (

    select
        stepped_redemptions.*,
        case stepped_redemptions.match_step
            when 'order_id' then stepped_redemptions.found_named_order_key
            when 'product_match' then stepped_redemptions.best_order_key
            when 'only_order_of_day' then stepped_redemptions.best_order_key
        end as order_key,
        case
            when stepped_redemptions.match_step = 'order_id' then 'order_named'
            when stepped_redemptions.named_order_key is not null then 'named_order_missing'
            when stepped_redemptions.customer_key is null then 'customer_unknown'
            when stepped_redemptions.redeemed_date is null then 'day_unknown'
            when stepped_redemptions.match_step = 'no_order' then 'no_order_that_day'
            when stepped_redemptions.match_step = 'product_match'
                and stepped_redemptions.product_order_count = 1
                then 'one_order_holds_product'
            when
                stepped_redemptions.match_step = 'product_match'
                then 'best_of_several_orders_with_product'
            when not stepped_redemptions.has_product_list
                and stepped_redemptions.match_step = 'ambiguous'
                then 'several_orders_and_no_product_list'
            when stepped_redemptions.match_step = 'ambiguous' then 'several_orders_without_product'
            when not stepped_redemptions.has_product_list then 'one_order_and_no_product_list'
            else 'one_order_without_product'
        end as match_reason,
        -- A redemption without an order is judged by the start of its day.
        case stepped_redemptions.match_step
            when 'order_id' then stepped_redemptions.named_ordered_at
            when 'product_match' then stepped_redemptions.best_ordered_at
            when 'only_order_of_day' then stepped_redemptions.best_ordered_at
            else {{ to_utc('redeemed_date') }}
        end as redeemed_at

    from stepped_redemptions

),

validity as (

    select
        matched_redemptions.redemption_key,
        count(promo_codes.promo_code_key) as range_count,
        count(
            case
                when {{ is_valid_at('promo_codes', 'matched_redemptions.redeemed_at') }}
                    then promo_codes.promo_code_key
            end
        ) as valid_range_count,
        min(promo_codes.valid_from_at) as first_valid_from_at

    from matched_redemptions
    -- A code has one row for each range; the grouping brings a redemption back to one.
    inner join promo_codes
        on matched_redemptions.source_account = promo_codes.source_account
            and matched_redemptions.code_norm = promo_codes.code_norm

    group by matched_redemptions.redemption_key

),

final as (

    select
        matched_redemptions.redemption_key,
        matched_redemptions.code_norm,
        matched_redemptions.customer_key,
        matched_redemptions.customer_pid,
        matched_redemptions.order_key,
        matched_redemptions.redeemed_date,
        matched_redemptions.match_step,
        matched_redemptions.match_reason,
        case
            when validity.redemption_key is null then 'unknown_code'
            when validity.valid_range_count > 0 then 'valid'
            when matched_redemptions.redeemed_at < validity.first_valid_from_at
                then 'before_window'
            else 'after_window'
        end as validity_status,
        matched_redemptions.candidate_order_count,
        matched_redemptions.product_order_count,
        matched_redemptions.amount,
        matched_redemptions.source,
        matched_redemptions.source_account,
        matched_redemptions.source_record_id,
        matched_redemptions.source_updated_at,
        matched_redemptions.extracted_at,
        matched_redemptions.load_id,
        matched_redemptions.record_hash,
        matched_redemptions.is_deleted

    from matched_redemptions
    left join validity
        on matched_redemptions.redemption_key = validity.redemption_key

)

select * from final
