{% set reporting_currency = var('reporting_currency') %}
-- Incremental by order. Key: order_key. Recomputed are the orders that the set of pending files
-- touches (their own rows, refunds, codes, links and identities), those whose `is_mature` the moved
-- clock turned, and those whose exchange rate changed; a late row of any age redoes its own order.
{{
    config(
        materialized='incremental',
        incremental_strategy='affected',
        unique_key='order_key',
        on_schema_change='fail',
        meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}}
    )
}}

with fx_rates as (

    select * from {{ ref('int_fx_rates__ranged') }}

),

{% if is_incremental() %}
    restated_orders as (

        select stored_orders.order_key

        from {{ this }} as stored_orders

        -- ranges of a currency never overlap
        left join fx_rates
            on
                stored_orders.currency_code = fx_rates.currency_code
                and stored_orders.order_date >= fx_rates.valid_from_date
                and stored_orders.order_date < fx_rates.valid_to_date

        where
            stored_orders.currency_code != '{{ reporting_currency }}'
            -- 0 stands for "no rate": NULL never differs from anything
            and coalesce(stored_orders.reporting_fx_rate, 0) != coalesce(fx_rates.fx_rate, 0)

    ),
{% endif %}

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where
        not is_excluded
        {{ where_affected(
            'order_key',
            ref('int_orders__affected'),
            or_when=maturity_turned('order_key', 'order_date', var('refund_maturity_days'))
            ~ ' or order_key in (select restated_orders.order_key from restated_orders)',
            clause='and'
        ) }}

),

converted_orders as (

    select
        orders.*,
        case
            when orders.currency_code = '{{ reporting_currency }}' then 1
            else fx_rates.fx_rate
        end as reporting_fx_rate,
        case
            when orders.currency_code = '{{ reporting_currency }}'
                then orders.currency_code
            else fx_rates.reporting_currency_code
        end as reporting_currency_code

    from orders

    -- ranges of a currency never overlap
    left join fx_rates
        on
            orders.currency_code = fx_rates.currency_code
            and orders.order_date >= fx_rates.valid_from_date
            and orders.order_date < fx_rates.valid_to_date

),

final as (

    select
        order_key,
        customer_key,
        person_key,
        channel_key,
        code_campaign_key as campaign_key,
        order_date,
        first_refunded_date as first_refunded_on_date,
        last_refunded_date as last_refunded_on_date,
        source,
        platform,
        channel as sales_channel,
        code_norm,
        code_match_step,
        financial_status,
        currency_code,
        reporting_currency_code,
        is_new_customer,
        cancelled_at is not null as is_cancelled,
        {{ is_matured('order_date', var('refund_maturity_days')) }} as is_mature,
        customer_order_number,
        line_count,
        cast(unit_count as bigint) as unit_count,
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
        cast(net_sales_amount * reporting_fx_rate as decimal(18, 4)) as net_sales_amount_reporting,
        cast(net_paid_amount * reporting_fx_rate as decimal(18, 4)) as net_paid_amount_reporting,
        cast(reporting_fx_rate as decimal(18, 8)) as reporting_fx_rate,
        ordered_at,
        cancelled_at

    from converted_orders

)

select * from final
