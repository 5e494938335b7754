with creators as (

    select * from {{ ref('int_creators__unioned') }}

),

accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

follower_ranges as (

    select * from {{ ref('int_creator_followers__ranged') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

customers as (

    select * from {{ ref('int_customers__unioned') }}

),

account_platforms as (

    select
        creator_key,
        platform,
        count(*) as account_count

    from accounts

    where creator_key is not null

    group by creator_key, platform

),

platforms_by_creator as (

    select
        creator_key,
        {{ ordered_list('platform', 'platform') }} as platforms,
        cast(sum(account_count) as bigint) as account_count

    from account_platforms

    group by creator_key

),

open_tiers as (

    select
        creator_key,
        tier_scheme,
        tier,
        '"' || tier_scheme || '":"' || tier || '"' as tier_in_json

    from tiers

    where
        platform = 'all'
        and valid_to_at is null

),

current_tiers as (

    select
        creator_key,
        -- names of schemes and tiers are our own, so plain text makes safe JSON
        '{' || {{ ordered_list('tier_in_json', 'tier_scheme') }} || '}' as current_tiers,
        any_value(tier) filter (where tier_scheme = '{{ var("leading_tier_scheme") }}')
            as current_tier

    from open_tiers

    group by creator_key

),

-- A tier's range says how many there were when it began; an account's open range, how many last.
last_counts as (

    select
        creator_key,
        max(follower_count) as follower_count

    from follower_ranges

    where valid_to_at is null

    group by creator_key

),

activities as (

    select
        creator_key,
        posted_at as active_at,
        1 as post_count
    from posts
    where creator_key is not null

    union all

    select
        creator_key,
        touch_at as active_at,
        0 as post_count
    from touches
    where creator_key is not null

    union all

    select
        code_creator_key as creator_key,
        ordered_at as active_at,
        0 as post_count
    from orders
    where code_creator_key is not null

),

activity_by_creator as (

    select
        creator_key,
        cast(sum(post_count) as bigint) as post_count,
        min(active_at) as first_activity_at,
        max(active_at) as last_activity_at

    from activities

    group by creator_key

),

enrolled_creators as (

    select
        creators.creator_key,
        customers.customer_key,
        creators.creator_pid,
        creators.source,
        -- a handle in the clear needs a contract or a consent
        case
            when creators.consent_basis in ('contract', 'consent') then creators.display_handle
        end as display_handle,
        creators.niche,
        creators.status,
        creators.consent_basis,
        platforms_by_creator.platforms,
        '{{ var("leading_tier_scheme") }}' as current_tier_scheme,
        coalesce(current_tiers.current_tier, 'unknown') as current_tier,
        current_tiers.current_tiers,
        false as is_member,
        creators.is_only_named,
        customers.customer_key is not null as is_customer_creator,
        creators.is_deleted,
        coalesce(platforms_by_creator.account_count, 0) as account_count,
        coalesce(activity_by_creator.post_count, 0) as post_count,
        last_counts.follower_count,
        creators.agreed_commission_rate,
        creators.program_joined_at as joined_at,
        creators.program_left_at as left_at,
        activity_by_creator.first_activity_at,
        activity_by_creator.last_activity_at

    from creators

    -- every right side is one row per creator (or per customer), so no join can fan out
    left join customers on creators.customer_key = customers.customer_key
    left join platforms_by_creator on creators.creator_key = platforms_by_creator.creator_key
    left join current_tiers on creators.creator_key = current_tiers.creator_key
    left join last_counts on creators.creator_key = last_counts.creator_key
    left join activity_by_creator on creators.creator_key = activity_by_creator.creator_key

),

members as (

    select 'unattributed' as creator_key

    union all

    select 'ambiguous' as creator_key

),

final as (

    select * from enrolled_creators

    union all

    select
        creator_key,
        cast(null as varchar) as customer_key,
        cast(null as varchar) as creator_pid,
        'setae' as source,
        cast(null as varchar) as display_handle,
        cast(null as varchar) as niche,
        'member' as status,
        cast(null as varchar) as consent_basis,
        cast(null as varchar) as platforms,
        '{{ var("leading_tier_scheme") }}' as current_tier_scheme,
        'unknown' as current_tier,
        cast(null as varchar) as current_tiers,
        true as is_member,
        false as is_only_named,
        false as is_customer_creator,
        false as is_deleted,
        cast(0 as bigint) as account_count,
        cast(0 as bigint) as post_count,
        cast(null as bigint) as follower_count,
        cast(null as {{ dbt.type_float() }}) as agreed_commission_rate,
        cast(null as timestamp) as joined_at,
        cast(null as timestamp) as left_at,
        cast(null as timestamp) as first_activity_at,
        cast(null as timestamp) as last_activity_at
    from members

)

select * from final
