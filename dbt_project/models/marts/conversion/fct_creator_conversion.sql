{%- set credit_share = 'coalesce(period_credits.order_credit_share, 0)' -%}
{%- set net_sales = 'case when period_credits.order_count is null then 0'
    ~ ' else period_credits.net_sales_amount end' -%}
{%- set cost = 'case when period_costs.currency_code = coalesce(period_credits.currency_code,'
    ~ ' period_costs.currency_code) then period_costs.cost_amount end' -%}
{%- set margin_rate = var('contribution_margin_rate') or 'null' -%}
{%- set exposed = {
    'orders_per_1000_reach': ('1000 * ' ~ credit_share, 'period_exposures.reach_count'),
    'orders_per_follower': (credit_share, 'period_exposures.mean_follower_count'),
    'net_sales_per_reach': (net_sales, 'period_exposures.reach_count'),
    'net_sales_per_follower': (net_sales, 'period_exposures.mean_follower_count'),
} %}
with credits as (

    select * from {{ ref('fct_attribution_credits') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

clicks as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        is_click
        and not is_repeat
        and (creator_key is not null or is_ambiguous)

),

sessions as (

    select * from {{ ref('fct_sessions') }}

    where creator_key is not null

),

evidence as (

    select * from {{ ref('int_order_evidence__unioned') }}

),

conversions as (

    select * from {{ ref('int_creator_conversions__counted') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric = 'person_conversion'
        and level = 'unit'

),

code_orders as (

    select * from {{ ref('int_code_orders__exposed') }}

),

exposure_estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric in ({{ quoted_list(exposed.keys()) }})
        and level = 'unit'

),

exposures as (

    select * from {{ ref('int_creator_exposures__aggregated') }}

),

costs as (

    select * from {{ ref('fct_creator_costs') }}

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

creator_credits as (

    select
        -- a creator's table: what no creator earned is unattributed here, whatever channel did
        case
            when party_type in ('creator', 'ambiguous') then party_key else 'unattributed'
        end as creator_key,
        order_key,
        order_date,
        model,
        window_days,
        currency_code,
        sum(credit_share) as credit_share,
        sum(credit_amount) as credit_amount

    from credits

    group by
        case
            when party_type in ('creator', 'ambiguous') then party_key else 'unattributed'
        end,
        order_key,
        order_date,
        model,
        window_days,
        currency_code

),

daily_credits as (

    select
        creator_credits.creator_key,
        creator_credits.order_date,
        creator_credits.model,
        creator_credits.window_days,
        creator_credits.currency_code,
        count(*) as order_count,
        count(*) filter (where orders.is_new_customer) as new_customer_count,
        sum(creator_credits.credit_share) as order_credit_share,
        sum(creator_credits.credit_amount) as net_sales_amount,
        count(*) filter (where orders.reporting_fx_rate is null) as unconverted_order_count,
        sum(cast(creator_credits.credit_amount * orders.reporting_fx_rate as decimal(18, 4)))
            as net_sales_amount_reporting

    from creator_credits

    -- order_key is unique in orders
    inner join orders on creator_credits.order_key = orders.order_key

    group by
        creator_credits.creator_key,
        creator_credits.order_date,
        creator_credits.model,
        creator_credits.window_days,
        creator_credits.currency_code

),

period_credits as (

    select
        daily_credits.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        daily_credits.model,
        daily_credits.window_days,
        {{ only_value('daily_credits.currency_code') }} as currency_code,
        cast(sum(daily_credits.order_count) as bigint) as order_count,
        cast(sum(daily_credits.new_customer_count) as bigint) as new_customer_count,
        cast(sum(daily_credits.unconverted_order_count) as bigint) as unconverted_order_count,
        sum(daily_credits.order_credit_share) as order_credit_share,
        {{ sum_of_one_currency('daily_credits.net_sales_amount', 'daily_credits.currency_code') }}
            as net_sales_amount,
        -- one order without a rate leaves the sum unknown, never 1:1
        case
            when max(daily_credits.unconverted_order_count) = 0
                then sum(daily_credits.net_sales_amount_reporting)
        end as net_sales_amount_reporting

    from daily_credits

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on daily_credits.order_date = date_periods.calendar_date

    group by
        daily_credits.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        daily_credits.model,
        daily_credits.window_days

),

creator_clicks as (

    select
        coalesce(creator_key, 'ambiguous') as creator_key,
        person_key,
        touch_date,
        count(*) as click_count

    from clicks

    group by coalesce(creator_key, 'ambiguous'), person_key, touch_date

),

period_clicks as (

    select
        creator_clicks.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        cast(sum(creator_clicks.click_count) as bigint) as click_count,
        count(distinct creator_clicks.person_key) as unique_clicker_count

    from creator_clicks

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on creator_clicks.touch_date = date_periods.calendar_date

    group by
        creator_clicks.creator_key,
        date_periods.period_type,
        date_periods.period_start_date

),

daily_sessions as (

    select
        creator_key,
        session_date,
        count(*) as session_count

    from sessions

    group by creator_key, session_date

),

period_sessions as (

    select
        daily_sessions.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        cast(sum(daily_sessions.session_count) as bigint) as session_count

    from daily_sessions

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on daily_sessions.session_date = date_periods.calendar_date

    group by
        daily_sessions.creator_key,
        date_periods.period_type,
        date_periods.period_start_date

),

period_persons as (

    select
        conversions.creator_key,
        conversions.period_type,
        conversions.period_start_date,
        conversions.window_days,
        conversions.numerator_count,
        conversions.denominator_count,
        estimates.shrunk,
        estimates.ci_low,
        estimates.ci_high,
        estimates.reliability,
        estimates.prob_top_decile

    from conversions

    left join estimates
        on
            conversions.population = estimates.population
            and conversions.platform = estimates.platform
            and conversions.tier = estimates.tier
            and conversions.numerator_count = estimates.x
            and conversions.denominator_count = estimates.n

),

period_exposures as (

    select
        exposures.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        cast(sum(exposures.reach_count) as bigint) as reach_count,
        cast(
            sum(exposures.follower_count) / count(exposures.follower_count) as decimal(18, 4)
        ) as mean_follower_count

    from exposures

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on exposures.exposure_date = date_periods.calendar_date

    group by exposures.creator_key, date_periods.period_type, date_periods.period_start_date

),

period_costs as (

    select
        costs.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        {{ only_value('costs.currency_code') }} as currency_code,
        {{ sum_of_one_currency('costs.cost_amount', 'costs.currency_code') }} as cost_amount,
        {{ sum_where_all_are_known('costs.cost_amount_reporting') }} as cost_amount_reporting

    from costs

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on costs.incurred_date = date_periods.calendar_date

    group by costs.creator_key, date_periods.period_type, date_periods.period_start_date

),

-- One row a creator and period again: a metric has one estimate of it.
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
        code_orders.creator_key,
        code_orders.period_type,
        code_orders.period_start_date

    from code_orders

    inner join exposure_estimates
        on
            code_orders.metric = exposure_estimates.metric
            and code_orders.population = exposure_estimates.population
            and code_orders.platform = exposure_estimates.platform
            and code_orders.tier = exposure_estimates.tier
            and code_orders.event_count = exposure_estimates.x
            and code_orders.exposure_thousand_count = exposure_estimates.n

    group by code_orders.creator_key, code_orders.period_type, code_orders.period_start_date

),

-- An order counts once for a creator, by the strongest evidence that names him or her: a code, then
-- a click, then an answer. Several creators may have a claim to one order, so sums over creators
-- exceed the shop.
period_evidence as (

    select
        evidence.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        evidence.window_days,
        count(*) filter (where evidence.has_code) as low_order_count,
        count(*) filter (where evidence.has_code or evidence.has_click) as mid_order_count,
        count(*) as high_order_count,
        {{ only_value('orders.currency_code') }} as currency_code,
        sum(case when evidence.has_code then orders.net_sales_amount else 0 end)
            as low_net_sales_amount,
        sum(
            case
                when evidence.has_code or evidence.has_click then orders.net_sales_amount else 0
            end
        ) as mid_net_sales_amount,
        sum(orders.net_sales_amount) as high_net_sales_amount

    from evidence

    -- order_key is unique in orders; a day lies in one period of each type, on purpose
    inner join orders on evidence.order_key = orders.order_key
    inner join date_periods on orders.order_date = date_periods.calendar_date

    group by
        evidence.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        evidence.window_days

),

creator_periods as (

    select
        creator_key,
        period_type,
        period_start_date
    from period_clicks

    union distinct

    select
        creator_key,
        period_type,
        period_start_date
    from period_sessions

    union distinct

    select
        creator_key,
        period_type,
        period_start_date
    from period_credits

    union distinct

    select
        creator_key,
        period_type,
        period_start_date
    from period_evidence

    union distinct

    -- who cost something and brought nothing
    select
        creator_key,
        period_type,
        period_start_date
    from period_costs

    union distinct

    -- who had a code and reached people that did not use it
    select
        creator_key,
        period_type,
        period_start_date
    from period_code_estimates

),

-- Every rule has its row, also where it credits nothing: that is what rules disagree about.
grid as (

    select
        creator_periods.creator_key,
        creator_periods.period_type,
        creator_periods.period_start_date,
        rules.model,
        rules.window_days

    from creator_periods
    cross join rules

),

final as (

    select
        grid.creator_key,
        grid.period_start_date,
        grid.period_type,
        grid.model,
        cast(grid.window_days as integer) as window_days,
        case
            when period_credits.order_count is null then period_evidence.currency_code
            else period_credits.currency_code
        end as currency_code,
        period_costs.currency_code as cost_currency_code,
        coalesce(period_persons.reliability, 'insufficient') as person_conversion_rate_reliability,
        {% for metric in exposed %}
            coalesce(period_code_estimates.{{ metric }}_reliability, 'insufficient')
                as {{ metric }}_reliability,
        {% endfor %}
        grid.model = '{{ var("default_attribution_model") }}'
        and grid.window_days = {{ var('default_attribution_window_days') }} as is_default,
        periods.period_last_date <= {{ data_through_date() }} as is_complete,
        {{ days_between('periods.period_last_date', data_through_date()) }} >= grid.window_days
            as is_person_conversion_mature,
        coalesce(period_clicks.click_count, 0) as click_count,
        coalesce(period_clicks.unique_clicker_count, 0) as unique_clicker_count,
        coalesce(period_sessions.session_count, 0) as session_count,
        coalesce(period_credits.order_count, 0) as order_count,
        coalesce(period_credits.new_customer_count, 0) as new_customer_count,
        coalesce(period_credits.unconverted_order_count, 0) as unconverted_order_count,
        coalesce(period_evidence.low_order_count, 0) as triangulated_low_order_count,
        coalesce(period_evidence.mid_order_count, 0) as triangulated_mid_order_count,
        coalesce(period_evidence.high_order_count, 0) as triangulated_high_order_count,
        coalesce(period_persons.denominator_count, 0) as person_conversion_denominator_count,
        coalesce(period_persons.numerator_count, 0) as person_conversion_numerator_count,
        cast({{ credit_share }} as decimal(38, 12)) as order_credit_share,
        cast({{ net_sales }} as decimal(38, 4)) as net_sales_amount,
        cast(period_credits.net_sales_amount_reporting as decimal(38, 4))
            as net_sales_amount_reporting,
        period_exposures.reach_count,
        period_exposures.mean_follower_count,
        cast(period_costs.cost_amount as decimal(38, 4)) as cost_amount,
        cast(period_costs.cost_amount_reporting as decimal(38, 4)) as cost_amount_reporting,
        {% for bound in ['low', 'mid', 'high'] %}
            cast(
                case
                    when period_evidence.high_order_count is null then 0
                    when
                        period_evidence.currency_code
                        = coalesce(period_credits.currency_code, period_evidence.currency_code)
                        and (
                            period_credits.order_count is null
                            or period_credits.currency_code is not null
                        )
                        then period_evidence.{{ bound }}_net_sales_amount
                end as decimal(38, 4)
            ) as triangulated_{{ bound }}_net_sales_amount,
        {% endfor %}
        {{ safe_rate('period_persons.numerator_count', 'period_persons.denominator_count') }}
            as person_conversion_rate,
        period_persons.shrunk as person_conversion_rate_shrunk,
        period_persons.ci_low as person_conversion_rate_ci_low,
        period_persons.ci_high as person_conversion_rate_ci_high,
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
        period_persons.prob_top_decile

    from grid

    -- the grid's key, or a part of it, is unique on every right side: no join can fan out
    inner join periods
        on
            grid.period_type = periods.period_type
            and grid.period_start_date = periods.period_start_date
    left join period_credits
        on
            grid.creator_key = period_credits.creator_key
            and grid.period_type = period_credits.period_type
            and grid.period_start_date = period_credits.period_start_date
            and grid.model = period_credits.model
            and grid.window_days = period_credits.window_days
    left join period_clicks
        on
            grid.creator_key = period_clicks.creator_key
            and grid.period_type = period_clicks.period_type
            and grid.period_start_date = period_clicks.period_start_date
    left join period_sessions
        on
            grid.creator_key = period_sessions.creator_key
            and grid.period_type = period_sessions.period_type
            and grid.period_start_date = period_sessions.period_start_date
    left join period_evidence
        on
            grid.creator_key = period_evidence.creator_key
            and grid.period_type = period_evidence.period_type
            and grid.period_start_date = period_evidence.period_start_date
            and grid.window_days = period_evidence.window_days
    left join period_persons
        on
            grid.creator_key = period_persons.creator_key
            and grid.period_type = period_persons.period_type
            and grid.period_start_date = period_persons.period_start_date
            and grid.window_days = period_persons.window_days
    left join period_exposures
        on
            grid.creator_key = period_exposures.creator_key
            and grid.period_type = period_exposures.period_type
            and grid.period_start_date = period_exposures.period_start_date
    left join period_costs
        on
            grid.creator_key = period_costs.creator_key
            and grid.period_type = period_costs.period_type
            and grid.period_start_date = period_costs.period_start_date
    -- only the model that needs no click and gives whole orders has estimates by exposure
    left join period_code_estimates
        on
            grid.creator_key = period_code_estimates.creator_key
            and grid.period_type = period_code_estimates.period_type
            and grid.period_start_date = period_code_estimates.period_start_date
            and grid.model = 'code'

)

select * from final
