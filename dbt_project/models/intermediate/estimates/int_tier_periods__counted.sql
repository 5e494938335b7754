{{ config(materialized='table') }}

with clicks as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        is_click
        and not is_repeat
        and creator_key is not null

),

evidence as (

    select * from {{ ref('int_order_evidence__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

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

date_periods as (

    {{ date_periods('dates') }}

),

windows as (

    {% for window_days in var('attribution_windows_days') %}
        select cast({{ window_days }} as integer) as window_days
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- A creator has one tier in each scheme at a time.
tier_clicks as (

    select
        tiers.tier_scheme,
        tiers.tier,
        clicks.person_key,
        clicks.touch_date,
        count(*) as click_count

    from clicks

    inner join tiers
        on
            clicks.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'clicks.touch_at') }}

    group by tiers.tier_scheme, tiers.tier, clicks.person_key, clicks.touch_date

),

period_clicks as (

    select
        tier_clicks.tier_scheme,
        tier_clicks.tier,
        date_periods.period_type,
        date_periods.period_start_date,
        cast(sum(tier_clicks.click_count) as bigint) as click_count,
        count(distinct tier_clicks.person_key) as unique_clicker_count

    from tier_clicks

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on tier_clicks.touch_date = date_periods.calendar_date

    group by
        tier_clicks.tier_scheme,
        tier_clicks.tier,
        date_periods.period_type,
        date_periods.period_start_date

),

-- An order counts once for a tier, by the strongest evidence for any of its creators.
tier_evidence as (

    select
        tiers.tier_scheme,
        tiers.tier,
        evidence.window_days,
        orders.order_key,
        orders.order_date,
        orders.currency_code,
        orders.net_sales_amount,
        max(
            case
                when evidence.has_code then 3
                when evidence.has_click then 2
                else 1
            end
        ) as strength

    from evidence

    -- order_key is unique in orders
    inner join orders on evidence.order_key = orders.order_key
    inner join tiers
        on
            evidence.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'orders.ordered_at') }}

    group by
        tiers.tier_scheme,
        tiers.tier,
        evidence.window_days,
        orders.order_key,
        orders.order_date,
        orders.currency_code,
        orders.net_sales_amount

),

period_evidence as (

    select
        tier_evidence.tier_scheme,
        tier_evidence.tier,
        date_periods.period_type,
        date_periods.period_start_date,
        {{ only_value('tier_evidence.currency_code') }} as evidence_currency_code,
        {% for bound, least in [('low', 3), ('mid', 2), ('high', 1)] %}
            count(*) filter (where tier_evidence.strength >= {{ least }})
                as {{ bound }}_order_count,
            sum(
                case
                    when tier_evidence.strength >= {{ least }} then tier_evidence.net_sales_amount
                    else 0
                end
            ) as {{ bound }}_net_sales_amount,
        {% endfor %}
        tier_evidence.window_days

    from tier_evidence

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on tier_evidence.order_date = date_periods.calendar_date

    group by
        tier_evidence.tier_scheme,
        tier_evidence.tier,
        date_periods.period_type,
        date_periods.period_start_date,
        tier_evidence.window_days

),

-- Fans out on purpose: a day lies in one period of each type.
creator_exposures as (

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
        on
            exposures.creator_key = tiers.creator_key
            and {{ is_valid_on('tiers', 'exposures.exposure_date') }}
    inner join date_periods on exposures.exposure_date = date_periods.calendar_date

    group by
        tiers.tier_scheme,
        tiers.tier,
        exposures.creator_key,
        date_periods.period_type,
        date_periods.period_start_date

),

period_exposures as (

    select
        tier_scheme,
        tier,
        period_type,
        period_start_date,
        cast(sum(reach_count) as bigint) as reach_count,
        cast(sum(mean_follower_count) as decimal(18, 4)) as mean_follower_count

    from creator_exposures

    group by tier_scheme, tier, period_type, period_start_date

),

tier_periods as (

    select
        tier_scheme,
        tier,
        period_type,
        period_start_date
    from period_clicks

    union distinct

    select
        tier_scheme,
        tier,
        period_type,
        period_start_date
    from period_evidence

    union distinct

    select
        tier_scheme,
        tier,
        period_type,
        period_start_date
    from period_exposures

),

final as (

    select
        tier_periods.tier_scheme,
        tier_periods.tier,
        tier_periods.period_type,
        tier_periods.period_start_date,
        windows.window_days,
        period_evidence.evidence_currency_code,
        coalesce(period_clicks.click_count, 0) as click_count,
        coalesce(period_clicks.unique_clicker_count, 0) as unique_clicker_count,
        coalesce(period_evidence.low_order_count, 0) as low_order_count,
        coalesce(period_evidence.mid_order_count, 0) as mid_order_count,
        coalesce(period_evidence.high_order_count, 0) as high_order_count,
        period_exposures.reach_count,
        period_exposures.mean_follower_count,
        period_evidence.low_net_sales_amount,
        period_evidence.mid_net_sales_amount,
        period_evidence.high_net_sales_amount

    from tier_periods
    cross join windows

    -- the key, or a part of it, is unique on every right side: no join can fan out
    left join period_clicks
        on
            tier_periods.tier_scheme = period_clicks.tier_scheme
            and tier_periods.tier = period_clicks.tier
            and tier_periods.period_type = period_clicks.period_type
            and tier_periods.period_start_date = period_clicks.period_start_date
    left join period_evidence
        on
            tier_periods.tier_scheme = period_evidence.tier_scheme
            and tier_periods.tier = period_evidence.tier
            and tier_periods.period_type = period_evidence.period_type
            and tier_periods.period_start_date = period_evidence.period_start_date
            and windows.window_days = period_evidence.window_days
    left join period_exposures
        on
            tier_periods.tier_scheme = period_exposures.tier_scheme
            and tier_periods.tier = period_exposures.tier
            and tier_periods.period_type = period_exposures.period_type
            and tier_periods.period_start_date = period_exposures.period_start_date

)

select * from final
