with posts as (

    select * from {{ ref('int_posts__unioned') }}

),

followers as (

    select * from {{ ref('int_creator_followers__ranged') }}

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where tier_scheme = '{{ var("leading_tier_scheme") }}'

),

labelled_posts as (

    select
        *,
        -- The feed may know of the label, of the campaign, or of a disclosing hashtag: any one
        -- tells that the post was paid for. A silent feed reads as "not disclosed", never as NULL.
        coalesce(has_paid_label, false) as has_label,
        {{ has_disclosure_hashtag('hashtags') }} as has_hashtag

    from posts

),

final as (

    select
        labelled_posts.post_key,
        labelled_posts.creator_key,
        labelled_posts.creator_account_key,
        labelled_posts.campaign_key,
        labelled_posts.posted_date,
        labelled_posts.source,
        labelled_posts.platform,
        labelled_posts.format,
        labelled_posts.unavailable_reason,
        '{{ var("leading_tier_scheme") }}' as tier_scheme,
        coalesce(platform_tiers.tier, creator_tiers.tier, 'unknown') as tier,
        coalesce(platform_tiers.tier_source, creator_tiers.tier_source, 'unknown') as tier_source,
        labelled_posts.campaign_key is not null
        or labelled_posts.has_label
        or labelled_posts.has_hashtag as is_sponsored,
        labelled_posts.has_label or labelled_posts.has_hashtag as has_disclosure,
        labelled_posts.is_available,
        labelled_posts.is_deleted,
        labelled_posts.caption_len as caption_character_count,
        followers.follower_count,
        labelled_posts.duration_s as duration_seconds,
        labelled_posts.posted_at

    from labelled_posts

    -- ranges of one account (or creator, platform and scheme) never overlap: an instant meets one
    left join followers
        on
            labelled_posts.creator_account_key = followers.creator_account_key
            and {{ is_valid_at('followers', 'labelled_posts.posted_at') }}
    left join tiers as platform_tiers
        on
            labelled_posts.creator_key = platform_tiers.creator_key
            and labelled_posts.platform = platform_tiers.platform
            and {{ is_valid_at('platform_tiers', 'labelled_posts.posted_at') }}
    left join tiers as creator_tiers
        on
            labelled_posts.creator_key = creator_tiers.creator_key
            and creator_tiers.platform = 'all'
            and {{ is_valid_at('creator_tiers', 'labelled_posts.posted_at') }}

)

select * from final
