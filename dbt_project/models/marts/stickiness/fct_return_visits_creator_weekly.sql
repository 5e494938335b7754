{% set rates = return_rates() %}
with return_weeks as (

    select * from {{ ref('int_creator_returns__counted') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where level = 'unit'

),

counts as (

    {{ rate_counts('return_weeks', rates) }}

),

-- One row a creator and week again: a rate has one estimate of it.
week_estimates as (

    {{ rate_estimates('counts', 'estimates', rates) }}

),

final as (

    select
        return_weeks.creator_key,
        return_weeks.exposure_week_start_date,
        return_weeks.is_mature_7d,
        return_weeks.is_mature_14d,
        return_weeks.is_mature_28d,
        {% for rate in rates %}
            coalesce(week_estimates.{{ rate }}_reliability, 'insufficient')
                as {{ rate }}_reliability,
        {% endfor %}
        return_weeks.exposed_person_count,
        return_weeks.same_day_return_count,
        return_weeks.returned_count,
        return_weeks.returned_7d_count,
        return_weeks.returned_by_creator_7d_count,
        return_weeks.returned_directly_7d_count,
        return_weeks.returned_14d_count,
        return_weeks.returned_by_creator_14d_count,
        return_weeks.returned_directly_14d_count,
        return_weeks.returned_28d_count,
        return_weeks.returned_by_creator_28d_count,
        return_weeks.returned_directly_28d_count,
        {% for rate, parts in rates.items() %}
            -- NULL while immature
            {{ safe_rate('return_weeks.' ~ parts[0], 'return_weeks.' ~ parts[1]) }} as {{ rate }},
            {% for part in ['shrunk', 'ci_low', 'ci_high'] %}
                week_estimates.{{ rate }}_{{ part }},
            {% endfor %}
        {% endfor %}
        return_weeks.median_return_days

    from return_weeks

    -- one row per creator and population on the right, and a week is one population
    left join week_estimates
        on
            return_weeks.creator_key = week_estimates.creator_key
            and return_weeks.population = week_estimates.population

)

select * from final
