{{ config(materialized='table') }}

with clicks as (

    select * from {{ ref('int_link_clicks__unioned') }}

),

events as (

    select * from {{ ref('int_activity_events__resolved') }}

),

exposures as (

    select * from {{ ref('int_campaign_exposures__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

utm_creators as (

    select * from {{ ref('int_utm_creators__mapped') }}

),

counted_clicks as (

    select
        clicks.*,
        coalesce(
            {{ identity_key('user', 'user_pid') }},
            {{ identity_key('visitor', 'visitor_pid') }}
        ) as identity_key

    from clicks

    where clicks.creator_key is not null
        and not clicks.is_bot
        and not clicks.is_duplicate

),

link_clicks as (

    select
        'click:' || counted_clicks.click_key as touch_key,
        persons.person_key,
        counted_clicks.creator_key,
        counted_clicks.post_key,
        counted_clicks.link_key,
        counted_clicks.campaign_key,
        counted_clicks.platform,
        'link_click' as touch_type,
        true as is_click,
        false as is_ambiguous,
        counted_clicks.clicked_at as touch_at

    from counted_clicks
    inner join persons
        on counted_clicks.identity_key = persons.identity_key
            and {{ is_valid_at('persons', 'counted_clicks.clicked_at') }}

),

-- A visit whose click the link feed has delivered is that click, not a second one.
events_without_clicks as (

    select
        events.*,
        {{ utm_marks() }} as utm_marks

    from events
    left join clicks
        on events.click_key = clicks.click_key

    where clicks.click_key is null
        and not events.is_excluded

),

tagged_events as (

    select
        'event:' || events_without_clicks.event_key as touch_key,
        events_without_clicks.person_key,
        events_without_clicks.creator_key,
        events_without_clicks.post_key,
        cast(null as varchar) as link_key,
        posts.campaign_key,
        posts.platform,
        case
            when events_without_clicks.post_key is null then 'tagged_event'
            else 'post_event'
        end as touch_type,
        events_without_clicks.event_type = 'link_click' as is_click,
        false as is_ambiguous,
        events_without_clicks.occurred_at as touch_at

    from events_without_clicks
    left join posts
        on events_without_clicks.post_key = posts.post_key

    where events_without_clicks.creator_key is not null

),

utm_visits as (

    select
        'event:' || events_without_clicks.event_key as touch_key,
        events_without_clicks.person_key,
        utm_creators.creator_key,
        utm_creators.post_key,
        utm_creators.link_key,
        utm_creators.campaign_key,
        utm_creators.platform,
        'utm_visit' as touch_type,
        true as is_click,
        utm_creators.is_ambiguous,
        events_without_clicks.occurred_at as touch_at

    from events_without_clicks
    -- The marks are the grain of int_utm_creators__mapped, so an event meets at most one row.
    inner join utm_creators
        on events_without_clicks.utm_marks = utm_creators.utm_marks

    where events_without_clicks.creator_key is null

),

counted_exposures as (

    select
        exposures.*,
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('visitor', 'visitor_pid') }},
            {{ identity_key('email', 'email_pid') }}
        ) as identity_key

    from exposures

    where exposures.creator_key is not null
        and exposures.exposed_at is not null

),

campaign_exposures as (

    select
        'exposure:' || counted_exposures.exposure_key as touch_key,
        persons.person_key,
        counted_exposures.creator_key,
        cast(null as varchar) as post_key,
        cast(null as varchar) as link_key,
        counted_exposures.campaign_key,
        cast(null as varchar) as platform,
        'campaign_exposure' as touch_type,
        false as is_click,
        false as is_ambiguous,
        counted_exposures.exposed_at as touch_at

    from counted_exposures
    inner join persons
        on counted_exposures.identity_key = persons.identity_key
            and {{ is_valid_at('persons', 'counted_exposures.exposed_at') }}

),

unioned as (

    select * from link_clicks

    union all

    select * from tagged_events

    union all

    select * from utm_visits

    union all

    select * from campaign_exposures

),

final as (

    select
        touch_key,
        person_key,
        creator_key,
        post_key,
        link_key,
        campaign_key,
        {{ business_date('touch_at') }} as touch_date,
        platform,
        touch_type,
        is_click,
        is_ambiguous,
        touch_at

    from unioned

)

select * from final
