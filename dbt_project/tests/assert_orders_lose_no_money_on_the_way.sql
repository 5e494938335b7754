-- Identity, refunds, codes and channels join to orders without losing or doubling a cent, source by
-- source.
with orders as (

    select * from {{ ref('int_orders__unioned') }}

),

resolved_orders as (

    select * from {{ ref('int_orders__resolved') }}

),

delivered as (

    select
        source,
        count(*) as order_count,
        sum(gross_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(total_amount) as total_amount

    from orders

    group by source

),

resolved as (

    select
        source,
        count(*) as order_count,
        sum(gross_sales_amount) as gross_amount,
        sum(discount_amount) as discount_amount,
        sum(total_amount) as total_amount,
        sum(net_sales_amount + returned_amount) as net_before_returns_amount

    from resolved_orders

    group by source

),

final as (

    select delivered.source

    from delivered
    left join resolved
        on delivered.source = resolved.source

    where resolved.source is null
        or delivered.order_count != resolved.order_count
        or delivered.gross_amount != resolved.gross_amount
        or delivered.discount_amount != resolved.discount_amount
        or delivered.total_amount != resolved.total_amount
        or resolved.net_before_returns_amount != resolved.gross_amount - resolved.discount_amount

)

select * from final
