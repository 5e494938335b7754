{% set proxies = var('trust_proxies').keys() | list %}
{% set ratios = ['sponsored_organic_ratio'] %}
with cells as (

    select * from {{ ref('int_tier_counts__estimated') }}

    where measure in ({{ quoted_list(proxies) }})

),

final as (

    select
        tier_scheme,
        tier,
        platform,
        niche,
        period_start_date,
        period_type,
        -- orders take longest to be judged; the period `all` holds only what has come of age
        period_type = 'all'
        or {{ is_matured(
            'cast(' ~ dbt.last_day('period_start_date', 'month') ~ ' as date)',
            var('refund_maturity_days')
        ) }} as is_mature,
        {% for proxy in proxies %}
            {% set of_proxy = "filter (where measure = '" ~ proxy ~ "')" %}
            {% if proxy in ratios %}
                {{ safe_rate(
                    'any_value(numerator_count) ' ~ of_proxy,
                    'any_value(denominator_count) ' ~ of_proxy
                ) }} as trust_proxy_{{ proxy }}_numerator_ratio,
                {{ safe_rate(
                    'any_value(other_numerator_count) ' ~ of_proxy,
                    'any_value(other_denominator_count) ' ~ of_proxy
                ) }} as trust_proxy_{{ proxy }}_denominator_ratio,
            {% else %}
                any_value(numerator_count) {{ of_proxy }}
                    as trust_proxy_{{ proxy }}_numerator_count,
                any_value(denominator_count) {{ of_proxy }}
                    as trust_proxy_{{ proxy }}_denominator_count,
            {% endif %}
            coalesce(any_value(creator_count) {{ of_proxy }}, 0)
                as trust_proxy_{{ proxy }}_creator_count,
            any_value(value) {{ of_proxy }} as trust_proxy_{{ proxy }},
            any_value(ci_low) {{ of_proxy }} as trust_proxy_{{ proxy }}_ci_low,
            any_value(ci_high) {{ of_proxy }} as trust_proxy_{{ proxy }}_ci_high,
            any_value(creator_mean) {{ of_proxy }} as trust_proxy_{{ proxy }}_creator_mean
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from cells

    group by tier_scheme, tier, platform, niche, period_start_date, period_type

)

select * from final
