{% set rates = funnel_rates() %}
with funnel_weeks as (

    select * from {{ ref('int_creator_funnels__counted') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where level = 'unit'

),

counts as (

    {{ rate_counts('funnel_weeks', rates) }}

),

-- One row a creator and week again: a rate has one estimate of it.
week_estimates as (

    {{ rate_estimates('counts', 'estimates', rates) }}

),

final as (

    select
        funnel_weeks.creator_key,
        funnel_weeks.click_week_start_date,
        cast({{ var('default_attribution_window_days') }} as integer) as window_days,
        funnel_weeks.is_mature,
        {% for rate in rates %}
            coalesce(week_estimates.{{ rate }}_reliability, 'insufficient')
                as {{ rate }}_reliability,
        {% endfor %}
        funnel_weeks.click_count,
        funnel_weeks.clicker_count,
        funnel_weeks.session_count,
        funnel_weeks.session_person_count,
        funnel_weeks.product_view_person_count,
        funnel_weeks.cart_person_count,
        funnel_weeks.ordered_person_count,
        funnel_weeks.order_count,
        funnel_weeks.first_session_ordered_person_count,
        {% for rate, parts in rates.items() %}
            -- NULL while immature
            {{ safe_rate('funnel_weeks.' ~ parts[0], 'funnel_weeks.' ~ parts[1]) }} as {{ rate }},
            {% for part in ['shrunk', 'ci_low', 'ci_high'] %}
                week_estimates.{{ rate }}_{{ part }},
            {% endfor %}
        {% endfor %}
        funnel_weeks.median_minutes_to_order

    from funnel_weeks

    -- one row per creator and population on the right, and a week is one population
    left join week_estimates
        on
            funnel_weeks.creator_key = week_estimates.creator_key
            and funnel_weeks.population = week_estimates.population

)

select * from final
