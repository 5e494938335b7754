with records as (

    select * from {{ source('raw_drops', 'orders') }}

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
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        {{ make_key('drops', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        email_pid,
        user_pid,
        visitor_pid,
        order_number,
        coalesce(financial_status, 'unknown') as financial_status,
        channel,
        platform,
        ship_country,
        discount_codes,
        coalesce(is_test, false) as is_test,
        gross_amount,
        coalesce(discount_amount, 0) as discount_amount,
        shipping_amount,
        tax_amount,
        coalesce(
            total_amount,
            gross_amount
            - coalesce(discount_amount, 0)
            + coalesce(shipping_amount, 0)
            + coalesce(tax_amount, 0)
        ) as total_amount,
        refunded_amount as stated_refunded_amount,
        returned_amount as stated_returned_amount,
        currency as currency_code,
        ordered_at,
        created_at,
        updated_at,
        cancelled_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
