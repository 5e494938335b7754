with tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

final as (

    select
        creator_key,
        platform,
        tier_scheme,
        tier,
        tier_source,
        tier_scheme = '{{ var("leading_tier_scheme") }}' as is_leading_scheme,
        valid_to_at is null as is_current,
        follower_count,
        valid_from_at,
        valid_to_at

    from tiers

)

select * from final
