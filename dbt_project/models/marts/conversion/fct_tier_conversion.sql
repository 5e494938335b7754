with conversions as (

    select * from {{ ref('int_tier_conversions__counted') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric = 'tier_conversion'
        and level = 'cell'

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

    where creator_key is not null

),

orders as (

    select * from {{ ref('fct_orders') }}

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'

),

dates as (

    select * from {{ ref('dim_dates') }}

),

rules as (

    {{ attribution_rules() }}

),

date_periods as (

    {{ date_periods('dates') }}

),

periods as (

    {{ periods('date_periods') }}

),

-- The tier of the touch that earned it; a code has no touch, so that of the order. A creator has
-- one tier in each scheme at a time.
daily_credits as (

    select
        tiers.tier_scheme,
        tiers.tier,
        credits.creator_key,
        credits.order_date,
        credits.model,
        credits.window_days,
        credits.currency_code,
        count(*) as order_count,
        count(*) filter (where orders.is_new_customer) as new_customer_count,
        sum(credits.credit_share) as credit_share,
        sum(credits.credit_amount) as credit_amount

    from credits

    inner join orders on credits.order_key = orders.order_key

    inner join tiers
        on
            credits.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'coalesce(credits.touch_at, credits.ordered_at)') }}

    group by
        tiers.tier_scheme,
        tiers.tier,
        credits.creator_key,
        credits.order_date,
        credits.model,
        credits.window_days,
        credits.currency_code

),

period_credits as (

    select
        daily_credits.tier_scheme,
        daily_credits.tier,
        date_periods.period_type,
        date_periods.period_start_date,
        daily_credits.model,
        daily_credits.window_days,
        case
            when min(daily_credits.currency_code) = max(daily_credits.currency_code)
                then min(daily_credits.currency_code)
        end as currency_code,
        count(distinct daily_credits.creator_key) as creator_count,
        cast(sum(daily_credits.order_count) as bigint) as order_count,
        cast(sum(daily_credits.new_customer_count) as bigint) as new_customer_count,
        sum(daily_credits.credit_share) as order_credit_share,
        -- dollars and euros have no sum
        case
            when min(daily_credits.currency_code) = max(daily_credits.currency_code)
                then sum(daily_credits.credit_amount)
        end as net_sales_amount

    from daily_credits

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on daily_credits.order_date = date_periods.calendar_date

    group by
        daily_credits.tier_scheme,
        daily_credits.tier,
        date_periods.period_type,
        date_periods.period_start_date,
        daily_credits.model,
        daily_credits.window_days

),

period_persons as (

    select
        tier_scheme,
        platform,
        tier,
        period_type,
        period_start_date,
        window_days,
        max(population) as population,
        count(*) filter (where denominator_count > 0) as creator_count,
        cast(sum(numerator_count) as bigint) as numerator_count,
        cast(sum(denominator_count) as bigint) as denominator_count

    from conversions

    group by tier_scheme, platform, tier, period_type, period_start_date, window_days

),

grid as (

    select
        period_persons.tier_scheme,
        period_persons.tier,
        period_persons.platform,
        period_persons.period_type,
        period_persons.period_start_date,
        rules.model,
        rules.window_days
    from period_persons
    inner join rules on period_persons.window_days = rules.window_days

    union distinct

    select
        tier_scheme,
        tier,
        'all' as platform,
        period_type,
        period_start_date,
        model,
        window_days
    from period_credits

),

final as (

    select
        grid.tier_scheme,
        grid.tier,
        grid.platform,
        grid.period_start_date,
        grid.period_type,
        grid.model,
        cast(grid.window_days as integer) as window_days,
        period_credits.currency_code,
        coalesce(estimates.reliability, 'insufficient') as person_conversion_rate_reliability,
        grid.model = '{{ var("default_attribution_model") }}'
        and grid.window_days = {{ var('default_attribution_window_days') }} as is_default,
        periods.period_last_date <= {{ data_through_date() }} as is_complete,
        {{ days_between('periods.period_last_date', data_through_date()) }} >= grid.window_days
            as is_person_conversion_mature,
        coalesce(period_persons.creator_count, 0) as clicked_creator_count,
        -- an order belongs to no platform: its columns are filled for all of them together
        case when grid.platform = 'all' then coalesce(period_credits.creator_count, 0) end
            as credited_creator_count,
        case when grid.platform = 'all' then coalesce(period_credits.order_count, 0) end
            as order_count,
        case when grid.platform = 'all' then coalesce(period_credits.new_customer_count, 0) end
            as new_customer_count,
        coalesce(period_persons.denominator_count, 0) as person_conversion_denominator_count,
        coalesce(period_persons.numerator_count, 0) as person_conversion_numerator_count,
        cast(
            case when grid.platform = 'all' then coalesce(period_credits.order_credit_share, 0) end
            as decimal(38, 12)
        ) as order_credit_share,
        cast(
            case
                when grid.platform != 'all' then null
                when period_credits.order_count is null then 0
                else period_credits.net_sales_amount
            end as decimal(38, 4)
        ) as net_sales_amount,
        {{ safe_rate('period_persons.numerator_count', 'period_persons.denominator_count') }}
            as person_conversion_rate,
        estimates.shrunk as person_conversion_rate_shrunk,
        estimates.ci_low as person_conversion_rate_ci_low,
        estimates.ci_high as person_conversion_rate_ci_high,
        estimates.prob_reference_higher as prob_nano_higher_observed

    from grid

    -- the grid's key, or a part of it, is unique on every right side: no join can fan out
    inner join periods
        on
            grid.period_type = periods.period_type
            and grid.period_start_date = periods.period_start_date
    left join period_credits
        on
            grid.tier_scheme = period_credits.tier_scheme
            and grid.tier = period_credits.tier
            and grid.platform = 'all'
            and grid.period_type = period_credits.period_type
            and grid.period_start_date = period_credits.period_start_date
            and grid.model = period_credits.model
            and grid.window_days = period_credits.window_days
    left join period_persons
        on
            grid.tier_scheme = period_persons.tier_scheme
            and grid.tier = period_persons.tier
            and grid.platform = period_persons.platform
            and grid.period_type = period_persons.period_type
            and grid.period_start_date = period_persons.period_start_date
            and grid.window_days = period_persons.window_days
    left join estimates
        on
            period_persons.population = estimates.population
            and period_persons.platform = estimates.platform
            and period_persons.tier = estimates.tier

)

select * from final
