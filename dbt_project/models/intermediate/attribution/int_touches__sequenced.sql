{{ config(materialized='table') }}
{%- set is_not_direct = 'party_key not in (' ~ quoted_list(var('direct_party_keys')) ~ ')' %}

with clicks as (

    select * from {{ ref('int_link_clicks__unioned') }}

),

events as (

    select * from {{ ref('int_activity_events__resolved') }}

),

order_touches as (

    select * from {{ ref('int_order_touches__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

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

classified_marks as (

    select * from {{ ref('int_channel_marks__classified') }}

    where channel_key != 'unknown'

),

-- The visit that a click led to, by the click's id in its address: the first page of it.
ranked_landings as (

    select
        click_key,
        person_key,
        row_number() over (
            partition by click_key
            order by occurred_at, event_key
        ) as landing_rank

    from events

    where click_key is not null
        and not is_excluded

),

landings as (

    select
        click_key,
        person_key

    from ranked_landings

    where landing_rank = 1

),

counted_clicks as (

    select
        *,
        {{ identity_key('user', 'user_pid') }} as user_identity_key,
        {{ identity_key('visitor', 'visitor_pid') }} as visitor_identity_key

    from clicks

    where creator_key is not null
        and not is_bot
        and not is_duplicate

),

-- Whose a click is: the user's it names, else of whoever landed by it, else the device's. Links
-- are often opened where the shop's cookie is not read, so a click's own device says least.
identified_clicks as (

    select
        counted_clicks.*,
        coalesce(
            user_ranges.person_key, landings.person_key, device_ranges.person_key
        ) as person_key

    from counted_clicks
    left join persons as user_ranges
        on counted_clicks.user_identity_key = user_ranges.identity_key
            and {{ is_valid_at('user_ranges', 'counted_clicks.clicked_at') }}
    left join landings
        on counted_clicks.click_key = landings.click_key
    left join persons as device_ranges
        on counted_clicks.visitor_identity_key = device_ranges.identity_key
            and {{ is_valid_at('device_ranges', 'counted_clicks.clicked_at') }}

),

link_clicks as (

    select
        'click:' || click_key as touch_key,
        person_key,
        'creator' as party_type,
        creator_key as party_key,
        post_key,
        link_key,
        campaign_key,
        platform,
        'link_click' as touch_type,
        true as is_click,
        false as is_visit,
        clicked_at as touch_at

    from identified_clicks

    where person_key is not null

),

marked_events as (

    select
        *,
        {{ utm_marks() }} as utm_marks,
        {{ channel_marks() }} as channel_marks

    from events

    where not is_excluded

),

-- A visit whose click on a creator's link has been delivered is that click, not a second touch.
events_without_clicks as (

    select marked_events.*

    from marked_events
    left join clicks
        on marked_events.click_key = clicks.click_key

    where clicks.creator_key is null

),

tagged_events as (

    select
        'event:' || events_without_clicks.event_key as touch_key,
        events_without_clicks.person_key,
        'creator' as party_type,
        events_without_clicks.creator_key as party_key,
        events_without_clicks.post_key,
        cast(null as varchar) as link_key,
        posts.campaign_key,
        posts.platform,
        case
            when events_without_clicks.post_key is null then 'tagged_event'
            else 'post_event'
        end as touch_type,
        events_without_clicks.event_type = 'link_click' as is_click,
        false as is_visit,
        events_without_clicks.occurred_at as touch_at

    from events_without_clicks
    left join posts
        on events_without_clicks.post_key = posts.post_key

    where events_without_clicks.creator_key is not null

),

marked_order_touches as (

    select
        *,
        {{ utm_marks() }} as utm_marks,
        {{ channel_marks('null') }} as channel_marks

    from order_touches

    where is_journey_ready

),

-- Visits that say where they came from: of the event feed, and those the shop remembers of an
-- order. A page without any mark says nothing: whether the visit goes on or is a new one, nobody
-- knows. The shop does know, so its unmarked visit is a direct one.
visits as (

    select
        'event:' || event_key as touch_key,
        person_key,
        utm_marks,
        channel_marks,
        {{ source_platform('utm_source') }} as source_platform,
        false as is_remembered,
        occurred_at as touch_at

    from events_without_clicks

    where creator_key is null
        and (channel_marks is not null or utm_marks != '||||')

    union all

    select
        'visit:' || marked_order_touches.order_key || ':' || marked_order_touches.touch_role
        || ':' || cast(marked_order_touches.touch_at as varchar) as touch_key,
        orders.person_key,
        marked_order_touches.utm_marks,
        marked_order_touches.channel_marks,
        {{ source_platform('marked_order_touches.utm_source') }} as source_platform,
        true as is_remembered,
        marked_order_touches.touch_at

    from marked_order_touches

    -- order_key is unique in orders
    inner join orders
        on marked_order_touches.order_key = orders.order_key
            and not orders.is_excluded

),

marked_visits as (

    select
        visits.touch_key,
        visits.person_key,
        case
            when utm_creators.is_ambiguous then 'ambiguous'
            when utm_creators.creator_key is not null then 'creator'
            else 'channel'
        end as party_type,
        case
            when utm_creators.is_ambiguous then 'ambiguous'
            else coalesce(
                    utm_creators.creator_key,
                    classified_marks.channel_key,
                    case
                        when visits.is_remembered and visits.channel_marks is null then 'direct'
                    end
                )
        end as party_key,
        utm_creators.post_key,
        utm_creators.link_key,
        utm_creators.campaign_key,
        case
            when utm_creators.utm_marks is null then visits.source_platform
            else utm_creators.platform
        end as platform,
        case
            when visits.is_remembered then 'order_visit'
            when utm_creators.utm_marks is null then 'channel_visit'
            else 'utm_visit'
        end as touch_type,
        true as is_click,
        true as is_visit,
        visits.touch_at

    from visits

    -- the ranges of a set of marks never overlap, and channel_marks are unique on the right
    left join utm_creators
        on visits.utm_marks = utm_creators.utm_marks
            and {{ is_valid_at('utm_creators', 'visits.touch_at') }}
    left join classified_marks
        on visits.channel_marks = classified_marks.channel_marks

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
        'creator' as party_type,
        counted_exposures.creator_key as party_key,
        cast(null as varchar) as post_key,
        cast(null as varchar) as link_key,
        counted_exposures.campaign_key,
        cast(null as varchar) as platform,
        'campaign_exposure' as touch_type,
        false as is_click,
        false as is_visit,
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

    select * from marked_visits
    where party_key is not null

    union all

    select * from campaign_exposures

),

compared_touches as (

    select
        *,
        lag(touch_at) over (
            partition by person_key, is_click, party_type, party_key
            order by touch_at, touch_key
        ) as previous_touch_at

    from unioned

),

-- Trackers repeat the marks on every page, and the landing page follows its click: pages of one
-- visit are one touch of the path.
repeated_touches as (

    select
        *,
        is_visit
        and coalesce(
            touch_at
            <= previous_touch_at + interval '{{ var("touch_repeat_minutes") }} minutes',
            false
        ) as is_repeat

    from compared_touches

),

path_touches as (

    select
        touch_key,
        row_number() over (
            partition by person_key
            order by touch_at, touch_key
        ) as path_number

    from repeated_touches

    where is_click
        and not is_repeat

),

numbered_touches as (

    select
        repeated_touches.*,
        path_touches.path_number,
        case
            when path_touches.path_number is not null
                then {{ decay_era('repeated_touches.touch_at') }}
        end as decay_era

    from repeated_touches
    left join path_touches
        on repeated_touches.touch_key = path_touches.touch_key

),

final as (

    select
        touch_key,
        person_key,
        party_type,
        party_key,
        case when party_type = 'creator' then party_key end as creator_key,
        post_key,
        link_key,
        campaign_key,
        {{ business_date('touch_at') }} as touch_date,
        platform,
        touch_type,
        is_click,
        is_repeat,
        party_type = 'ambiguous' as is_ambiguous,
        path_number,
        case
            when path_number is not null
                then max(case when {{ is_not_direct }} then path_number end) over (
                        partition by person_key
                        order by path_number
                        rows between unbounded preceding and current row
                    )
        end as last_non_direct_number,
        case
            when path_number is not null
                then max(case when party_type != 'channel' then path_number end) over (
                        partition by person_key
                        order by path_number
                        rows between unbounded preceding and current row
                    )
        end as last_creator_number,
        decay_era,
        {{ decay_weight('touch_at', 'decay_era') }} as decay_weight,
        touch_at

    from numbered_touches

)

select * from final
