-- In every model, window and kind of period the creators, `unattributed` and `ambiguous` included,
-- share out all orders once, and their money where no creator sold in several currencies.
with orders as (

    select
        count(*) as order_count,
        coalesce(sum(net_sales_amount), 0) as net_sales_amount

    from {{ ref('fct_orders') }}

),

conversion as (

    select
        model,
        window_days,
        period_type,
        sum(order_credit_share) as order_credit_share,
        sum(net_sales_amount) as net_sales_amount,
        count(*) filter (where net_sales_amount is null) as mixed_currency_count

    from {{ ref('fct_creator_conversion') }}

    group by model, window_days, period_type

)

select
    conversion.model,
    conversion.window_days,
    conversion.period_type,
    conversion.order_credit_share,
    orders.order_count,
    conversion.net_sales_amount as credited_net_sales_amount,
    orders.net_sales_amount

from conversion

cross join orders

where
    conversion.order_credit_share != orders.order_count
    or (
        conversion.mixed_currency_count = 0
        -- half a minor unit an order is what rounding may take or give
        and abs(conversion.net_sales_amount - orders.net_sales_amount) > 0.5 * orders.order_count
    )
