-- Two ways to turn removal effects into credit. By total: all orders with a path, in proportion to
-- the effects of all parties. By journey: each order among the parties of its own path, as the
-- model `markov` of fct_attribution_credits does. Effects are taken as whole numbers of 10^-12, so
-- that no sum depends on its order.
with effects as (

    select
        *,
        cast(round(removal_effect_rate * 1000000000000) as decimal(38, 0)) as effect_units

    from {{ ref('int_removal_effects__solved') }}

),

order_paths as (

    select * from {{ ref('int_order_paths__counted') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

journey_parties as (

    select
        'creator' as chain_level,
        order_key,
        window_days,
        party_type,
        party_key
    from order_paths

    union all

    select
        'channel' as chain_level,
        order_key,
        window_days,
        'channel' as party_type,
        case when party_type = 'channel' then party_key else 'creator' end as party_key
    from order_paths
    group by
        order_key,
        window_days,
        case when party_type = 'channel' then party_key else 'creator' end

),

journey_shares as (

    select
        journey_parties.chain_level,
        journey_parties.window_days,
        journey_parties.party_type,
        journey_parties.party_key,
        orders.currency_code,
        orders.net_sales_amount,
        cast(
            cast(effects.effect_units as double) / cast(
                sum(effects.effect_units) over (
                    partition by
                        journey_parties.chain_level,
                        journey_parties.window_days,
                        journey_parties.order_key
                ) as double
            ) as decimal(18, 12)
        ) as journey_share

    from journey_parties

    -- every party of a path is a state of its chain; order_key is unique in orders
    inner join effects
        on
            journey_parties.chain_level = effects.chain_level
            and journey_parties.window_days = effects.window_days
            and journey_parties.party_type = effects.party_type
            and journey_parties.party_key = effects.party_key
    inner join orders on journey_parties.order_key = orders.order_key

),

journey_credits as (

    select
        chain_level,
        window_days,
        party_type,
        party_key,
        count(*) as order_count,
        sum(journey_share) as order_credit,
        -- wide before the product: narrow decimals overflow from a hundred euros on
        sum(cast(journey_share as decimal(38, 12)) * net_sales_amount) as net_sales_amount

    from journey_shares

    group by chain_level, window_days, party_type, party_key

),

converting_orders as (

    select
        order_paths.window_days,
        count(*) as order_count,
        {{ sum_of_one_currency('orders.net_sales_amount', 'orders.currency_code') }}
            as net_sales_amount,
        {{ only_value('orders.currency_code') }} as currency_code

    from order_paths

    -- order_key is unique in orders
    inner join orders on order_paths.order_key = orders.order_key

    where order_paths.is_last

    group by order_paths.window_days

),

total_shares as (

    select
        chain_level,
        window_days,
        party_type,
        party_key,
        conversion_rate,
        removal_effect_rate,
        cast(
            cast(effect_units as double) / cast(
                sum(effect_units) over (partition by chain_level, window_days) as double
            ) as decimal(18, 12)
        ) as total_share

    from effects

),

final as (

    select
        total_shares.chain_level,
        total_shares.window_days,
        total_shares.party_key,
        case when total_shares.party_type = 'creator' then total_shares.party_key end
            as creator_key,
        case when total_shares.party_type = 'channel' then total_shares.party_key end
            as channel_key,
        total_shares.party_type,
        converting_orders.currency_code,
        coalesce(journey_credits.order_count, 0) as journey_order_count,
        total_shares.conversion_rate,
        total_shares.removal_effect_rate,
        cast(
            coalesce(total_shares.total_share * converting_orders.order_count, 0)
            as decimal(38, 12)
        ) as total_allocation_order_credit,
        cast(coalesce(journey_credits.order_credit, 0) as decimal(38, 12))
            as journey_allocation_order_credit,
        -- dollars and euros have no sum
        case
            when converting_orders.currency_code is not null
                then cast(
                        coalesce(total_shares.total_share * converting_orders.net_sales_amount, 0)
                        as decimal(38, 4)
                    )
        end as total_allocation_net_sales_amount,
        case
            when converting_orders.currency_code is not null
                then cast(coalesce(journey_credits.net_sales_amount, 0) as decimal(38, 4))
        end as journey_allocation_net_sales_amount

    from total_shares

    -- a chain has one row of orders, a party of it one of credits
    left join converting_orders on total_shares.window_days = converting_orders.window_days
    left join journey_credits
        on
            total_shares.chain_level = journey_credits.chain_level
            and total_shares.window_days = journey_credits.window_days
            and total_shares.party_type = journey_credits.party_type
            and total_shares.party_key = journey_credits.party_key

)

select * from final
