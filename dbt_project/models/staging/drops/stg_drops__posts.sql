with records as (

    select * from {{ source('raw_drops', 'posts') }}

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
        {{ platform_key('platform', 'post_id') }} as post_key,
        {{ platform_key('platform', 'platform_user_id') }} as creator_account_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        post_id,
        platform,
        format,
        unavailable_reason,
        permalink,
        caption_hash,
        hashtags,
        mentions_pid,
        has_paid_label,
        has_ai_label,
        coalesce(is_available, true) as is_available,
        caption_len,
        duration_s,
        posted_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
