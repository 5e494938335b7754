{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded
        and code_party_type = 'creator'

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

    where creator_key is not null

),

exposures as (

    select * from {{ ref('int_creator_exposures__aggregated') }}

),

creator_tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'
        and tier_scheme = '{{ var("leading_tier_scheme") }}'

),

creator_accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

creator_platforms as (

    {{ creator_platforms('creator_accounts') }}

),

all_date_periods as (

    {{ date_periods('dates') }}

),

date_periods as (

    select *

    from all_date_periods

    where period_type in ({{ quoted_list(var('estimated_exposure_period_types')) }})

),

periods as (

    {{ periods('date_periods') }}

),

-- Who had no code could not be credited by one: no orders would say nothing about them.
coded_creators as (

    select
        promo_codes.creator_key,
        periods.period_type,
        periods.period_start_date

    from promo_codes
    inner join periods
        on {{ business_date('promo_codes.valid_from_at') }} <= periods.period_last_date
            and {{ business_date('coalesce(promo_codes.valid_to_at, ' ~ end_of_time() ~ ')') }}
            >= periods.period_start_date

    group by promo_codes.creator_key, periods.period_type, periods.period_start_date

),

-- Fans out on purpose: a day lies in one period of each type.
period_orders as (

    select
        orders.code_creator_key as creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        count(*) as order_count,
        sum(orders.net_sales_amount) as net_sales_amount

    from orders
    inner join date_periods
        on orders.order_date = date_periods.calendar_date

    group by orders.code_creator_key, date_periods.period_type, date_periods.period_start_date

),

period_amounts as (

    {{ amount_units('orders', 'date_periods') }}

),

period_exposures as (

    select
        exposures.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        sum(exposures.reach_count) as reach_count,
        sum(exposures.follower_count) as follower_day_count,
        count(exposures.follower_count) as day_count

    from exposures
    inner join date_periods
        on exposures.exposure_date = date_periods.calendar_date

    group by exposures.creator_key, date_periods.period_type, date_periods.period_start_date

),

units as (

    select
        creator_key,
        period_type,
        period_start_date
    from coded_creators

    union distinct

    select
        creator_key,
        period_type,
        period_start_date
    from period_orders

),

-- Every right side is unique on its part of the key, and ranges of a creator have no overlap.
exposed_units as (

    select
        units.creator_key,
        units.period_type,
        units.period_start_date,
        coalesce(creator_platforms.platform, 'none') as platform,
        coalesce(creator_tiers.tier, 'unknown') as tier,
        coalesce(period_orders.order_count, 0) as order_count,
        period_exposures.reach_count,
        cast(
            period_exposures.follower_day_count / period_exposures.day_count as decimal(18, 4)
        ) as mean_follower_count,
        coalesce(period_orders.net_sales_amount, 0) as net_sales_amount,
        period_amounts.amount_unit

    from units
    inner join periods
        on units.period_type = periods.period_type
            and units.period_start_date = periods.period_start_date
    left join period_orders
        on units.creator_key = period_orders.creator_key
            and units.period_type = period_orders.period_type
            and units.period_start_date = period_orders.period_start_date
    left join period_amounts
        on units.period_type = period_amounts.period_type
            and units.period_start_date = period_amounts.period_start_date
    left join period_exposures
        on units.creator_key = period_exposures.creator_key
            and units.period_type = period_exposures.period_type
            and units.period_start_date = period_exposures.period_start_date
    left join creator_platforms
        on units.creator_key = creator_platforms.creator_key
    left join creator_tiers
        on units.creator_key = creator_tiers.creator_key
            and {{ is_valid_at(
                'creator_tiers',
                to_utc('least(periods.period_last_date, ' ~ data_through_date() ~ ')')
            ) }}

),

final as (

    {{ exposed_counts(
        'exposed_units',
        ['creator_key', 'period_type', 'period_start_date', 'platform', 'tier'],
        population(['period_type', 'period_start_date'])
    ) }}

)

select * from final
