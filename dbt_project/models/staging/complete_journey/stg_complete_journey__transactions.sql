with records as (

    select * from {{ source('raw_complete_journey', 'transactions') }}

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
        {{ global_key('complete_journey', 'basket_id', 'product_id') }} as order_line_key,
        {{ global_key('complete_journey', 'basket_id') }} as order_key,
        {{ global_key('complete_journey', 'product_id') }} as product_key,
        product_id as line_id,
        product_id,
        quantity,
        cast(
            case
                when quantity > 0
                    then (sales_value + retail_disc + coupon_match_disc) / quantity
            end as decimal(18, 4)
        ) as unit_amount,
        retail_disc + coupon_match_disc as discount_amount,
        sales_value as net_amount,
        '{{ var("complete_journey_currency") }}' as currency_code,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
