with drops_snapshots as (

    select * from {{ ref('stg_drops__creator_follower_snapshots') }}

),

final as (

    select
        creator_account_key,
        platform,
        follower_precision,
        method,
        follower_count,
        following_count,
        media_count,
        lifetime_views,
        follower_count_low,
        follower_count_high,
        -- A range is worth its middle: tiers need one number.
        coalesce(
            follower_count,
            cast(floor((follower_count_low + follower_count_high) / 2.0) as bigint),
            follower_count_low
        ) as effective_follower_count,
        observed_at,
        {{ lineage_columns() }}

    from drops_snapshots

)

select * from final
