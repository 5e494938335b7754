with conversions as (

    select * from {{ ref('int_affiliate_conversions__unioned') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

refunds as (

    select * from {{ ref('int_refunds__unioned') }}

),

-- What came back before the lock lowers the commission, what came back after it does not: a lock is
-- final. An open conversion counts what has come back so far.
returns_in_time as (

    select
        conversions.conversion_key,
        sum(refunds.returned_sales_amount) as returned_amount

    from conversions

    inner join refunds
        on
            conversions.order_key = refunds.order_key
            and refunds.refunded_at <= coalesce(conversions.locked_at, {{ end_of_time() }})

    group by conversions.conversion_key

),

commissionable_conversions as (

    select
        conversions.*,
        case
            when conversions.locked_at is not null and conversions.locked_at <= {{ as_of() }}
                then conversions.locked_date
            else conversions.event_date
        end as settlement_date,
        conversions.locked_at is not null and conversions.locked_at <= {{ as_of() }} as is_locked,
        orders.order_key is not null as is_matched,
        case
            when orders.currency_code = conversions.currency_code
                then
                    orders.gross_sales_amount
                    - orders.discount_amount
                    - coalesce(returns_in_time.returned_amount, 0)
        end as commissionable_net_amount

    from conversions

    -- both keys are unique on the right
    left join orders on conversions.order_key = orders.order_key
    left join returns_in_time on conversions.conversion_key = returns_in_time.conversion_key

    where conversions.creator_key is not null

),

final as (

    select
        creator_key,
        cast({{ dbt.date_trunc('month', 'settlement_date') }} as date) as settlement_start_date,
        network,
        currency_code,
        is_locked,
        count(*) as conversion_count,
        count(*) filter (where state = 'approved') as approved_count,
        count(*) filter (where state = 'pending') as pending_count,
        count(*) filter (where state = 'reversed') as reversed_count,
        count(*) filter (where state = 'denied') as denied_count,
        count(*) filter (where state = 'approved' and not is_matched) as unmatched_count,
        cast(
            coalesce(sum(sale_amount) filter (where state = 'approved'), 0) as decimal(38, 4)
        ) as sale_amount,
        cast(
            coalesce(sum(commissionable_net_amount) filter (where state = 'approved'), 0)
            as decimal(38, 4)
        ) as commissionable_net_amount,
        cast(
            coalesce(sum(commission_amount) filter (where state = 'approved'), 0)
            as decimal(38, 4)
        ) as commission_amount,
        cast(
            coalesce(sum(commission_amount) filter (where state = 'pending'), 0) as decimal(38, 4)
        ) as pending_commission_amount,
        case when is_locked then max(locked_at) end as last_locked_at

    from commissionable_conversions

    group by
        creator_key,
        cast({{ dbt.date_trunc('month', 'settlement_date') }} as date),
        network,
        currency_code,
        is_locked

)

select * from final
