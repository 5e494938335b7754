with drops_refunds as (

    select * from {{ ref('stg_drops__refunds') }}

),

shopify_refunds as (

    select * from {{ ref('stg_shopify__refunds') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

unioned as (

    select
        refund_key,
        order_key,
        reason,
        amount,
        returned_sales_amount,
        currency_code,
        refunded_at,
        {{ lineage_columns() }}

    from drops_refunds

    union all

    select
        refund_key,
        order_key,
        cast(null as varchar) as reason,
        amount,
        returned_sales_amount,
        currency_code,
        refunded_at,
        {{ lineage_columns() }}

    from shopify_refunds

),

final as (

    select
        unioned.refund_key,
        unioned.order_key,
        {{ business_date('unioned.refunded_at') }} as refunded_date,
        unioned.reason,
        unioned.amount,
        unioned.returned_sales_amount,
        coalesce(unioned.currency_code, orders.currency_code) as currency_code,
        unioned.refunded_at,
        unioned.source,
        unioned.source_account,
        unioned.source_record_id,
        unioned.source_updated_at,
        unioned.extracted_at,
        unioned.load_id,
        unioned.record_hash,
        unioned.is_deleted

    from unioned
    left join orders
        on unioned.order_key = orders.order_key

)

select * from final
