{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('int_orders__unioned') }}

),

order_touches as (

    select * from {{ ref('int_order_touches__unioned') }}

),

events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

channels as (

    select * from {{ ref('channels') }}

),

classified_marks as (

    select * from {{ ref('int_channel_marks__classified') }}

),

utm_creators as (

    select * from {{ ref('int_utm_creators__mapped') }}

),

-- What the shop remembers of the last visit before the order, else the event of the purchase.
last_visits as (

    select
        order_key,
        {{ utm_marks() }} as utm_marks,
        {{ channel_marks('null') }} as channel_marks,
        1 as evidence_order,
        touch_at as seen_at

    from order_touches

    where touch_role in ('last', 'moment')
        and is_journey_ready

    union all

    select
        order_key,
        {{ utm_marks() }} as utm_marks,
        {{ channel_marks() }} as channel_marks,
        2 as evidence_order,
        occurred_at as seen_at

    from events

    where order_key is not null
        and {{ channel_marks() }} is not null

),

ranked_visits as (

    select
        last_visits.*,
        row_number() over (
            partition by last_visits.order_key
            order by
                last_visits.evidence_order asc,
                last_visits.seen_at desc,
                coalesce(last_visits.channel_marks, '') asc,
                last_visits.utm_marks asc
        ) as visit_rank

    from last_visits

),

deciding_visits as (

    select
        ranked_visits.*,
        utm_creators.utm_marks is not null as has_creator_marks

    from ranked_visits

    -- the ranges of a set of marks never overlap
    left join utm_creators
        on
            ranked_visits.utm_marks = utm_creators.utm_marks
            and {{ is_valid_at('utm_creators', 'ranked_visits.seen_at') }}

    where ranked_visits.visit_rank = 1

),

final as (

    select
        orders.order_key,
        case
            when stated_channels.channel_key is not null then stated_channels.channel_key
            when deciding_visits.has_creator_marks then 'creator'
            when classified_marks.channel_key is not null then classified_marks.channel_key
            when deciding_visits.order_key is not null then 'direct'
            else 'unknown'
        end as channel_key,
        case
            when stated_channels.channel_key is not null then 'stated'
            when deciding_visits.has_creator_marks then 'creator_marks'
            when classified_marks.channel_key is not null then classified_marks.channel_evidence
            when deciding_visits.order_key is not null then 'unmarked_visit'
            else 'no_evidence'
        end as channel_evidence,
        deciding_visits.utm_marks,
        case
            when stated_channels.channel_key is null and not deciding_visits.has_creator_marks
                then classified_marks.rule_order
        end as rule_order

    from orders

    -- channel_key and channel_marks are unique on the right, an order has one deciding visit
    left join channels as stated_channels
        on lower(orders.channel) = stated_channels.channel_key
    left join deciding_visits
        on orders.order_key = deciding_visits.order_key
    left join classified_marks
        on deciding_visits.channel_marks = classified_marks.channel_marks

)

select * from final
