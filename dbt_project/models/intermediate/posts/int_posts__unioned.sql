{{ config(materialized='table') }}

with drops_posts as (

    select * from {{ ref('stg_drops__posts') }}

),

accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

-- A feed may name the creator and not the account; with one account on the platform it is clear.
sole_accounts as (

    select
        creator_key,
        platform,
        any_value(creator_account_key) as creator_account_key

    from accounts

    where creator_key is not null

    group by creator_key, platform

    having count(*) = 1

),

final as (

    select
        drops_posts.post_key,
        coalesce(
            drops_posts.creator_account_key,
            sole_accounts.creator_account_key
        ) as creator_account_key,
        coalesce(drops_posts.creator_key, accounts.creator_key) as creator_key,
        drops_posts.campaign_key,
        drops_posts.post_id,
        {{ business_date('drops_posts.posted_at') }} as posted_date,
        drops_posts.platform,
        drops_posts.format,
        drops_posts.unavailable_reason,
        drops_posts.permalink,
        drops_posts.caption_hash,
        drops_posts.hashtags,
        drops_posts.mentions_pid,
        drops_posts.has_paid_label,
        drops_posts.has_ai_label,
        drops_posts.is_available,
        drops_posts.caption_len,
        drops_posts.duration_s,
        drops_posts.posted_at,
        drops_posts.source,
        drops_posts.source_account,
        drops_posts.source_record_id,
        drops_posts.source_updated_at,
        drops_posts.extracted_at,
        drops_posts.load_id,
        drops_posts.record_hash,
        drops_posts.is_deleted

    from drops_posts
    left join accounts
        on drops_posts.creator_account_key = accounts.creator_account_key
    left join sole_accounts
        on drops_posts.creator_key = sole_accounts.creator_key
            and drops_posts.platform = sole_accounts.platform

)

select * from final
