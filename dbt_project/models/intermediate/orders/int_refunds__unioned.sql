with drops_refunds as (

    select * from {{ ref('stg_drops__refunds') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

final as (

    select
        drops_refunds.refund_key,
        drops_refunds.order_key,
        {{ business_date('drops_refunds.refunded_at') }} as refunded_date,
        drops_refunds.reason,
        drops_refunds.amount,
        drops_refunds.returned_sales_amount,
        coalesce(drops_refunds.currency_code, orders.currency_code) as currency_code,
        drops_refunds.refunded_at,
        drops_refunds.source,
        drops_refunds.source_account,
        drops_refunds.source_record_id,
        drops_refunds.source_updated_at,
        drops_refunds.extracted_at,
        drops_refunds.load_id,
        drops_refunds.record_hash,
        drops_refunds.is_deleted

    from drops_refunds
    left join orders
        on drops_refunds.order_key = orders.order_key

)

select * from final
