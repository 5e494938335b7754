with drops_comments as (

    select * from {{ ref('stg_drops__comments') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

final as (

    select
        drops_comments.comment_key,
        drops_comments.post_key,
        drops_comments.parent_comment_key,
        drops_comments.commenter_pid,
        drops_comments.platform,
        drops_comments.text_hash,
        drops_comments.lang,
        -- The feed may say so; else the handle of the post's account does.
        drops_comments.is_creator
        or coalesce(drops_comments.commenter_pid = accounts.handle_pid, false) as is_creator,
        drops_comments.is_hidden,
        drops_comments.is_question,
        drops_comments.is_spam_like,
        drops_comments.has_mention,
        drops_comments.like_count,
        drops_comments.text_len,
        drops_comments.emoji_count,
        {{ business_date('drops_comments.commented_at') }} as commented_date,
        drops_comments.commented_at,
        drops_comments.source,
        drops_comments.source_account,
        drops_comments.source_record_id,
        drops_comments.source_updated_at,
        drops_comments.extracted_at,
        drops_comments.load_id,
        drops_comments.record_hash,
        drops_comments.is_deleted

    from drops_comments

    -- post_key is unique in posts, creator_account_key in accounts
    left join posts
        on drops_comments.post_key = posts.post_key
    left join accounts
        on posts.creator_account_key = accounts.creator_account_key

)

select * from final
