{%- set credit_share = 'coalesce(period_credits.order_credit_share, 0)' -%}
{%- set net_sales = 'case when period_credits.order_count is null then 0'
    ~ ' else period_credits.net_sales_amount end' -%}
{%- set cost = 'case when period_costs.currency_code = coalesce(period_credits.currency_code,'
    ~ ' period_costs.currency_code) then period_costs.cost_amount end' -%}
{%- set margin_rate = var('contribution_margin_rate') or 'null' -%}
{%- set exposed = {
    'orders_per_1000_reach': ('1000 * ' ~ credit_share, 'tier_periods.reach_count'),
    'orders_per_follower': (credit_share, 'tier_periods.mean_follower_count'),
    'net_sales_per_reach': (net_sales, 'tier_periods.reach_count'),
    'net_sales_per_follower': (net_sales, 'tier_periods.mean_follower_count'),
} %}
with conversions as (

    select * from {{ ref('int_tier_conversions__counted') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric = 'tier_conversion'
        and level = 'cell'

),

-- A platform beside what has none, here and below: a join on a constant compares every pair.
tier_periods as (

    select
        *,
        'all' as platform
    from {{ ref('int_tier_periods__counted') }}

),

code_orders as (

    select * from {{ ref('int_tier_code_orders__exposed') }}

),

exposure_estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric in ({{ quoted_list(exposed.keys()) }})
        and level = 'cell'

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

    where creator_key is not null

),

orders as (

    select * from {{ ref('fct_orders') }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

    where creator_key is not null

),

costs as (

    select * from {{ ref('fct_creator_costs') }}

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
        sum(credits.credit_amount) as credit_amount,
        count(*) filter (where orders.reporting_fx_rate is null) as unconverted_order_count,
        sum(cast(credits.credit_amount * orders.reporting_fx_rate as decimal(18, 4)))
            as credit_amount_reporting

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
        'all' as platform,
        date_periods.period_type,
        date_periods.period_start_date,
        daily_credits.model,
        daily_credits.window_days,
        {{ only_value('daily_credits.currency_code') }} as currency_code,
        count(distinct daily_credits.creator_key) as creator_count,
        cast(sum(daily_credits.order_count) as bigint) as order_count,
        cast(sum(daily_credits.new_customer_count) as bigint) as new_customer_count,
        cast(sum(daily_credits.unconverted_order_count) as bigint) as unconverted_order_count,
        sum(daily_credits.credit_share) as order_credit_share,
        {{ sum_of_one_currency('daily_credits.credit_amount', 'daily_credits.currency_code') }}
            as net_sales_amount,
        -- one order without a rate leaves the sum unknown, never 1:1
        case
            when max(daily_credits.unconverted_order_count) = 0
                then sum(daily_credits.credit_amount_reporting)
        end as net_sales_amount_reporting

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

-- The tier of the touch that opened it.
period_sessions as (

    select
        tiers.tier_scheme,
        tiers.tier,
        'all' as platform,
        date_periods.period_type,
        date_periods.period_start_date,
        count(*) as session_count

    from sessions

    inner join tiers
        on
            sessions.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'sessions.touched_at') }}
    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on sessions.session_date = date_periods.calendar_date

    group by
        tiers.tier_scheme,
        tiers.tier,
        date_periods.period_type,
        date_periods.period_start_date

),

period_costs as (

    select
        tiers.tier_scheme,
        tiers.tier,
        'all' as platform,
        date_periods.period_type,
        date_periods.period_start_date,
        {{ only_value('costs.currency_code') }} as currency_code,
        {{ sum_of_one_currency('costs.cost_amount', 'costs.currency_code') }} as cost_amount,
        {{ sum_where_all_are_known('costs.cost_amount_reporting') }} as cost_amount_reporting

    from costs

    inner join tiers
        on
            costs.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'costs.incurred_at') }}
    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on costs.incurred_date = date_periods.calendar_date

    group by
        tiers.tier_scheme,
        tiers.tier,
        date_periods.period_type,
        date_periods.period_start_date

),

