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

baskets as (

    select
        basket_id,
        customer_pid,
        store_id,
        transaction_timestamp as ordered_at,
        sum(sales_value + retail_disc + coupon_match_disc) as gross_amount,
        sum(retail_disc + coupon_match_disc) as discount_amount,
        sum(sales_value - coupon_disc) as total_amount,
        count(*) as line_count,
        max(_source_account) as source_account,
        max(_source_updated_at) as source_updated_at,
        max(_received_at) as extracted_at,
        max(_file_id) as load_id

    from newest

    group by basket_id, customer_pid, store_id, transaction_timestamp

),

final as (

    select
        {{ global_key('complete_journey', 'basket_id') }} as order_key,
        {{ global_key('complete_journey', 'customer_pid') }} as customer_key,
        customer_pid,
        basket_id as order_number,
        'store' as channel,
        'store' as platform,
        'paid' as financial_status,
        cast(gross_amount as decimal(18, 4)) as gross_amount,
        cast(discount_amount as decimal(18, 4)) as discount_amount,
        cast(total_amount as decimal(18, 4)) as total_amount,
        '{{ var("complete_journey_currency") }}' as currency_code,
        ordered_at,
        'complete_journey' as source,
        source_account,
        basket_id as source_record_id,
        source_updated_at,
        extracted_at,
        load_id,
        md5(
            basket_id
            || customer_pid
            || store_id
            || cast(ordered_at as varchar)
            || cast(gross_amount as varchar)
            || cast(discount_amount as varchar)
            || cast(total_amount as varchar)
            || cast(line_count as varchar)
        ) as record_hash,
        false as is_deleted

    from baskets

)

select * from final
