{{ config(materialized='table') }}

with changed_references as (

    select * from {{ ref('int_changed_references__expanded') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

),

events as (

    select * from {{ ref('int_activity_events__resolved') }}

),

raw_events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

clicks as (

    select * from {{ ref('int_link_clicks__unioned') }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

),

redemptions as (

    select * from {{ ref('int_code_redemptions__matched') }}

),

order_codes as (

    select * from {{ ref('int_order_discount_codes__unioned') }}

),

order_touches as (

    select * from {{ ref('int_order_touches__unioned') }}

),

-- A link concerns everybody who clicked on it, and a visit that names a click changes whose it is.
changed_clicks as (

    select clicks.*

    from clicks
    inner join changed_references
        on clicks.link_key = changed_references.reference_value
            and changed_references.reference_type = 'link'

    union

    select clicks.*

    from clicks
    inner join changed_references
        on clicks.click_key = changed_references.reference_value
            and changed_references.reference_type = 'click'

),

-- A device that changed concerns everybody who ever had it.
changed_identities as (

    select reference_value as identity_key

    from changed_references

    where reference_type = 'identity'

    union

    select {{ identity_key('visitor', 'visitor_pid') }} as identity_key

    from changed_clicks

    union

    select {{ identity_key('user', 'user_pid') }} as identity_key

    from changed_clicks

),

affected as (

    select
        persons.person_key,
        'identity' as reason

    from persons
    inner join changed_identities
        on persons.identity_key = changed_identities.identity_key

    union all

    select
        orders.person_key,
        'order' as reason

    from orders
    inner join changed_references
        on orders.order_key = changed_references.reference_value
            and changed_references.reference_type = 'order'

    union all

    select
        orders.person_key,
        'code' as reason

    from orders
    inner join order_codes
        on orders.order_key = order_codes.order_key
    inner join changed_references
        on order_codes.code_norm = changed_references.reference_value
            and changed_references.reference_type = 'code'

    union all

    -- With other products a redemption may find another order of its customer.
    select
        persons.person_key,
        'code' as reason

    from redemptions
    inner join changed_references
        on redemptions.code_norm = changed_references.reference_value
            and changed_references.reference_type = 'code'
    inner join persons
        on {{ identity_key('customer', 'redemptions.customer_pid') }} = persons.identity_key

    union all

    select
        touches.person_key,
        'creator' as reason

    from touches
    inner join changed_references
        on touches.creator_key = changed_references.reference_value
            and changed_references.reference_type = 'creator'

    union all

    select
        orders.person_key,
        'creator' as reason

    from orders
    inner join order_codes
        on orders.order_key = order_codes.order_key
    inner join changed_references
        on order_codes.creator_key = changed_references.reference_value
            and changed_references.reference_type = 'creator'

    union all

    select
        events.person_key,
        'post' as reason

    from events
    inner join raw_events
        on events.event_key = raw_events.event_key
    inner join changed_references
        on raw_events.post_id = changed_references.reference_value
            and changed_references.reference_type = 'post'

    union all

    -- A click that arrives takes the place of the visit that named it.
    select
        events.person_key,
        'click' as reason

    from events
    inner join changed_references
        on events.click_key = changed_references.reference_value
            and changed_references.reference_type = 'click'

    union all

    select
        events.person_key,
        'link' as reason

    from events
    inner join changed_clicks
        on events.click_key = changed_clicks.click_key
    inner join changed_references
        on changed_clicks.link_key = changed_references.reference_value
            and changed_references.reference_type = 'link'

    union all

    select
        events.person_key,
        'link' as reason

    from events
    inner join changed_references
        on {{ utm_marks() }} = changed_references.reference_value
            and changed_references.reference_type = 'marks'

    union all

    select
        orders.person_key,
        'link' as reason

    from order_touches
    inner join changed_references
        on {{ utm_marks() }} = changed_references.reference_value
            and changed_references.reference_type = 'marks'
    inner join orders
        on order_touches.order_key = orders.order_key

),

final as (

    select
        person_key,
        min(reason) as reason

    from affected

    group by person_key

)

select * from final
