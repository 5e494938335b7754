{% set windows = var('attribution_windows_days') %}
{{ config(materialized='table') }}

with first_clicks as (

    select * from {{ ref('int_first_clicks__followed') }}

    where creator_key != 'ambiguous'

),

creator_tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

date_periods as (

    {{ date_periods('dates') }}

),

whole_tiers as (

    select *
    from creator_tiers
    where platform = 'all'

),

-- Ranges of a creator, platform and scheme have no overlap. A creator whom no feed describes has no
-- tier in any scheme and is left out.
tiered_clicks as (

    select
        first_clicks.creator_key,
        first_clicks.clicked_date,
        first_clicks.clicked_at,
        first_clicks.next_ordered_at,
        whole_tiers.tier_scheme,
        first_clicks.platform,
        whole_tiers.tier as whole_tier,
        coalesce(platform_tiers.tier, whole_tiers.tier) as platform_tier

    from first_clicks
    inner join whole_tiers
        on first_clicks.creator_key = whole_tiers.creator_key
            and {{ is_valid_at('whole_tiers', 'first_clicks.clicked_at') }}
    left join creator_tiers as platform_tiers
        on first_clicks.creator_key = platform_tiers.creator_key
            and whole_tiers.tier_scheme = platform_tiers.tier_scheme
            and first_clicks.platform = platform_tiers.platform
            and {{ is_valid_at('platform_tiers', 'first_clicks.clicked_at') }}

),

placed_clicks as (

    select
        creator_key,
        clicked_date,
        clicked_at,
        next_ordered_at,
        tier_scheme,
        'all' as platform,
        whole_tier as tier
    from tiered_clicks

    union all

    select
        creator_key,
        clicked_date,
        clicked_at,
        next_ordered_at,
        tier_scheme,
        platform,
        platform_tier as tier
    from tiered_clicks

),

person_outcomes as (

    {% for window_days in windows %}
        select
            creator_key,
            clicked_date,
            tier_scheme,
            platform,
            tier,
            {{ click_outcome(window_days) }}
        from placed_clicks
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Fans out on purpose: a day lies in one period of each type.
final as (

    select
        person_outcomes.tier_scheme,
        person_outcomes.platform,
        person_outcomes.tier,
        person_outcomes.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        person_outcomes.window_days,
        case
            when date_periods.period_type in ({{ quoted_list(var('estimated_period_types')) }})
                then {{ population([
                    'person_outcomes.tier_scheme',
                    "case when person_outcomes.platform = 'all' then 'all' else 'each' end",
                    'date_periods.period_type',
                    'date_periods.period_start_date',
                    'person_outcomes.window_days'
                ]) }}
        end as population,
        count(*) filter (
            where person_outcomes.is_observed and person_outcomes.has_bought
        ) as numerator_count,
        count(*) filter (where person_outcomes.is_observed) as denominator_count

    from person_outcomes
    inner join date_periods
        on person_outcomes.clicked_date = date_periods.calendar_date

    group by
        person_outcomes.tier_scheme,
        person_outcomes.platform,
        person_outcomes.tier,
        person_outcomes.creator_key,
        date_periods.period_type,
        date_periods.period_start_date,
        person_outcomes.window_days

)

select * from final
