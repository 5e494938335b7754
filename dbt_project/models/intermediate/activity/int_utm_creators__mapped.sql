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
        campaign_key,
        coalesce(valid_from_at, {{ beginning_of_time() }}) as valid_from_at,
        coalesce(valid_to_at, {{ end_of_time() }}) as valid_to_at

    from links

    where creator_key is not null
        and (utm_campaign is not null or utm_content is not null)

),

-- What marks mean can change whenever a link that carries them begins or ends.
changes as (

    select
        utm_marks,
        valid_from_at as changed_at
    from marked_links

    union distinct

    select
        utm_marks,
        valid_to_at as changed_at
    from marked_links

),

ranges as (

    select
        utm_marks,
        changed_at as valid_from_at,
        lead(changed_at) over (
            partition by utm_marks
            order by changed_at
        ) as valid_to_at

    from changes

),

-- Marks that two creators share are ambiguous, never given to one of them (rule Q16).
final as (

    select
        ranges.utm_marks,
        {{ only_value('marked_links.creator_key') }} as creator_key,
        {{ only_value('marked_links.link_key') }} as link_key,
        {{ only_value('marked_links.post_key') }} as post_key,
        {{ only_value('marked_links.campaign_key') }} as campaign_key,
        {{ only_value('marked_links.platform') }} as platform,
        count(distinct marked_links.creator_key) > 1 as is_ambiguous,
        ranges.valid_from_at,
        nullif(ranges.valid_to_at, {{ end_of_time() }}) as valid_to_at

    from ranges

    -- every link that is valid throughout the range; the grouping brings it back to one row
    inner join marked_links
        on
            ranges.utm_marks = marked_links.utm_marks
            and ranges.valid_from_at >= marked_links.valid_from_at
            and ranges.valid_from_at < marked_links.valid_to_at

    group by ranges.utm_marks, ranges.valid_from_at, ranges.valid_to_at

)

select * from final
