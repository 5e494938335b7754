-- Every scheme begins at nought, every tier begins where the one before ends, the last has no end.
with tiers as (

    select * from {{ ref('creator_tiers') }}

),

neighbours as (

    select
        tier_scheme,
        tier,
        min_follower_count,
        below_follower_count,
        lag(below_follower_count) over scheme_tiers as previous_below_follower_count,
        row_number() over scheme_tiers as tier_number,
        count(*) over (partition by tier_scheme) as tier_count

    from tiers

    window scheme_tiers as (
        partition by tier_scheme
        order by min_follower_count
    )

),

final as (

    select
        tier_scheme,
        tier

    from neighbours

    where (tier_number = 1 and min_follower_count != 0)
        or (tier_number > 1 and previous_below_follower_count is null)
        or (tier_number > 1 and previous_below_follower_count != min_follower_count)
        or (tier_number < tier_count and below_follower_count is null)
        or (tier_number = tier_count and below_follower_count is not null)
        or below_follower_count <= min_follower_count

)

select * from final