-- One row a tier and period again: all creators of a cell share its estimate.
period_code_estimates as (

    select
        {% for metric in exposed %}
            {% for part in ['shrunk', 'ci_low', 'ci_high'] %}
                any_value(exposure_estimates.{{ part }} * code_orders.event_worth) filter (
                    where code_orders.metric = '{{ metric }}'
                ) as {{ metric }}_{{ part }},
            {% endfor %}
            any_value(exposure_estimates.reliability) filter (
                where code_orders.metric = '{{ metric }}'
            ) as {{ metric }}_reliability,
        {% endfor %}
        -- only the model that needs no click and gives whole orders has estimates
        'code' as model,
        code_orders.tier_scheme,
        code_orders.tier,
        code_orders.platform,
        code_orders.period_type,
        code_orders.period_start_date

    from code_orders

    inner join exposure_estimates
        on
            code_orders.metric = exposure_estimates.metric
            and code_orders.population = exposure_estimates.population
            and code_orders.platform = exposure_estimates.platform
            and code_orders.tier = exposure_estimates.tier

    group by
        code_orders.tier_scheme,
        code_orders.tier,
        code_orders.platform,
        code_orders.period_type,
        code_orders.period_start_date

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

tier_platforms as (

    select
        tier_scheme,
        tier,
        platform,
        period_type,
        period_start_date
    from period_persons

    {% for relation in [
        'period_credits',
        'period_sessions',
        'period_costs',
        'period_code_estimates',
    ] %}
        union distinct

        select
            tier_scheme,
            tier,
            platform,
            period_type,
            period_start_date
        from {{ relation }}
    {% endfor %}

    union distinct

    -- followers and reach alone make no row
    select
        tier_scheme,
        tier,
        platform,
        period_type,
        period_start_date
    from tier_periods
    where click_count + high_order_count > 0

),

-- Every rule has its row, also where it credits nothing.
grid as (

    select
        tier_platforms.*,
        rules.model,
        rules.window_days

    from tier_platforms
    cross join rules

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
        case
            when period_credits.order_count is null then tier_periods.evidence_currency_code
            else period_credits.currency_code
        end as currency_code,
        period_costs.currency_code as cost_currency_code,
        coalesce(estimates.reliability, 'insufficient') as person_conversion_rate_reliability,
        {% for metric in exposed %}
            coalesce(period_code_estimates.{{ metric }}_reliability, 'insufficient')
                as {{ metric }}_reliability,
        {% endfor %}
        grid.model = '{{ var("default_attribution_model") }}'
        and grid.window_days = {{ var('default_attribution_window_days') }} as is_default,
        periods.period_last_date <= {{ data_through_date() }} as is_complete,
        {{ days_between('periods.period_last_date', data_through_date()) }} >= grid.window_days
            as is_person_conversion_mature,
        coalesce(period_persons.creator_count, 0) as clicked_creator_count,
        -- an order, a cost or a follower belongs to no platform: all of them together have it
        {% for column, counted in [
            ('credited_creator_count', 'period_credits.creator_count'),
            ('click_count', 'tier_periods.click_count'),
            ('unique_clicker_count', 'tier_periods.unique_clicker_count'),
            ('session_count', 'period_sessions.session_count'),
            ('order_count', 'period_credits.order_count'),
            ('new_customer_count', 'period_credits.new_customer_count'),
            ('unconverted_order_count', 'period_credits.unconverted_order_count'),
            ('triangulated_low_order_count', 'tier_periods.low_order_count'),
            ('triangulated_mid_order_count', 'tier_periods.mid_order_count'),
            ('triangulated_high_order_count', 'tier_periods.high_order_count'),
        ] %}
            case when grid.platform = 'all' then coalesce({{ counted }}, 0) end as {{ column }},
        {% endfor %}
        coalesce(period_persons.denominator_count, 0) as person_conversion_denominator_count,
        coalesce(period_persons.numerator_count, 0) as person_conversion_numerator_count,
        cast(case when grid.platform = 'all' then {{ credit_share }} end as decimal(38, 12))
            as order_credit_share,
        cast(case when grid.platform = 'all' then {{ net_sales }} end as decimal(38, 4))
            as net_sales_amount,
        cast(period_credits.net_sales_amount_reporting as decimal(38, 4))
            as net_sales_amount_reporting,
        tier_periods.reach_count,
        tier_periods.mean_follower_count,
        cast(period_costs.cost_amount as decimal(38, 4)) as cost_amount,
        cast(period_costs.cost_amount_reporting as decimal(38, 4)) as cost_amount_reporting,
        {% for bound in ['low', 'mid', 'high'] %}
            cast(
                case
                    when grid.platform != 'all' then null
                    when coalesce(tier_periods.high_order_count, 0) = 0 then 0
                    when
                        tier_periods.evidence_currency_code = coalesce(
                            period_credits.currency_code, tier_periods.evidence_currency_code
                        )
                        and (
                            period_credits.order_count is null
                            or period_credits.currency_code is not null
                        )
                        then tier_periods.{{ bound }}_net_sales_amount
                end as decimal(38, 4)
            ) as triangulated_{{ bound }}_net_sales_amount,
        {% endfor %}
        {{ safe_rate('period_persons.numerator_count', 'period_persons.denominator_count') }}
            as person_conversion_rate,
        estimates.shrunk as person_conversion_rate_shrunk,
        estimates.ci_low as person_conversion_rate_ci_low,
        estimates.ci_high as person_conversion_rate_ci_high,
        {% for metric, parts in exposed.items() %}
            {{ safe_rate(parts[0], parts[1]) }} as {{ metric }},
            {% for part in ['shrunk', 'ci_low', 'ci_high'] %}
                period_code_estimates.{{ metric }}_{{ part }},
            {% endfor %}
        {% endfor %}
        {{ safe_rate(cost, 'period_credits.new_customer_count') }} as cac_ratio,
        {{ safe_rate(net_sales, cost) }} as roas_ratio,
        {{ safe_rate('(' ~ margin_rate ~ ') * (' ~ net_sales ~ ') - ' ~ cost, cost) }}
            as contribution_roi_ratio,
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
            and grid.platform = period_credits.platform
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
    left join tier_periods
        on
            grid.tier_scheme = tier_periods.tier_scheme
            and grid.tier = tier_periods.tier
            and grid.platform = tier_periods.platform
            and grid.period_type = tier_periods.period_type
            and grid.period_start_date = tier_periods.period_start_date
            and grid.window_days = tier_periods.window_days
    {% for relation in ['period_sessions', 'period_costs', 'period_code_estimates'] %}
        left join {{ relation }}
            on
                grid.tier_scheme = {{ relation }}.tier_scheme
                and grid.tier = {{ relation }}.tier
                and grid.platform = {{ relation }}.platform
                and grid.period_type = {{ relation }}.period_type
                and grid.period_start_date = {{ relation }}.period_start_date
                {{ 'and grid.model = period_code_estimates.model' if loop.last }}
    {% endfor %}
    left join estimates
        on
            period_persons.population = estimates.population
            and period_persons.platform = estimates.platform
            and period_persons.tier = estimates.tier

)

select * from final
