-- At every moment a creator has exactly one tier on a platform and in a scheme.
with tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

neighbours as (

    select
        creator_key,
        platform,
        tier_scheme,
        valid_from_at,
        valid_to_at,
        lag(valid_to_at) over tier_history as previous_valid_to_at,
        row_number() over tier_history as range_number,
        count(*) over (partition by creator_key, platform, tier_scheme) as range_count

    from tiers

    window tier_history as (
        partition by creator_key, platform, tier_scheme
        order by valid_from_at
    )

),

final as (

    select
        creator_key,
        platform,
        tier_scheme,
        valid_from_at

    from neighbours

    where (range_number = 1 and valid_from_at != {{ beginning_of_time() }})
        or (range_number > 1 and previous_valid_to_at is null)
        or (range_number > 1 and previous_valid_to_at != valid_from_at)
        or (range_number = range_count and valid_to_at is not null)
        or valid_to_at <= valid_from_at

)

select * from final
