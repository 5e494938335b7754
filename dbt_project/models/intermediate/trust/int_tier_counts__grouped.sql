{{ config(materialized='table') }}

-- Creators' counts by the tier they had at the post or order, on the platform and over all of
-- them, in their niche and over all niches: one row per creator and cell, because creators, not
-- posts, are what an interval has to be over.
with facts as (

    select * from {{ ref('int_creator_facts__dated') }}

    where is_disjoint

),

creators as (

    select * from {{ ref('dim_creators') }}

    where not is_member

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

niches as (

    select
        creator_key,
        coalesce(niche, 'unknown') as niche
    from creators

    union all

    select
        creator_key,
        'all' as niche
    from creators

),

schemes as (

    select tier_scheme
    from {{ ref('creator_tiers') }}
    group by tier_scheme

),

date_periods as (

    {{ date_periods('dates') }}

),

periods as (

    select *
    from date_periods
    where period_type in ({{ quoted_list(var('tier_period_types')) }})

),

scoped_facts as (

    select
        facts.*,
        facts.platform as scope
    from facts
    where facts.platform != 'all'

    union all

    select
        facts.*,
        'all' as scope
    from facts

),

tiered_facts as (

    select
        scoped_facts.*,
        schemes.tier_scheme,
        coalesce(tiers.tier, 'unknown') as tier,
        {{ business_date('scoped_facts.as_of_at') }} as fact_date

    from scoped_facts
    cross join schemes

    -- ranges of one creator, platform and scheme never overlap: an instant meets one
    left join tiers
        on
            scoped_facts.creator_key = tiers.creator_key
            and scoped_facts.scope = tiers.platform
            and schemes.tier_scheme = tiers.tier_scheme
            and {{ is_valid_at('tiers', 'scoped_facts.as_of_at') }}

),

creator_dates as (

    select
        tier_scheme,
        tier,
        scope,
        creator_key,
        fact_date,
        measure,
        sum(unit_count) as unit_count,
        sum(numerator_count) as numerator_count,
        sum(denominator_count) as denominator_count

    from tiered_facts

    group by tier_scheme, tier, scope, creator_key, fact_date, measure

),

creator_periods as (

    select
        creator_dates.tier_scheme,
        creator_dates.tier,
        creator_dates.scope as platform,
        creator_dates.creator_key,
        periods.period_type,
        periods.period_start_date,
        creator_dates.measure,
        cast(sum(creator_dates.unit_count) as bigint) as unit_count,
        cast(sum(creator_dates.numerator_count) as bigint) as numerator_count,
        cast(sum(creator_dates.denominator_count) as bigint) as denominator_count

    from creator_dates

    -- fans out on purpose: a day lies in one period of each type
    inner join periods on creator_dates.fact_date = periods.calendar_date

    group by
        creator_dates.tier_scheme,
        creator_dates.tier,
        creator_dates.scope,
        creator_dates.creator_key,
        periods.period_type,
        periods.period_start_date,
        creator_dates.measure

),

-- Sponsored against organic is a comparison within a creator: only those with posts of both kinds.
both_sides as (

    select
        sponsored.tier_scheme,
        sponsored.tier,
        sponsored.platform,
        sponsored.creator_key,
        sponsored.period_type,
        sponsored.period_start_date,
        'sponsored_organic_ratio' as measure,
        sponsored.unit_count + organic.unit_count as unit_count,
        sponsored.numerator_count,
        sponsored.denominator_count,
        organic.numerator_count as other_numerator_count,
        organic.denominator_count as other_denominator_count

    from creator_periods as sponsored

    -- one row per cell, creator and measure
    inner join creator_periods as organic
        on
            sponsored.tier_scheme = organic.tier_scheme
            and sponsored.tier = organic.tier
            and sponsored.platform = organic.platform
            and sponsored.creator_key = organic.creator_key
            and sponsored.period_type = organic.period_type
            and sponsored.period_start_date = organic.period_start_date
            and organic.measure = 'organic_engagement'

    where sponsored.measure = 'sponsored_engagement'

),

measured_periods as (

    select
        *,
        cast(null as bigint) as other_numerator_count,
        cast(null as bigint) as other_denominator_count
    from creator_periods

    union all

    select * from both_sides

),

-- A creator has one size, whatever tiers a scheme parts her posts into.
audiences as (

    select
        tier_scheme,
        platform,
        creator_key,
        period_type,
        period_start_date,
        -- the mean over the posts, each at its own time
        cast(sum(denominator_count) as double) / sum(unit_count) as mean_follower_count

    from creator_periods

    where measure = 'engagement_by_follower'

    group by tier_scheme, platform, creator_key, period_type, period_start_date

),

final as (

    select
        measured_periods.tier_scheme,
        measured_periods.tier,
        measured_periods.platform,
        niches.niche,
        measured_periods.period_type,
        measured_periods.period_start_date,
        measured_periods.measure,
        measured_periods.creator_key,
        measured_periods.unit_count,
        measured_periods.numerator_count,
        measured_periods.denominator_count,
        measured_periods.other_numerator_count,
        measured_periods.other_denominator_count,
        audiences.mean_follower_count

    from measured_periods

    -- fans out on purpose: a creator counts in one niche and in all of them
    inner join niches on measured_periods.creator_key = niches.creator_key
    -- one row per cell and creator
    left join audiences
        on
            measured_periods.tier_scheme = audiences.tier_scheme
            and measured_periods.platform = audiences.platform
            and measured_periods.creator_key = audiences.creator_key
            and measured_periods.period_type = audiences.period_type
            and measured_periods.period_start_date = audiences.period_start_date

)

select * from final
