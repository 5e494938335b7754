{{ config(materialized='table') }}

with accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

snapshots as (

    select * from {{ ref('int_creator_follower_snapshots__unioned') }}

),

known_accounts as (

    select
        creator_account_key,
        platform

    from accounts

    union

    select
        creator_account_key,
        platform

    from snapshots

),

observations as (

    select
        creator_account_key,
        effective_follower_count as follower_count,
        case
            when follower_count is null then 'range'
            when follower_precision = 'exact' then 'exact'
            else 'rounded'
        end as follower_source,
        observed_at,
        -- An age of exactly the limit is still fresh; timestamps count microseconds.
        observed_at
        + interval '{{ var("tier_staleness_days") }} days'
        + interval '1 microsecond' as stale_from_at,
        lead(observed_at) over (
            partition by creator_account_key
            order by observed_at
        ) as next_observed_at

    from snapshots

    where effective_follower_count is not null

),

first_observations as (

    select
        creator_account_key,
        min(observed_at) as first_observed_at

    from observations

    group by creator_account_key

),

ranges as (

    select
        known_accounts.creator_account_key,
        cast(null as bigint) as follower_count,
        'unknown' as follower_source,
        cast(null as timestamp) as observed_at,
        {{ beginning_of_time() }} as valid_from_at,
        first_observations.first_observed_at as valid_to_at

    from known_accounts
    left join first_observations
        on known_accounts.creator_account_key = first_observations.creator_account_key

    union all

    select
        creator_account_key,
        follower_count,
        follower_source,
        observed_at,
        observed_at as valid_from_at,
        -- least() passes over a NULL
        least(next_observed_at, stale_from_at) as valid_to_at

    from observations

    union all

    select
        creator_account_key,
        follower_count,
        'stale' as follower_source,
        observed_at,
        stale_from_at as valid_from_at,
        next_observed_at as valid_to_at

    from observations

    where next_observed_at is null
        or next_observed_at > stale_from_at

),

final as (

    select
        ranges.creator_account_key,
        accounts.creator_key,
        known_accounts.platform,
        ranges.follower_source,
        ranges.follower_count,
        ranges.observed_at,
        ranges.valid_from_at,
        ranges.valid_to_at

    from ranges
    inner join known_accounts
        on ranges.creator_account_key = known_accounts.creator_account_key
    left join accounts
        on ranges.creator_account_key = accounts.creator_account_key

)

select * from final
