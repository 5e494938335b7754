{%- set financial_statuses = [
    'pending', 'authorized', 'paid', 'partially_paid', 'partially_refunded', 'refunded', 'voided',
] -%}

with records as (

    select * from {{ source('raw_shopify', 'orders') }}

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
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        {{ make_key('shopify', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        email_pid,
        order_number,
        case
            when financial_status in ({{ quoted_list(financial_statuses) }})
                then financial_status
            else 'unknown'
        end as financial_status,
        -- Point of sale: bought in a shop of bricks, which is a visit of its own.
        case channel when 'pos' then 'store' else channel end as channel,
        case channel
            when 'pos' then 'store'
            when 'ios' then 'ios'
            when 'iphone' then 'ios'
            when 'android' then 'android'
            else 'web'
        end as platform,
        ship_country,
        discount_codes,
        coalesce(is_test, false) as is_test,
        cast(subtotal_amount + coalesce(discount_amount, 0) as decimal(18, 4)) as gross_amount,
        coalesce(discount_amount, 0) as discount_amount,
        shipping_amount,
        tax_amount,
        total_amount,
        refunded_amount as stated_refunded_amount,
        currency as currency_code,
        processed_at as ordered_at,
        created_at,
        updated_at,
        cancelled_at,
        {{ lineage('shopify') }}

    from newest

)

select * from final
