-- In every model and window each counted order is handed out exactly once.
with orders as (

    select * from {{ ref('int_orders__resolved') }}

),

credits as (

    select * from {{ ref('int_attribution_credits__allocated') }}

),

shares as (

    select
        order_key,
        model,
        window_days,
        sum(credit_share) as credit_share

    from credits

    group by order_key, model, window_days

),

counted as (

    select
        model,
        window_days,
        count(*) as order_count,
        count(case when credit_share != 1 then 1 end) as uneven_order_count

    from shares

    group by model, window_days

),

expected as (

    select count(*) as order_count
    from orders
    where not is_excluded

),

final as (

    select
        counted.model,
        counted.window_days

    from counted
    cross join expected

    where counted.uneven_order_count > 0
        or counted.order_count != expected.order_count

)

select * from final
