{% set maturity_days = var('refund_maturity_days') %}
{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

completions as (

    select * from {{ ref('int_return_completions__measured') }}

),

aged_orders as (

    select
        code_creator_key,
        code_party_type,
        currency_code,
        gross_sales_amount - discount_amount as sold_amount,
        returned_amount,
        least({{ days_between('order_date', data_through_date()) }}, {{ maturity_days }})
            as order_age_days

    from orders

    where order_date <= {{ data_through_date() }}

),

segment_orders as (

    select
        'all' as segment_type,
        'all' as segment,
        currency_code,
        order_age_days,
        sold_amount,
        returned_amount
    from aged_orders

    union all

    select
        'code_creator' as segment_type,
        code_creator_key as segment,
        currency_code,
        order_age_days,
        sold_amount,
        returned_amount
    from aged_orders
    where code_party_type = 'creator'

),

-- While no mature order of a currency has a return, young ones that do are no experience.
experienced_currencies as (

    select currency_code

    from completions

    where
        order_age_days = 0
        and completion_rate is not null

),

-- A sum of returns varies like a count of returns of this size; see the macro amount_units.
return_units as (

    select
        aged_orders.currency_code,
        sum(
            cast(aged_orders.returned_amount as decimal(18, 2))
            * cast(aged_orders.returned_amount as decimal(18, 2))
        ) / nullif(sum(aged_orders.returned_amount), 0) as return_unit

    from aged_orders
    inner join experienced_currencies
        on aged_orders.currency_code = experienced_currencies.currency_code

    group by aged_orders.currency_code

),

final as (

    select
        segment_orders.segment_type,
        segment_orders.segment,
        segment_orders.currency_code,
        cast(segment_orders.order_age_days as integer) as order_age_days,
        any_value(completions.completion_rate) as completion_rate,
        any_value(cast(return_units.return_unit as decimal(18, 4))) as return_unit,
        count(*) as order_count,
        cast(sum(segment_orders.sold_amount) as decimal(38, 4)) as sold_amount,
        cast(sum(segment_orders.returned_amount) as decimal(38, 4)) as returned_amount,
        cast(
            sum(segment_orders.sold_amount) * any_value(completions.completion_rate)
            as decimal(38, 4)
        ) as developed_amount

    from segment_orders
    inner join completions
        on segment_orders.currency_code = completions.currency_code
            and segment_orders.order_age_days = completions.order_age_days
    left join return_units
        on segment_orders.currency_code = return_units.currency_code

    group by
        segment_orders.segment_type,
        segment_orders.segment,
        segment_orders.currency_code,
        segment_orders.order_age_days

)

select * from final
