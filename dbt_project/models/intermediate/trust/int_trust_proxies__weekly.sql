{% set proxies = var('trust_proxies') %}
{{ config(materialized='table') }}

-- Each proxy looks back over its own window and is NULL below its own minimum (vars). It is
-- compared with creators of the same tier on the same main platform in the same week.
with facts as (

    select * from {{ ref('int_creator_facts__dated') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

    where creator_key is not null

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where
        tier_scheme = '{{ var("leading_tier_scheme") }}'
        and platform = 'all'

),

proxies as (

    {% for proxy, rule in proxies.items() %}
        select
            '{{ proxy }}' as trust_proxy,
            {{ loop.index }} as proxy_order,
            {{ rule.window_days }} as window_days,
            {{ rule.minimum_count }} as minimum_count,
            {{ rule.minimum_unit_count }} as minimum_unit_count
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- Both sides of the sponsored-to-organic ratio are measures of their own.
proxy_measures as (

    select
        trust_proxy,
        trust_proxy as measure,
        'whole' as side,
        window_days
    from proxies
    where trust_proxy != 'sponsored_organic_ratio'

    union all

    select
        trust_proxy,
        'sponsored_engagement' as measure,
        'sponsored' as side,
        window_days
    from proxies
    where trust_proxy = 'sponsored_organic_ratio'

    union all

    select
        trust_proxy,
        'organic_engagement' as measure,
        'organic' as side,
        window_days
    from proxies
    where trust_proxy = 'sponsored_organic_ratio'

),

weeks as (

    select
        week_start_date,
        max(calendar_date) as as_of_date

    from dates

    group by week_start_date

),

-- Of runs of ten posts that end on one day only the last one.
ranked_facts as (

    select
        *,
        row_number() over (
            partition by measure, creator_key, platform, known_date
            order by as_of_at desc
        ) as as_of_rank

    from facts

),

dated_facts as (

    select
        measure,
        creator_key,
        platform,
        known_date,
        sum(unit_count) as unit_count,
        sum(numerator_count) as numerator_count,
        sum(denominator_count) as denominator_count

    from ranked_facts

    where
        measure != 'repeat_commenter_rate'
        or as_of_rank = 1

    group by measure, creator_key, platform, known_date

),

windowed_facts as (

    select
        weeks.week_start_date,
        weeks.as_of_date,
        proxy_measures.trust_proxy,
        proxy_measures.side,
        dated_facts.*

    from dated_facts

    inner join proxy_measures on dated_facts.measure = proxy_measures.measure
    -- fans out on purpose: a day lies in the windows of several weeks
    inner join weeks
        on
            dated_facts.known_date <= weeks.as_of_date
            and dated_facts.known_date > weeks.as_of_date - proxy_measures.window_days

),

-- Runs of ten posts overlap: of each platform only the latest counts.
latest_runs as (

    select
        week_start_date,
        creator_key,
        platform,
        max(known_date) as known_date

    from windowed_facts

    where trust_proxy = 'repeat_commenter_rate'

    group by week_start_date, creator_key, platform

),

counted_facts as (

    select windowed_facts.*

    from windowed_facts

    -- one row per creator, platform and week
    left join latest_runs
        on
            windowed_facts.week_start_date = latest_runs.week_start_date
            and windowed_facts.creator_key = latest_runs.creator_key
            and windowed_facts.platform = latest_runs.platform

    where
        windowed_facts.trust_proxy != 'repeat_commenter_rate'
        or windowed_facts.known_date = latest_runs.known_date

),

sides as (

    select
        creator_key,
        week_start_date,
        as_of_date,
        trust_proxy,
        side,
        cast(sum(unit_count) as bigint) as unit_count,
        cast(sum(numerator_count) as bigint) as numerator_count,
        cast(sum(denominator_count) as bigint) as denominator_count

    from counted_facts

    group by creator_key, week_start_date, as_of_date, trust_proxy, side

),

whole_proxies as (

    select
        creator_key,
        week_start_date,
        as_of_date,
        trust_proxy,
        unit_count,
        cast(numerator_count as double) as numerator_value,
        cast(denominator_count as double) as denominator_value

    from sides

    where side = 'whole'

),

two_sided_proxies as (

    select
        sponsored.creator_key,
        sponsored.week_start_date,
        sponsored.as_of_date,
        sponsored.trust_proxy,
        least(sponsored.unit_count, organic.unit_count) as unit_count,
        {{ safe_rate('sponsored.numerator_count', 'sponsored.denominator_count') }}
            as numerator_value,
        {{ safe_rate('organic.numerator_count', 'organic.denominator_count') }}
            as denominator_value

    from sides as sponsored

    -- one row per creator, week and side
    inner join sides as organic
        on
            sponsored.creator_key = organic.creator_key
            and sponsored.week_start_date = organic.week_start_date
            and organic.side = 'organic'

    where sponsored.side = 'sponsored'

),

both_kinds as (

    select * from whole_proxies

    union all

    select * from two_sided_proxies

),

measured_proxies as (

    select
        both_kinds.creator_key,
        both_kinds.week_start_date,
        both_kinds.as_of_date,
        both_kinds.trust_proxy,
        proxies.proxy_order,
        both_kinds.unit_count,
        both_kinds.numerator_value,
        both_kinds.denominator_value,
        case
            when
                both_kinds.unit_count >= proxies.minimum_unit_count
                and (
                    both_kinds.denominator_value >= proxies.minimum_count
                    or both_kinds.trust_proxy = 'sponsored_organic_ratio'
                )
                then {{ safe_rate('both_kinds.numerator_value', 'both_kinds.denominator_value') }}
        end as raw_value

    from both_kinds

    -- trust_proxy is unique in proxies
    inner join proxies on both_kinds.trust_proxy = proxies.trust_proxy

),

creator_weeks as (

    select
        creator_key,
        week_start_date,
        as_of_date,
        {{ to_utc('as_of_date + 1') }} as as_of_at

    from measured_proxies

    group by creator_key, week_start_date, as_of_date

),

-- The main platform is that of the largest account; without a count, the first by name.
ranked_accounts as (

    select
        creator_weeks.creator_key,
        creator_weeks.week_start_date,
        follower_ranges.platform,
        row_number() over (
            partition by creator_weeks.creator_key, creator_weeks.week_start_date
            order by {{ largest_account_first('follower_ranges') }}
        ) as account_rank

    from creator_weeks

    -- fans out over the accounts of a creator, one range each, and is ranked at once
    inner join follower_ranges
        on
            creator_weeks.creator_key = follower_ranges.creator_key
            and {{ is_valid_at('follower_ranges', 'creator_weeks.as_of_at') }}

),

placed_weeks as (

    select
        creator_weeks.creator_key,
        creator_weeks.week_start_date,
        coalesce(ranked_accounts.platform, 'unknown') as platform,
        coalesce(tiers.tier, 'unknown') as tier

    from creator_weeks

    -- one first account, and one range of the creator as a whole
    left join ranked_accounts
        on
            creator_weeks.creator_key = ranked_accounts.creator_key
            and creator_weeks.week_start_date = ranked_accounts.week_start_date
            and ranked_accounts.account_rank = 1
    left join tiers
        on
            creator_weeks.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'creator_weeks.as_of_at') }}

),

