{{ config(materialized='table') }}

-- Feeds that are dropped name an order by its account and the shop's number, whichever source the
-- order itself comes from; only where drops do not bring it themselves is it another source's.
with orders as (

    select * from {{ ref('int_orders__unioned') }}

),

numbered_orders as (

    select
        order_key,
        source,
        'drops:'
        || source_account
        || ':'
        || substring(order_key, length(source) + length(source_account) + 3) as reference_key

    from orders

),

own_references as (

    select
        order_key as reference_key,
        order_key

    from numbered_orders

),

-- Two sources that bring one shop would bring every order twice; then the first by name is meant.
lent_references as (

    select
        numbered_orders.reference_key,
        min(numbered_orders.order_key) as order_key

    from numbered_orders
    left join own_references
        on numbered_orders.reference_key = own_references.reference_key

    where own_references.reference_key is null

    group by numbered_orders.reference_key

),

final as (

    select
        reference_key,
        order_key

    from own_references

    union all

    select
        reference_key,
        order_key

    from lent_references

)

select * from final
