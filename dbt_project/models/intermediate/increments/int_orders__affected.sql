{{ config(materialized='table') }}

with changed_references as (

    select * from {{ ref('int_changed_references__expanded') }}

),

affected_persons as (

    select * from {{ ref('int_persons__affected') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

),

order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

),

order_channels as (

    select * from {{ ref('int_order_channels__classified') }}

),

affected as (

    -- Also orders that are no longer there: their rows have to leave.
    select
        reference_value as order_key,
        'order' as reason

    from changed_references

    where reference_type = 'order'

    union all

    select
        orders.order_key,
        'person' as reason

    from orders
    inner join affected_persons
        on orders.person_key = affected_persons.person_key

    union all

    select
        order_channels.order_key,
        'channel' as reason

    from order_channels
    inner join changed_references
        on order_channels.utm_marks = changed_references.reference_value
            and changed_references.reference_type = 'marks'

    union all

    select
        order_lines.order_key,
        'product' as reason

    from order_lines
    inner join changed_references
        on order_lines.product_key = changed_references.reference_value
            and changed_references.reference_type = 'product'

),

final as (

    select
        order_key,
        min(reason) as reason

    from affected

    group by order_key

)

select * from final
