{% set windows = var('attribution_windows_days') %}
{{ config(materialized='table') }}

with first_clicks as (

    select * from {{ ref('int_first_clicks__followed') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

creator_tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'
        and tier_scheme = '{{ var("leading_tier_scheme") }}'

),

creator_accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

creator_platforms as (

    {{ creator_platforms('creator_accounts') }}

),

date_periods as (

    {{ date_periods('dates') }}

),

person_outcomes as (

    {% for window_days in windows %}
        select
            creator_key,
            clicked_date,
            clicked_at,
            {{ click_outcome(window_days) }}
        from first_clicks
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Fans out on purpose: a day lies in one period of each type.
period_persons as (

    select
        person_outcomes.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        person_outcomes.window_days,
        min(person_outcomes.clicked_at) as first_clicked_at,
        count(*) filter (where person_outcomes.is_observed) as denominator_count,
        count(*) filter (
            where person_outcomes.is_observed and person_outcomes.has_bought
        ) as numerator_count

    from person_outcomes
    inner join date_periods on person_outcomes.clicked_date = date_periods.calendar_date

    group by
        person_outcomes.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        person_outcomes.window_days

),

final as (

    select
        period_persons.creator_key,
        period_persons.period_type,
        period_persons.period_start_date,
        period_persons.window_days,
        case
            when
                period_persons.creator_key != 'ambiguous'
                and period_persons.period_type in ({{ quoted_list(var('estimated_period_types')) }})
                then {{ population([
                    'period_persons.period_type',
                    'period_persons.period_start_date',
                    'period_persons.window_days'
                ]) }}
        end as population,
        coalesce(creator_platforms.platform, 'none') as platform,
        coalesce(creator_tiers.tier, 'unknown') as tier,
        period_persons.numerator_count,
        period_persons.denominator_count

    from period_persons
    left join creator_platforms
        on period_persons.creator_key = creator_platforms.creator_key
    -- Ranges of a creator have no overlap.
    left join creator_tiers
        on period_persons.creator_key = creator_tiers.creator_key
            and {{ is_valid_at('creator_tiers', 'period_persons.first_clicked_at') }}

)

select * from final
