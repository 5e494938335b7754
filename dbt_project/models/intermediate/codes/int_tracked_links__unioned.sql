with drops_links as (

    select * from {{ ref('stg_drops__tracked_links') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

-- A link names its post by the platform's id alone; an id that two platforms share says nothing.
posts_by_id as (

    select
        post_id,
        any_value(post_key) as post_key,
        any_value(creator_key) as creator_key

    from posts

    group by post_id

    having count(*) = 1

),

final as (

    select
        drops_links.link_key,
        coalesce(drops_links.creator_key, posts_by_id.creator_key) as creator_key,
        drops_links.campaign_key,
        posts_by_id.post_key,
        drops_links.post_id,
        drops_links.platform,
        drops_links.slug,
        drops_links.target_url,
        drops_links.utm_source,
        drops_links.utm_medium,
        drops_links.utm_campaign,
        drops_links.utm_content,
        drops_links.utm_term,
        drops_links.valid_from_at,
        drops_links.valid_to_at,
        drops_links.source,
        drops_links.source_account,
        drops_links.source_record_id,
        drops_links.source_updated_at,
        drops_links.extracted_at,
        drops_links.load_id,
        drops_links.record_hash,
        drops_links.is_deleted

    from drops_links
    left join posts_by_id
        on drops_links.post_id = posts_by_id.post_id

)

select * from final
