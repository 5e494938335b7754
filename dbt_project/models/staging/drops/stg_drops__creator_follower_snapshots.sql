with records as (

    select * from {{ source('raw_drops', 'creator_follower_snapshots') }}

),

passed as (

    select *
    from records
    where {{ in_passed_files() }}

),

newest as (

    {{ newest_version('passed') }}

),

final as (

    select
        {{ platform_key('platform', 'platform_user_id') }} as creator_account_key,
        platform,
        follower_precision,
        method,
        follower_count,
        following_count,
        media_count,
        lifetime_views,
        follower_count_low,
        follower_count_high,
        observed_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
