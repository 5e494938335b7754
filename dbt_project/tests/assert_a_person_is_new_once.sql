-- Each person's orders are numbered 1, 2, 3 … without a gap, so exactly one of them is the first.
select
    person_key,
    count(*) as order_count,
    count(*) filter (where is_new_customer) as new_customer_count,
    max(customer_order_number) as last_order_number

from {{ ref('fct_orders') }}

group by person_key

having
    count(*) filter (where is_new_customer) != 1
    or max(customer_order_number) != count(*)
    or count(distinct customer_order_number) != count(*)
