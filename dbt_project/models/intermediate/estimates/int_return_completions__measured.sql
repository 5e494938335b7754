{% set maturity_days = var('refund_maturity_days') %}
{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

refunds as (

    select * from {{ ref('int_refunds__unioned') }}

),

mature_orders as (

    select
        order_key,
        order_date,
        currency_code

    from orders

    where {{ is_matured('order_date', maturity_days) }}

),

-- What comes back later is rare and belongs to no curve.
age_totals as (

    select
        mature_orders.currency_code,
        greatest({{ days_between('mature_orders.order_date', 'refunds.refunded_date') }}, 0)
            as return_age_days,
        sum(refunds.returned_sales_amount) as returned_amount

    from refunds
    inner join mature_orders
        on refunds.order_key = mature_orders.order_key

    where {{ days_between('mature_orders.order_date', 'refunds.refunded_date') }}
        <= {{ maturity_days }}

    group by
        mature_orders.currency_code,
        greatest({{ days_between('mature_orders.order_date', 'refunds.refunded_date') }}, 0)

),

currencies as (

    select currency_code

    from orders

    group by currency_code

),

ages as (

    {{ number_series('currencies', ['currency_code'], 0, maturity_days, 'order_age_days') }}

),

cumulated as (

    select
        ages.currency_code,
        ages.order_age_days,
        coalesce(sum(age_totals.returned_amount), 0) as returned_amount

    from ages
    left join age_totals
        on ages.currency_code = age_totals.currency_code
            and ages.order_age_days >= age_totals.return_age_days

    group by ages.currency_code, ages.order_age_days

),

final as (

    select
        currency_code,
        cast(order_age_days as integer) as order_age_days,
        cast(returned_amount as decimal(38, 4)) as returned_amount,
        case
            -- nothing has to be estimated of a mature order
            when order_age_days = {{ maturity_days }} then 1.0
            else {{ safe_rate(
                'returned_amount', 'max(returned_amount) over (partition by currency_code)'
            ) }}
        end as completion_rate

    from cumulated

)

select * from final
