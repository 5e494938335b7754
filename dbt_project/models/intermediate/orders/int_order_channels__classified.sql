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

rules as (

    select * from {{ ref('channel_rules') }}

),

utm_creators as (

    select * from {{ ref('int_utm_creators__mapped') }}

),

-- What the shop remembers of the last visit before the order, else the event of the purchase.
last_visits as (

    select
        order_key,
        utm_source,
        utm_medium,
        utm_campaign,
        {{ utm_marks() }} as utm_marks,
        referrer_host,
        1 as evidence_order,
        touch_at as seen_at

    from order_touches

    where touch_role in ('last', 'moment')
        and is_journey_ready

    union all

    select
        order_key,
        utm_source,
        utm_medium,
        utm_campaign,
        {{ utm_marks() }} as utm_marks,
        referrer_host,
        2 as evidence_order,
        occurred_at as seen_at

    from events

    where order_key is not null
        and coalesce(utm_source, utm_medium, utm_campaign, referrer_host) is not null

),

ranked_visits as (

    select
        last_visits.*,
        row_number() over (
            partition by last_visits.order_key
            order by
                last_visits.evidence_order asc,
                last_visits.seen_at desc,
                coalesce(last_visits.utm_source, '') asc,
                coalesce(last_visits.utm_medium, '') asc,
                coalesce(last_visits.utm_campaign, '') asc,
                coalesce(last_visits.referrer_host, '') asc
        ) as visit_rank

    from last_visits

),

deciding_visits as (

    select
        ranked_visits.*,
        utm_creators.utm_marks is not null as has_creator_marks

    from ranked_visits
    left join utm_creators
        on ranked_visits.utm_marks = utm_creators.utm_marks

    where ranked_visits.visit_rank = 1

),

-- The order of the rules decides, so the smallest number that fits.
fitting_rules as (

    select
        deciding_visits.order_key,
        min(rules.rule_order) as rule_order

    from deciding_visits
    cross join rules

    where (
        rules.utm_source_pattern is null
        or {{ regex_matches('deciding_visits.utm_source', 'rules.utm_source_pattern') }}
    )
    and (
        rules.utm_medium_pattern is null
        or {{ regex_matches('deciding_visits.utm_medium', 'rules.utm_medium_pattern') }}
    )
    and (
        rules.referrer_host_pattern is null
        or {{ regex_matches('deciding_visits.referrer_host', 'rules.referrer_host_pattern') }}
    )

    group by deciding_visits.order_key

),

final as (

    select
        orders.order_key,
        case
            when stated_channels.channel_key is not null then stated_channels.channel_key
            when deciding_visits.has_creator_marks then 'creator'
            when rules.channel_key is not null then rules.channel_key
            when
                coalesce(
                    deciding_visits.utm_source,
                    deciding_visits.utm_medium,
                    deciding_visits.utm_campaign
                ) is null
                and deciding_visits.order_key is not null
                then 'direct'
            else 'unknown'
        end as channel_key,
        case
            when stated_channels.channel_key is not null then 'stated'
            when deciding_visits.has_creator_marks then 'creator_marks'
            when rules.channel_key is not null then 'rule'
            when deciding_visits.order_key is not null then 'unmarked_visit'
            else 'no_evidence'
        end as channel_evidence,
        deciding_visits.utm_marks,
        fitting_rules.rule_order

    from orders
    left join channels as stated_channels
        on lower(orders.channel) = stated_channels.channel_key
    left join deciding_visits
        on orders.order_key = deciding_visits.order_key
    left join fitting_rules
        on orders.order_key = fitting_rules.order_key
    left join rules
        on fitting_rules.rule_order = rules.rule_order

)

select * from final
