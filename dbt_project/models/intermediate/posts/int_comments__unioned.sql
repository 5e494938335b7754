with drops_comments as (

    select * from {{ ref('stg_drops__comments') }}

),

final as (

    select
        comment_key,
        post_key,
        parent_comment_key,
        commenter_pid,
        platform,
        lang,
        is_creator,
        is_hidden,
        is_question,
        is_spam_like,
        has_mention,
        like_count,
        text_len,
        emoji_count,
        {{ business_date('commented_at') }} as commented_date,
        commented_at,
        {{ lineage_columns() }}

    from drops_comments

)

select * from final
