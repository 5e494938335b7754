{{ config(materialized='table') }}

with links as (

    select * from {{ ref('int_identity_links__unioned') }}

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

exposures as (

    select * from {{ ref('int_campaign_exposures__unioned') }}

),

redemptions as (

    select * from {{ ref('int_code_redemptions__matched') }}

),

sightings as (

    select
        {{ identity_key('customer', 'customer_pid') }} as identity_key,
        created_at as seen_at

    from customers

    union all

    select
        {{ identity_key('email', 'email_pid') }} as identity_key,
        created_at as seen_at

    from customers

    union all

    select
        {{ identity_key('user', 'user_pid') }} as identity_key,
        created_at as seen_at

    from customers

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as identity_key,
        ordered_at as seen_at

    from orders

    union all

    select
        {{ identity_key('email', 'email_pid') }} as identity_key,
        ordered_at as seen_at

    from orders

    union all

    select
        {{ identity_key('user', 'user_pid') }} as identity_key,
        ordered_at as seen_at

    from orders

    union all

    select
        {{ identity_key('visitor', 'visitor_pid') }} as identity_key,
        ordered_at as seen_at

    from orders

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as identity_key,
        occurred_at as seen_at

    from events

    union all

    select
        {{ identity_key('user', 'user_pid') }} as identity_key,
        occurred_at as seen_at

    from events

    union all

    select
        {{ identity_key('visitor', 'visitor_pid') }} as identity_key,
        occurred_at as seen_at

    from events

    union all

    select
        {{ identity_key('user', 'user_pid') }} as identity_key,
        clicked_at as seen_at

    from clicks

    union all

    select
        {{ identity_key('visitor', 'visitor_pid') }} as identity_key,
        clicked_at as seen_at

    from clicks

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as identity_key,
        exposed_at as seen_at

    from exposures

    union all

    select
        {{ identity_key('visitor', 'visitor_pid') }} as identity_key,
        exposed_at as seen_at

    from exposures

    union all

    select
        {{ identity_key('email', 'email_pid') }} as identity_key,
        exposed_at as seen_at

    from exposures

    union all

    select
        {{ identity_key('customer', 'customer_pid') }} as identity_key,
        cast(null as timestamp) as seen_at

    from redemptions

    union all

    select
        left_identity_key as identity_key,
        linked_at as seen_at

    from links

    union all

    select
        right_identity_key as identity_key,
        linked_at as seen_at

    from links

),

identities as (

    select
        identity_key,
        min(seen_at) as first_seen_at

    from sightings

    where identity_key is not null

    group by identity_key

),

authenticated_identities as (

    select
        identity_key as node,
        first_seen_at

    from identities

    where identity_key not like 'visitor:%'

),

-- Authenticated identities never merge through a device: a family shares it.
identity_pairs as (

    select
        left_identity_key as left_node,
        right_identity_key as right_node

    from links

    where not is_device_link

    union

    select
        right_identity_key as left_node,
        left_identity_key as right_node

    from links

    where not is_device_link

),

components as (

    {{ connected_components('authenticated_identities', 'identity_pairs') }}

),

ranked_members as (

    select
        components.node as identity_key,
        components.component,
        row_number() over (
            partition by components.component
            order by
                coalesce(authenticated_identities.first_seen_at, {{ end_of_time() }}) asc,
                components.node asc
        ) as member_rank,
        count(*) over (partition by components.component) as member_count

    from components
    inner join authenticated_identities
        on components.node = authenticated_identities.node

),

-- The key of a person is its oldest member's, so that a later link does not rename him or her.
authenticated_persons as (

    select
        ranked_members.identity_key,
        oldest_members.identity_key as person_key,
        case when ranked_members.member_count > 1 then 'linked' else 'self' end as match_rule

    from ranked_members
    inner join ranked_members as oldest_members
        on ranked_members.component = oldest_members.component
            and oldest_members.member_rank = 1

),

device_authentications as (

    select
        links.right_identity_key as identity_key,
        links.linked_at,
        max(authenticated_persons.person_key) as person_key

    from links
    inner join authenticated_persons
        on links.left_identity_key = authenticated_persons.identity_key

    where links.is_device_link
        and links.linked_at is not null

    group by links.right_identity_key, links.linked_at

),

compared_authentications as (

    select
        device_authentications.*,
        lag(device_authentications.person_key) over (
            partition by device_authentications.identity_key
            order by device_authentications.linked_at
        ) as previous_person_key

    from device_authentications

),

owner_changes as (

    select
        identity_key,
        person_key,
        -- Who signs in first was there before: people look around, then buy. Otherwise no click of
        -- a new customer would ever lead to an order.
        case when previous_person_key is null then {{ beginning_of_time() }} else linked_at end
            as valid_from_at,
        lead(linked_at) over (
            partition by identity_key
            order by linked_at
        ) as valid_to_at

    from compared_authentications

    where previous_person_key is null
        or previous_person_key != person_key

),

owned_devices as (

    select distinct identity_key from owner_changes

),

ranges as (

    select
        identity_key,
        person_key,
        match_rule,
        {{ beginning_of_time() }} as valid_from_at,
        cast(null as timestamp) as valid_to_at

    from authenticated_persons

    union all

    -- A device on which nobody ever signed in is a person of its own.
    select
        identities.identity_key,
        identities.identity_key as person_key,
        'device_only' as match_rule,
        {{ beginning_of_time() }} as valid_from_at,
        cast(null as timestamp) as valid_to_at

    from identities
    left join owned_devices
        on identities.identity_key = owned_devices.identity_key

    where identities.identity_key like 'visitor:%'
        and owned_devices.identity_key is null

    union all

    -- Any other is the person's who signed in on it last, and before that the first one's.
    select
        identity_key,
        person_key,
        'device_owner' as match_rule,
        valid_from_at,
        valid_to_at

    from owner_changes

),

final as (

    select
        ranges.identity_key,
        ranges.person_key,
        {{ text_before('ranges.identity_key', ':') }} as identity_type,
        {{ text_after('ranges.identity_key', ':') }} as identity_pid,
        ranges.match_rule,
        identities.first_seen_at,
        ranges.valid_from_at,
        ranges.valid_to_at

    from ranges
    inner join identities
        on ranges.identity_key = identities.identity_key

)

select * from final
