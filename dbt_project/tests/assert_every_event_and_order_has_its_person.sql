-- Identity loses nobody: every event and order of the union is resolved once, and orders are
-- numbered without gaps.
with events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

resolved_events as (

    select * from {{ ref('int_activity_events__resolved') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

),

counts as (

    select
        (select count(*) from events) as event_count,
        (select count(*) from resolved_events) as resolved_event_count

),

numbered as (

    select
        person_key,
        count(customer_order_number) as order_count,
        max(customer_order_number) as last_order_number,
        count(case when is_new_customer then 1 end) as first_order_count

    from orders

    group by person_key

),

final as (

    select 'events' as what
    from counts
    where event_count != resolved_event_count

    union all

    select person_key as what
    from numbered
    where last_order_number != order_count
        or first_order_count != case when order_count > 0 then 1 else 0 end

)

select * from final
