with records as (

    select * from {{ source('raw_shopify', 'refunds') }}

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
        {{ make_key('shopify', '_source_account', 'refund_id') }} as refund_key,
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        amount,
        coalesce(returned_sales_amount, amount) as returned_sales_amount,
        currency as currency_code,
        refunded_at,
        {{ lineage('shopify') }}

    from newest

)

select * from final