-- Whole hundred-thousandths: their sums are exact, so a z score is the same on any number of
-- threads. Capped, so that next to no organic engagement cannot overflow them.
scaled_proxies as (

    select
        measured_proxies.*,
        placed_weeks.platform,
        placed_weeks.tier,
        cast(
            round(
                case
                    when measured_proxies.raw_value >= 1000 then 1000
                    else measured_proxies.raw_value
                end * 100000
            ) as bigint
        ) as raw_units

    from measured_proxies

    -- creator and week are unique in placed_weeks
    inner join placed_weeks
        on
            measured_proxies.creator_key = placed_weeks.creator_key
            and measured_proxies.week_start_date = placed_weeks.week_start_date

),

peers as (

    select
        week_start_date,
        trust_proxy,
        platform,
        tier,
        count(raw_units) as peer_count,
        sum(raw_units) as total,
        sum(raw_units * raw_units) as total_of_squares

    from scaled_proxies

    group by week_start_date, trust_proxy, platform, tier

),

peer_spreads as (

    select
        *,
        cast(total as double) / nullif(peer_count, 0) as peer_mean,
        sqrt(
            cast(peer_count * total_of_squares - total * total as double)
            / nullif(peer_count * (peer_count - 1), 0)
        ) as peer_deviation

    from peers

),

final as (

    select
        scaled_proxies.creator_key,
        scaled_proxies.week_start_date,
        scaled_proxies.as_of_date,
        scaled_proxies.trust_proxy,
        scaled_proxies.proxy_order,
        scaled_proxies.platform,
        scaled_proxies.tier,
        scaled_proxies.unit_count,
        scaled_proxies.numerator_value,
        scaled_proxies.denominator_value,
        scaled_proxies.raw_value,
        case when scaled_proxies.raw_value is not null then peer_spreads.peer_count end
            as peer_count,
        case
            when
                peer_spreads.peer_count >= {{ var('trust_peer_minimum_count') }}
                and peer_spreads.peer_deviation > 0
                then
                    round(
                        (scaled_proxies.raw_units - peer_spreads.peer_mean)
                        / peer_spreads.peer_deviation,
                        6
                    )
        end as z_score

    from scaled_proxies

    -- the group of a row is unique in peer_spreads
    inner join peer_spreads
        on
            scaled_proxies.week_start_date = peer_spreads.week_start_date
            and scaled_proxies.trust_proxy = peer_spreads.trust_proxy
            and scaled_proxies.platform = peer_spreads.platform
            and scaled_proxies.tier = peer_spreads.tier

)

select * from final
