{{ config(materialized='table') }}

with events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

-- An event names its post by the platform's id alone; an id that two platforms share says nothing.
posts_by_id as (

    select
        post_id,
        any_value(post_key) as post_key,
        any_value(creator_key) as creator_key

    from posts

    group by post_id

    having count(*) = 1

),

identified_events as (

    select
        events.*,
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('user', 'user_pid') }},
            {{ identity_key('email', 'email_pid') }},
            {{ identity_key('visitor', 'visitor_pid') }}
        ) as identity_key

    from events

),

-- The ranges of an identity neither overlap nor leave a gap, so an event meets exactly one.
resolved_events as (

    select
        identified_events.*,
        persons.person_key,
        posts_by_id.post_key,
        coalesce(identified_events.creator_key, posts_by_id.creator_key) as touched_creator_key

    from identified_events
    inner join persons
        on identified_events.identity_key = persons.identity_key
            and {{ is_valid_at('persons', 'identified_events.occurred_at') }}
    left join posts_by_id
        on identified_events.post_id = posts_by_id.post_id

),

final as (

    select
        event_key,
        person_key,
        touched_creator_key as creator_key,
        post_key,
        product_key,
        order_key,
        click_key,
        {{ business_date('occurred_at') }} as activity_date,
        event_type,
        event_name,
        platform,
        channel,
        device_class,
        time_quality,
        url_host,
        url_path,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_content,
        utm_term,
        referrer_host,
        country,
        is_bot,
        is_in_app_browser,
        is_internal,
        is_bot or is_internal as is_excluded,
        not is_bot
        and not is_internal
        and has_wanted_properties
        and {{ is_event_of(var('activity_event_types'), var('activity_event_names')) }}
            as is_qualifying,
        value_amount,
        currency_code,
        occurred_at,
        source,
        source_account

    from resolved_events

)

select * from final
