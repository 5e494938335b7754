-- Incremental by order. Key: order_key. Recomputed are the orders that the set of pending files
-- touches (their own rows, refunds, codes, links and identities) and those whose `is_mature` the
-- moved clock changed; a late row of any age therefore redoes its order and nothing else.
{{
    config(
        materialized='incremental',
        incremental_strategy='affected',
        unique_key='order_key',
        on_schema_change='fail',
        meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}}
    )
}}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

    where
        not is_excluded
        {{ where_affected(
            'order_key',
            ref('int_orders__affected'),
            or_when=maturity_turned('order_key', 'order_date', var('refund_maturity_days')),
            clause='and'
        ) }}

),

final as (

    select
        order_key,
        customer_key,
        person_key,
        channel_key,
        code_campaign_key as campaign_key,
        code_norm,
        order_date,
        first_refunded_date as first_refunded_on_date,
        last_refunded_date as last_refunded_on_date,
        source,
        platform,
        channel as sales_channel,
        currency_code,
        financial_status,
        code_match_step,
        is_new_customer,
        cancelled_at is not null as is_cancelled,
        {{ is_matured('order_date', var('refund_maturity_days')) }} as is_mature,
        customer_order_number,
        line_count,
        unit_count,
        code_count,
        refund_count,
        gross_sales_amount,
        discount_amount,
        returned_amount,
        net_sales_amount,
        shipping_amount,
        tax_amount,
        total_amount,
        refunded_amount,
        net_paid_amount,
        ordered_at,
        cancelled_at

    from orders

)

select * from final
