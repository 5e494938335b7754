{% set proxies = var('trust_proxies').keys() | list %}
{% set ratios = ['sponsored_organic_ratio'] %}
{% set proxies_of_posts = ['save_rate', 'share_rate', 'sponsored_organic_ratio'] %}
with trust_proxies as (

    select * from {{ ref('int_trust_proxies__weekly') }}

),

anomalies as (

    select * from {{ ref('int_creator_anomalies__weekly') }}

),

weights as (

    select * from {{ ref('trust_composite_weights') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where
        tier_scheme = '{{ var("leading_tier_scheme") }}'
        and platform = 'all'

),

follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

    where creator_key is not null

),

pivoted as (

    select
        creator_key,
        week_start_date,
        as_of_date,
        any_value(platform) as platform,
        any_value(tier) as tier,
        {% for proxy in proxies %}
            any_value(unit_count) filter (where trust_proxy = '{{ proxy }}')
                as {{ proxy }}_unit_count,
            any_value(numerator_value) filter (where trust_proxy = '{{ proxy }}')
                as {{ proxy }}_numerator,
            any_value(denominator_value) filter (where trust_proxy = '{{ proxy }}')
                as {{ proxy }}_denominator,
            any_value(raw_value) filter (where trust_proxy = '{{ proxy }}') as {{ proxy }}_raw,
            any_value(z_score) filter (where trust_proxy = '{{ proxy }}') as {{ proxy }}_z_score
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from trust_proxies

    group by creator_key, week_start_date, as_of_date

),

-- Opt-in. Decimals, so that the sum does not depend on its order.
composites as (

    select
        trust_proxies.creator_key,
        trust_proxies.week_start_date,
        count(*) as composite_proxy_count,
        cast(
            sum(
                cast(trust_proxies.z_score as decimal(18, 6))
                * cast(weights.weight as decimal(9, 4))
            ) as double
        )
        / nullif(cast(sum(abs(cast(weights.weight as decimal(9, 4)))) as double), 0)
            as composite_score

    from trust_proxies

    -- trust_proxy is unique in weights
    inner join weights on trust_proxies.trust_proxy = weights.trust_proxy

    where
        trust_proxies.z_score is not null
        and weights.weight != 0

    group by trust_proxies.creator_key, trust_proxies.week_start_date

),

keys as (

    select
        creator_key,
        week_start_date,
        as_of_date
    from pivoted

    union distinct

    select
        creator_key,
        week_start_date,
        as_of_date
    from anomalies

),

weeks as (

    select
        week_start_date,
        count(*) filter (where is_complete) = 7 as is_complete

    from dates

    group by week_start_date

),

-- Weeks of anomalies alone have a main platform as those with proxies do.
ranked_accounts as (

    select
        keys.creator_key,
        keys.week_start_date,
        follower_ranges.platform,
        row_number() over (
            partition by keys.creator_key, keys.week_start_date
            order by {{ largest_account_first('follower_ranges') }}
        ) as account_rank

    from keys

    -- fans out over the accounts of a creator, one range each, and is ranked at once
    inner join follower_ranges
        on
            keys.creator_key = follower_ranges.creator_key
            and {{ is_valid_at('follower_ranges', to_utc('keys.as_of_date + 1')) }}

),

joined as (

    select
        pivoted.*,
        coalesce(pivoted.platform, ranked_accounts.platform, 'unknown') as known_platform,
        keys.creator_key as key_creator_key,
        keys.week_start_date as key_week_start_date,
        keys.as_of_date as key_as_of_date,
        coalesce(pivoted.tier, tiers.tier, 'unknown') as known_tier,
        anomalies.follower_growth_day_count,
        anomalies.follower_growth_z_score,
        anomalies.unexplained_growth_day_count,
        anomalies.unexplained_follower_count,
        anomalies.duplicate_comment_numerator_count,
        anomalies.duplicate_comment_denominator_count,
        anomalies.burst_comment_numerator_count,
        anomalies.burst_comment_denominator_count,
        anomalies.pod_numerator_count,
        anomalies.pod_denominator_count,
        case
            when
                anomalies.duplicate_comment_denominator_count
                >= {{ var('duplicate_minimum_comment_count') }}
                then {{ safe_rate(
                    'anomalies.duplicate_comment_numerator_count',
                    'anomalies.duplicate_comment_denominator_count'
                ) }}
        end as duplicate_comment_rate,
        case
            when
                anomalies.burst_comment_denominator_count
                >= {{ var('burst_minimum_comment_count') }}
                then {{ safe_rate(
                    'anomalies.burst_comment_numerator_count',
                    'anomalies.burst_comment_denominator_count'
                ) }}
        end as burst_comment_rate,
        case
            when anomalies.pod_denominator_count >= {{ var('pod_minimum_commenter_count') }}
                then {{ safe_rate(
                    'anomalies.pod_numerator_count', 'anomalies.pod_denominator_count'
                ) }}
        end as pod_score,
        case
            when
                {{ var('trust_composite_enabled') | lower }}
                and composites.composite_proxy_count
                >= {{ var('trust_composite_minimum_proxy_count') }}
                then round(composites.composite_score, 6)
        end as trust_composite_score,
        weeks.is_complete

    from keys

    -- every right side is one row per creator and week, per week, or one range of the creator
    inner join weeks on keys.week_start_date = weeks.week_start_date
    left join pivoted
        on
            keys.creator_key = pivoted.creator_key
            and keys.week_start_date = pivoted.week_start_date
    left join anomalies
        on
            keys.creator_key = anomalies.creator_key
            and keys.week_start_date = anomalies.week_start_date
    left join composites
        on
            keys.creator_key = composites.creator_key
            and keys.week_start_date = composites.week_start_date
    left join ranked_accounts
        on
            keys.creator_key = ranked_accounts.creator_key
            and keys.week_start_date = ranked_accounts.week_start_date
            and ranked_accounts.account_rank = 1
    left join tiers
        on
            keys.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', to_utc('keys.as_of_date + 1')) }}

),

final as (

    select
        key_creator_key as creator_key,
        key_week_start_date as week_start_date,
        key_as_of_date as as_of_date,
        known_platform as platform,
        '{{ var("leading_tier_scheme") }}' as tier_scheme,
        known_tier as tier,
        is_complete,
        coalesce(unexplained_growth_day_count > 0, false) as has_unexplained_growth,
        coalesce(duplicate_comment_rate >= {{ var('duplicate_rate_limit') }}, false)
            as has_duplicate_comments,
        coalesce(burst_comment_rate >= {{ var('burst_rate_limit') }}, false) as has_comment_bursts,
        follower_growth_day_count,
        unexplained_growth_day_count,
        unexplained_follower_count,
        follower_growth_z_score,
        duplicate_comment_numerator_count,
        duplicate_comment_denominator_count,
        duplicate_comment_rate,
        burst_comment_numerator_count,
        burst_comment_denominator_count,
        burst_comment_rate,
        pod_numerator_count,
        pod_denominator_count,
        pod_score,
        {% for proxy in proxies %}
            {% set kind, type = ('ratio', 'double') if proxy in ratios else ('count', 'bigint') %}
            {% if proxy in proxies_of_posts %}
                {{ proxy }}_unit_count as trust_proxy_{{ proxy }}_post_count,
            {% endif %}
            cast({{ proxy }}_numerator as {{ type }})
                as trust_proxy_{{ proxy }}_numerator_{{ kind }},
            cast({{ proxy }}_denominator as {{ type }})
                as trust_proxy_{{ proxy }}_denominator_{{ kind }},
            {{ proxy }}_raw as trust_proxy_{{ proxy }},
            {{ proxy }}_z_score as trust_proxy_{{ proxy }}_z_score,
        {% endfor %}
        trust_composite_score

    from joined

)

select * from final
