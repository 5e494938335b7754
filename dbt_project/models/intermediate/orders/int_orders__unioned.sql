{{ config(materialized='table') }}

with drops_orders as (

    select * from {{ ref('stg_drops__orders') }}

),

shopify_orders as (

    select * from {{ ref('stg_shopify__orders') }}

),

baskets as (

    select * from {{ ref('stg_complete_journey__baskets') }}

),

unioned as (

    select
        order_key,
        customer_key,
        customer_pid,
        email_pid,
        user_pid,
        visitor_pid,
        order_number,
        channel,
        platform,
        financial_status,
        ship_country,
        discount_codes,
        is_test,
        gross_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        total_amount,
        stated_refunded_amount,
        stated_returned_amount,
        currency_code,
        ordered_at,
        created_at,
        updated_at,
        cancelled_at,
        {{ lineage_columns() }}

    from drops_orders

    union all

    select
        order_key,
        customer_key,
        customer_pid,
        email_pid,
        cast(null as varchar) as user_pid,
        cast(null as varchar) as visitor_pid,
        order_number,
        channel,
        platform,
        financial_status,
        ship_country,
        discount_codes,
        is_test,
        gross_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        total_amount,
        stated_refunded_amount,
        cast(null as decimal(18, 4)) as stated_returned_amount,
        currency_code,
        ordered_at,
        created_at,
        updated_at,
        cancelled_at,
        {{ lineage_columns() }}

    from shopify_orders

    union all

    select
        order_key,
        customer_key,
        customer_pid,
        cast(null as varchar) as email_pid,
        cast(null as varchar) as user_pid,
        cast(null as varchar) as visitor_pid,
        order_number,
        channel,
        platform,
        financial_status,
        cast(null as varchar) as ship_country,
        cast(null as varchar) as discount_codes,
        false as is_test,
        gross_amount,
        discount_amount,
        cast(null as decimal(18, 4)) as shipping_amount,
        cast(null as decimal(18, 4)) as tax_amount,
        total_amount,
        cast(null as decimal(18, 4)) as stated_refunded_amount,
        cast(null as decimal(18, 4)) as stated_returned_amount,
        currency_code,
        ordered_at,
        cast(null as timestamp) as created_at,
        cast(null as timestamp) as updated_at,
        cast(null as timestamp) as cancelled_at,
        {{ lineage_columns() }}

    from baskets

),

final as (

    select
        order_key,
        customer_key,
        customer_pid,
        email_pid,
        user_pid,
        visitor_pid,
        order_number,
        {{ business_date('ordered_at') }} as order_date,
        channel,
        platform,
        financial_status,
        ship_country,
        discount_codes,
        is_test,
        gross_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        total_amount,
        stated_refunded_amount,
        stated_returned_amount,
        currency_code,
        ordered_at,
        created_at,
        updated_at,
        cancelled_at,
        {{ lineage_columns() }}

    from unioned

)

select * from final
