{% set bases = ['follower', 'reach', 'view'] %}
with cells as (

    select * from {{ ref('int_tier_counts__estimated') }}

    where measure in ('engagement_by_follower', 'engagement_by_reach', 'engagement_by_view')

),

final as (

    select
        cells.tier_scheme,
        cells.tier,
        cells.platform,
        cells.niche,
        cells.period_start_date,
        cells.period_type,
        -- the period `all` holds only what has come of age
        cells.period_type = 'all'
        or {{ is_matured(
            'cast(' ~ dbt.last_day('cells.period_start_date', 'month') ~ ' as date)',
            var('engagement_age_days')
        ) }} as is_mature,
        {% for base in bases %}
            {% set measure = "cells.measure = 'engagement_by_" ~ base ~ "'" %}
            coalesce(any_value(cells.creator_count) filter (where {{ measure }}), 0)
                as engagement_by_{{ base }}_creator_count,
            coalesce(any_value(cells.unit_count) filter (where {{ measure }}), 0)
                as engagement_by_{{ base }}_post_count,
            any_value(cells.numerator_count) filter (where {{ measure }})
                as engagement_by_{{ base }}_numerator_count,
            any_value(cells.denominator_count) filter (where {{ measure }})
                as engagement_by_{{ base }}_denominator_count,
            any_value(cells.elasticity_creator_count) filter (where {{ measure }})
                as engagement_by_{{ base }}_elasticity_creator_count,
            any_value(cells.value) filter (where {{ measure }}) as engagement_by_{{ base }}_ratio,
            any_value(cells.ci_low) filter (where {{ measure }})
                as engagement_by_{{ base }}_ratio_ci_low,
            any_value(cells.ci_high) filter (where {{ measure }})
                as engagement_by_{{ base }}_ratio_ci_high,
            any_value(cells.creator_mean) filter (where {{ measure }})
                as engagement_by_{{ base }}_creator_mean_ratio,
            any_value(cells.elasticity) filter (where {{ measure }})
                as engagement_by_{{ base }}_elasticity_ratio,
            any_value(cells.elasticity_ci_low) filter (where {{ measure }})
                as engagement_by_{{ base }}_elasticity_ratio_ci_low,
            any_value(cells.elasticity_ci_high) filter (where {{ measure }})
                as engagement_by_{{ base }}_elasticity_ratio_ci_high
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from cells

    group by
        cells.tier_scheme,
        cells.tier,
        cells.platform,
        cells.niche,
        cells.period_start_date,
        cells.period_type

)

select * from final
