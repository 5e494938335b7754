{% set kinds = [('', 'true'), ('sponsored_', 'is_sponsored'), ('organic_', 'not is_sponsored')] %}
{% set bases = ['follower', 'reach', 'view'] %}
-- What a platform reports is NULL when it did not say: a sum over posts is NULL only when no post
-- said, and each ratio divides only what the *same* posts said of both its parts.
with post_metrics as (

    select * from {{ ref('int_post_metrics_daily__unioned') }}

),

posts as (

    select * from {{ ref('dim_posts') }}

    where creator_key is not null

),

comments as (

    select * from {{ ref('int_comments__unioned') }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        creator_key is not null
        and touch_type = 'link_click'

),

post_days as (

    select
        post_key,
        metric_date as activity_date,
        min(metric_tz) as first_metric_tz,
        max(metric_tz) as last_metric_tz,
        sum(value) filter (where metric = 'views') as view_count,
        sum(value) filter (where metric = 'reach') as reach_count,
        sum(value) filter (where metric = 'likes') as like_count,
        sum(value) filter (where metric = 'comments') as comment_count,
        sum(value) filter (where metric = 'shares') as share_count,
        sum(value) filter (where metric = 'saves') as save_count,
        sum(value) filter (where metric = 'follows') as follow_count,
        coalesce(
            sum(value) filter (where metric in ('likes', 'comments', 'shares', 'saves')),
            sum(value) filter (where metric = 'total_interactions')
        ) as engagement_count

    from post_metrics

    group by post_key, metric_date

),

creator_post_days as (

    select
        posts.creator_key,
        posts.platform,
        posts.is_sponsored,
        posts.follower_count,
        post_days.activity_date,
        post_days.first_metric_tz,
        post_days.last_metric_tz,
        post_days.view_count,
        post_days.reach_count,
        post_days.like_count,
        post_days.comment_count,
        post_days.share_count,
        post_days.save_count,
        post_days.follow_count,
        post_days.engagement_count

    from post_days

    -- post_key is unique in posts
    inner join posts on post_days.post_key = posts.post_key

),

reported_days as (

    select
        creator_key,
        activity_date,
        platform,
        case
            when min(first_metric_tz) = max(last_metric_tz) then min(first_metric_tz) else 'mixed'
        end as metric_tz,
        count(*) as post_count,
        count(*) filter (where is_sponsored) as sponsored_post_count,
        count(*) filter (where not is_sponsored) as organic_post_count,
        sum(view_count) as view_count,
        sum(reach_count) as reach_count,
        sum(like_count) as like_count,
        sum(comment_count) as comment_count,
        sum(share_count) as share_count,
        sum(save_count) as save_count,
        sum(follow_count) as follow_count,
        {% for kind, is_kind in kinds %}
            sum(engagement_count) filter (where {{ is_kind }}) as {{ kind }}engagement_count,
            {% for base in bases %}
                sum(engagement_count) filter (where {{ is_kind }} and {{ base }}_count is not null)
                    as {{ kind }}engagement_by_{{ base }}_numerator_count,
                sum({{ base }}_count) filter (where {{ is_kind }} and engagement_count is not null)
                    as {{ kind }}engagement_by_{{ base }}_denominator_count
                {%- if not loop.last %},{% endif %}
            {% endfor %}
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from creator_post_days

    group by creator_key, activity_date, platform

),

rated_days as (

    select
        *,
        {% for kind, is_kind in kinds %}
            {% for base in bases %}
                {{ safe_rate(
                    kind ~ 'engagement_by_' ~ base ~ '_numerator_count',
                    kind ~ 'engagement_by_' ~ base ~ '_denominator_count'
                ) }} as {{ kind }}engagement_by_{{ base }}_ratio
                {%- if not loop.last %},{% endif %}
            {% endfor %}
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from reported_days

),

reply_days as (

    select
        posts.creator_key,
        comments.commented_date as activity_date,
        posts.platform,
        count(*) filter (where comments.is_creator) as reply_count

    from comments

    -- post_key is unique in posts
    inner join posts on comments.post_key = posts.post_key

    group by posts.creator_key, comments.commented_date, posts.platform

),

click_days as (

    select
        creator_key,
        touch_date as activity_date,
        coalesce(platform, 'other') as platform,
        count(*) as click_count

    from touches

    group by creator_key, touch_date, coalesce(platform, 'other')

),

days as (

    select
        creator_key,
        activity_date,
        platform
    from reported_days

    union distinct

    select
        creator_key,
        activity_date,
        platform
    from reply_days

    union distinct

    select
        creator_key,
        activity_date,
        platform
    from click_days

),

final as (

    select
        days.creator_key,
        days.activity_date,
        days.platform,
        rated_days.metric_tz,
        coalesce(rated_days.post_count, 0) as post_count,
        coalesce(rated_days.sponsored_post_count, 0) as sponsored_post_count,
        coalesce(rated_days.organic_post_count, 0) as organic_post_count,
        cast(rated_days.view_count as bigint) as view_count,
        cast(rated_days.reach_count as bigint) as reach_count,
        cast(rated_days.like_count as bigint) as like_count,
        cast(rated_days.comment_count as bigint) as comment_count,
        reply_days.reply_count,
        cast(rated_days.share_count as bigint) as share_count,
        cast(rated_days.save_count as bigint) as save_count,
        cast(rated_days.follow_count as bigint) as follow_count,
        coalesce(click_days.click_count, 0) as click_count,
        {% for kind, is_kind in kinds %}
            cast({{ 'rated_days.' ~ kind ~ 'engagement_count' }} as bigint)
                as {{ kind ~ 'engagement_count' }},
            {% for base in bases %}
                {% set rate = kind ~ 'engagement_by_' ~ base %}
                cast({{ 'rated_days.' ~ rate ~ '_numerator_count' }} as bigint)
                    as {{ rate ~ '_numerator_count' }},
                cast({{ 'rated_days.' ~ rate ~ '_denominator_count' }} as bigint)
                    as {{ rate ~ '_denominator_count' }},
            {% endfor %}
        {% endfor %}
        {% for kind, is_kind in kinds %}
            {% for base in bases %}
                {{ 'rated_days.' ~ kind ~ 'engagement_by_' ~ base ~ '_ratio' }}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from days

    -- each right side is one row per creator, day and platform, so no join can fan out
    left join rated_days
        on
            days.creator_key = rated_days.creator_key
            and days.activity_date = rated_days.activity_date
            and days.platform = rated_days.platform
    left join reply_days
        on
            days.creator_key = reply_days.creator_key
            and days.activity_date = reply_days.activity_date
            and days.platform = reply_days.platform
    left join click_days
        on
            days.creator_key = click_days.creator_key
            and days.activity_date = click_days.activity_date
            and days.platform = click_days.platform

)

select * from final
