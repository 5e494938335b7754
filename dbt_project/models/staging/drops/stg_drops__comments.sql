with records as (

    select * from {{ source('raw_drops', 'comments') }}

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
        {{ platform_key('platform', 'comment_id') }} as comment_key,
        {{ platform_key('platform', 'post_id') }} as post_key,
        {{ platform_key('platform', 'parent_comment_id') }} as parent_comment_key,
        commenter_pid,
        platform,
        text_hash,
        lang,
        coalesce(is_creator, false) as is_creator,
        is_hidden,
        is_question,
        is_spam_like,
        has_mention,
        like_count,
        text_len,
        emoji_count,
        commented_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
