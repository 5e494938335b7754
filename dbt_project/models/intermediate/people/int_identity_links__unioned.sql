{{ config(materialized='table') }}

with explicit_links as (

    select * from {{ ref('stg_drops__identity_links') }}

),

customers as (

    select * from {{ ref('int_customers__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

clicks as (

    select * from {{ ref('int_link_clicks__unioned') }}

),

-- Everything that says two identities belong together, at the moment it says so. Bots link nobody.
links as (

    select
        left_identity_key,
        right_identity_key,
        link_type,
        first_seen_at as linked_at

    from explicit_links

    where not is_revoked
        and confidence = 'deterministic'

    union all

    -- A link that lasted speaks at its end too: by then nobody else had the device.
    select
        left_identity_key,
        right_identity_key,
        link_type,
        last_seen_at as linked_at

    from explicit_links

    where not is_revoked
        and confidence = 'deterministic'
        and last_seen_at is not null

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as left_identity_key,
        {{ identity_key('email', 'email_pid') }} as right_identity_key,
        'email_match' as link_type,
        created_at as linked_at

    from customers

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as left_identity_key,
        {{ identity_key('user', 'user_pid') }} as right_identity_key,
        'alias' as link_type,
        created_at as linked_at

    from customers

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as left_identity_key,
        {{ identity_key('email', 'email_pid') }} as right_identity_key,
        'email_match' as link_type,
        ordered_at as linked_at

    from orders

    where not is_test

    union all

    select
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('email', 'email_pid') }}
        ) as left_identity_key,
        {{ identity_key('user', 'user_pid') }} as right_identity_key,
        'checkout' as link_type,
        ordered_at as linked_at

    from orders

    where not is_test

    union all

    select
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('user', 'user_pid') }},
            {{ identity_key('email', 'email_pid') }}
        ) as left_identity_key,
        {{ identity_key('visitor', 'visitor_pid') }} as right_identity_key,
        'checkout' as link_type,
        ordered_at as linked_at

    from orders

    where not is_test

    union all

    select
        {{ identity_key('user', 'user_pid') }} as left_identity_key,
        {{ identity_key('visitor', 'visitor_pid') }} as right_identity_key,
        'login' as link_type,
        occurred_at as linked_at

    from events

    where not is_bot

    union all

    select
        {{ identity_key('user', 'user_pid') }} as left_identity_key,
        {{ identity_key('visitor', 'visitor_pid') }} as right_identity_key,
        'login' as link_type,
        clicked_at as linked_at

    from clicks

    where not is_bot

),

-- A device always stands on the right, whichever side the feed put it on.
final as (

    select
        case
            when left_identity_key like 'visitor:%' then right_identity_key
            else left_identity_key
        end as left_identity_key,
        case
            when left_identity_key like 'visitor:%' then left_identity_key
            else right_identity_key
        end as right_identity_key,
        link_type,
        left_identity_key like 'visitor:%' or right_identity_key like 'visitor:%' as is_device_link,
        linked_at

    from links

    where left_identity_key is not null
        and right_identity_key is not null
        and left_identity_key != right_identity_key

)

select * from final
