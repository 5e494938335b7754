-- The acquiring creator and channel are those of the *person's* first order (two accounts of one
-- person were won once); the counts are of this account's own orders, so they add up to fct_orders.
with customers as (

    select * from {{ ref('int_customers__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

),

orders_by_customer as (

    select
        customer_key,
        count(*) as order_count,
        cast(
            {{ sum_of_one_currency('net_sales_amount', 'currency_code') }} as decimal(38, 4)
        ) as net_sales_amount,
        {{ only_value('currency_code') }} as currency_code,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at

    from orders

    where customer_key is not null

    group by customer_key

),

default_credits as (

    select
        order_key,
        -- the greatest share, ties by key: with the default model an order has one party anyway
        row_number() over (
            partition by order_key
            order by credit_share desc, party_type asc, party_key asc
        ) as credit_rank,
        case
            when party_type = 'channel' then 'unattributed' else party_key
        end as acquiring_creator_key

    from credits

    where is_default

),

acquisitions as (

    select
        orders.person_key,
        orders.channel_key as acquiring_channel_key,
        default_credits.acquiring_creator_key

    from orders

    -- one row per order after the rank, and one new-customer order per person: no fan-out
    inner join default_credits
        on orders.order_key = default_credits.order_key and default_credits.credit_rank = 1

    where orders.is_new_customer

),

final as (

    select
        customers.customer_key,
        coalesce(
            persons.person_key, customers.customer_key
        ) as person_key,
        acquisitions.acquiring_creator_key,
        acquisitions.acquiring_channel_key,
        orders_by_customer.first_order_date,
        orders_by_customer.last_order_date,
        customers.source,
        orders_by_customer.currency_code,
        customers.is_deleted,
        coalesce(orders_by_customer.order_count, 0) as order_count,
        orders_by_customer.net_sales_amount,
        orders_by_customer.first_order_at,
        orders_by_customer.last_order_at,
        customers.created_at

    from customers

    -- an authenticated identity has one range, so it meets one person
    left join persons
        on
            persons.identity_type = 'customer'
            and customers.customer_pid = persons.identity_pid
    left join orders_by_customer on customers.customer_key = orders_by_customer.customer_key
    left join acquisitions on persons.person_key = acquisitions.person_key

)

select * from final
