with links as (

    select * from {{ ref('int_tracked_links__unioned') }}

),

-- Source and medium alone are too common to mean somebody.
marked_links as (

    select
        {{ utm_marks() }} as utm_marks,
        creator_key,
        link_key,
        platform,
        post_key,
        campaign_key

    from links

    where creator_key is not null
        and (utm_campaign is not null or utm_content is not null)

),

-- Marks that two creators share are ambiguous, never given to one of them (rule Q16).
final as (

    select
        utm_marks,
        case when count(distinct creator_key) = 1 then min(creator_key) end as creator_key,
        case when count(distinct link_key) = 1 then min(link_key) end as link_key,
        case when count(distinct post_key) = 1 then min(post_key) end as post_key,
        case when count(distinct campaign_key) = 1 then min(campaign_key) end as campaign_key,
        case when count(distinct platform) = 1 then min(platform) end as platform,
        count(distinct creator_key) > 1 as is_ambiguous

    from marked_links

    group by utm_marks

)

select * from final
