-- A redemption has an order exactly when its step finds one, and never two.
with redemptions as (

    select * from {{ ref('int_code_redemptions__matched') }}

),

final as (

    select redemption_key

    from redemptions

    where (order_key is null) != (match_step in ('ambiguous', 'no_order'))
        or (match_step = 'ambiguous' and candidate_order_count < 2)
        or (match_step = 'only_order_of_day' and candidate_order_count != 1)
        or product_order_count > candidate_order_count

)

select * from final
