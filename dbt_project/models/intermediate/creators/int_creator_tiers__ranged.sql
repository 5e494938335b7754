{{ config(materialized='table') }}

with creators as (

    select * from {{ ref('int_creators__unioned') }}

),

follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

),

tiers as (

    select * from {{ ref('creator_tiers') }}

),

-- The top tier has no end; nobody has more followers than there can be numbers for.
bounded_tiers as (

    select
        tier_scheme,
        tier,
        tier_order,
        min_follower_count,
        coalesce(below_follower_count, 9223372036854775807) as below_follower_count

    from tiers

),

schemes as (

    select tier_scheme
    from tiers
    group by tier_scheme

),

-- Every account in every scheme. The ranges of an account have no gap, and those of a scheme
-- neither, so each range finds exactly one tier.
tiered_ranges as (

    select
        follower_ranges.creator_account_key,
        follower_ranges.creator_key,
        follower_ranges.platform,
        schemes.tier_scheme,
        coalesce(bounded_tiers.tier, 'unknown') as tier,
        coalesce(bounded_tiers.tier_order, -1) as tier_order,
        case
            when follower_ranges.follower_source = 'range' then 'rounded'
            else follower_ranges.follower_source
        end as tier_source,
        follower_ranges.follower_count,
        follower_ranges.valid_from_at

    from follower_ranges
    cross join schemes
    left join bounded_tiers
        on schemes.tier_scheme = bounded_tiers.tier_scheme
            and follower_ranges.follower_count >= bounded_tiers.min_follower_count
            and follower_ranges.follower_count < bounded_tiers.below_follower_count

    where follower_ranges.creator_key is not null

),

compared_ranges as (

    select
        tiered_ranges.*,
        lag(tiered_ranges.tier) over account_history as previous_tier,
        lag(tiered_ranges.tier_source) over account_history as previous_tier_source

    from tiered_ranges

    window account_history as (
        partition by creator_account_key, tier_scheme
        order by valid_from_at
    )

),

-- Daily snapshots rarely move a tier: only changes go on, with the count at their start.
account_changes as (

    select
        creator_account_key,
        creator_key,
        platform,
        tier_scheme,
        tier,
        tier_order,
        tier_source,
        follower_count,
        valid_from_at,
        lead(valid_from_at) over (
            partition by creator_account_key, tier_scheme
            order by valid_from_at
        ) as valid_to_at

    from compared_ranges

    where previous_tier is null
        or previous_tier != tier
        or previous_tier_source != tier_source

),

members as (

    select
        account_changes.creator_key,
        account_changes.platform,
        account_changes.tier_scheme,
        account_changes.creator_account_key as member_key,
        account_changes.tier,
        account_changes.tier_order,
        account_changes.tier_source,
        account_changes.follower_count,
        account_changes.valid_from_at,
        account_changes.valid_to_at

    from account_changes

    union all

    select
        account_changes.creator_key,
        'all' as platform,
        account_changes.tier_scheme,
        account_changes.creator_account_key as member_key,
        account_changes.tier,
        account_changes.tier_order,
        account_changes.tier_source,
        account_changes.follower_count,
        account_changes.valid_from_at,
        account_changes.valid_to_at

    from account_changes

    union all

    -- Nobody is without a tier: a creator without an account is 'unknown' all along.
    select
        creators.creator_key,
        'all' as platform,
        schemes.tier_scheme,
        creators.creator_key as member_key,
        'unknown' as tier,
        -1 as tier_order,
        'unknown' as tier_source,
        cast(null as bigint) as follower_count,
        {{ beginning_of_time() }} as valid_from_at,
        cast(null as timestamp) as valid_to_at

    from creators
    cross join schemes

),

boundaries as (

    select
        creator_key,
        platform,
        tier_scheme,
        valid_from_at

    from members

    group by creator_key, platform, tier_scheme, valid_from_at

),

-- At each boundary the largest account speaks for the creator.
ranked_members as (

    select
        boundaries.creator_key,
        boundaries.platform,
        boundaries.tier_scheme,
        boundaries.valid_from_at,
        members.tier,
        members.tier_source,
        members.follower_count,
        row_number() over (
            partition by
                boundaries.creator_key,
                boundaries.platform,
                boundaries.tier_scheme,
                boundaries.valid_from_at
            order by
                members.tier_order desc,
                coalesce(members.follower_count, -1) desc,
                members.member_key asc
        ) as member_rank

    from boundaries
    inner join members
        on boundaries.creator_key = members.creator_key
            and boundaries.platform = members.platform
            and boundaries.tier_scheme = members.tier_scheme
            and {{ is_valid_at('members', 'boundaries.valid_from_at') }}

),

compared_slices as (

    select
        ranked_members.*,
        lag(ranked_members.tier) over creator_history as previous_tier,
        lag(ranked_members.tier_source) over creator_history as previous_tier_source

    from ranked_members

    where ranked_members.member_rank = 1

    window creator_history as (
        partition by creator_key, platform, tier_scheme
        order by valid_from_at
    )

),

final as (

    select
        creator_key,
        platform,
        tier_scheme,
        tier,
        tier_source,
        follower_count,
        valid_from_at,
        lead(valid_from_at) over (
            partition by creator_key, platform, tier_scheme
            order by valid_from_at
        ) as valid_to_at

    from compared_slices

    where previous_tier is null
        or previous_tier != tier
        or previous_tier_source != tier_source

)

select * from final
