with records as (

    select * from {{ source('raw_shopify', 'order_lines') }}

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
        {{ make_key('shopify', '_source_account', 'order_id', 'line_id') }} as order_line_key,
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        {{ make_key('shopify', '_source_account', 'product_id') }} as product_key,
        line_id,
        product_id,
        sku,
        coalesce(is_gift_card, false) as is_gift_card,
        quantity,
        coalesce(current_quantity, quantity) as current_quantity,
        unit_amount,
        coalesce(discount_amount, 0) as discount_amount,
        net_amount,
        currency as currency_code,
        {{ lineage('shopify') }}

    from newest

)

select * from final
