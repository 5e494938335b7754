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

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'

),

dates as (

    select * from {{ ref('dim_dates') }}

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

-- When a creator of the tier had a code: ranges of a creator and scheme have no overlap.
coded_ranges as (

    select
        tiers.tier_scheme,
        tiers.tier,
        promo_codes.creator_key,
        {{ business_date('greatest(promo_codes.valid_from_at, tiers.valid_from_at)') }}
            as first_date,
        {{ business_date(
            'least(coalesce(promo_codes.valid_to_at, ' ~ end_of_time() ~ '), '
            ~ 'coalesce(tiers.valid_to_at, ' ~ end_of_time() ~ '))'
        ) }} as last_date

    from promo_codes
    inner join tiers
        on promo_codes.creator_key = tiers.creator_key
            and promo_codes.valid_from_at < coalesce(tiers.valid_to_at, {{ end_of_time() }})
            and tiers.valid_from_at < coalesce(promo_codes.valid_to_at, {{ end_of_time() }})

),

coded_creators as (

    select
        coded_ranges.tier_scheme,
        coded_ranges.tier,
        coded_ranges.creator_key,
        periods.period_type,
        periods.period_start_date

    from coded_ranges
    inner join periods
        on coded_ranges.first_date <= periods.period_last_date
            and coded_ranges.last_date >= periods.period_start_date

    group by
        coded_ranges.tier_scheme,
        coded_ranges.tier,
        coded_ranges.creator_key,
        periods.period_type,
        periods.period_start_date

),

-- Fans out on purpose: a day lies in one period of each type, a creator in a tier of each scheme.
period_orders as (

    select
        tiers.tier_scheme,
        tiers.tier,
        orders.code_creator_key as creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        count(*) as order_count,
        sum(orders.net_sales_amount) as net_sales_amount

    from orders
    inner join tiers
        on orders.code_creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'orders.ordered_at') }}
    inner join date_periods
        on orders.order_date = date_periods.calendar_date

    group by
        tiers.tier_scheme,
        tiers.tier,
        orders.code_creator_key,
        date_periods.period_type,
        date_periods.period_start_date

),

period_amounts as (

    {{ amount_units('orders', 'date_periods') }}

),

-- Fans out on purpose, likewise.
period_exposures as (

    select
        tiers.tier_scheme,
        tiers.tier,
        exposures.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        sum(exposures.reach_count) as reach_count,
        cast(
            sum(exposures.follower_count) / count(exposures.follower_count) as decimal(18, 4)
        ) as mean_follower_count

    from exposures
    inner join tiers
        on exposures.creator_key = tiers.creator_key
            and {{ is_valid_on('tiers', 'exposures.exposure_date') }}
    inner join date_periods
        on exposures.exposure_date = date_periods.calendar_date

    group by
        tiers.tier_scheme,
        tiers.tier,
        exposures.creator_key,
        date_periods.period_type,
        date_periods.period_start_date

),

units as (

    select
        tier_scheme,
        tier,
        creator_key,
        period_type,
        period_start_date
    from coded_creators

    union distinct

    select
        tier_scheme,
        tier,
        creator_key,
        period_type,
        period_start_date
    from period_orders

),

-- Every right side is unique on its part of the key.
exposed_units as (

    select
        units.tier_scheme,
        units.tier,
        units.creator_key,
        units.period_type,
        units.period_start_date,
        'all' as platform,
        coalesce(period_orders.order_count, 0) as order_count,
        period_exposures.reach_count,
        period_exposures.mean_follower_count,
        coalesce(period_orders.net_sales_amount, 0) as net_sales_amount,
        period_amounts.amount_unit

    from units
    inner join period_exposures
        on units.tier_scheme = period_exposures.tier_scheme
            and units.tier = period_exposures.tier
            and units.creator_key = period_exposures.creator_key
            and units.period_type = period_exposures.period_type
            and units.period_start_date = period_exposures.period_start_date
    left join period_orders
        on units.tier_scheme = period_orders.tier_scheme
            and units.tier = period_orders.tier
            and units.creator_key = period_orders.creator_key
            and units.period_type = period_orders.period_type
            and units.period_start_date = period_orders.period_start_date
    left join period_amounts
        on units.period_type = period_amounts.period_type
            and units.period_start_date = period_amounts.period_start_date

),

final as (

    {{ exposed_counts(
        'exposed_units',
        ['tier_scheme', 'tier', 'creator_key', 'period_type', 'period_start_date', 'platform'],
        population(['tier_scheme', 'period_type', 'period_start_date'])
    ) }}

)

select * from final
