{{ config(materialized='table') }}

with events as (

    select * from {{ ref('int_activity_events__unioned') }}

),

order_touches as (

    select * from {{ ref('int_order_touches__unioned') }}

),

channels as (

    select * from {{ ref('channels') }}

),

rules as (

    select * from {{ ref('channel_rules') }}

),

-- Visits repeat their marks: classifying each set once spares a regular expression an event.
seen_marks as (

    select
        {{ channel_marks() }} as channel_marks,
        channel,
        utm_source,
        utm_medium,
        utm_campaign,
        referrer_host
    from events

    union distinct

    select
        {{ channel_marks('null') }} as channel_marks,
        cast(null as varchar) as channel,
        utm_source,
        utm_medium,
        utm_campaign,
        referrer_host
    from order_touches

),

-- An empty text and an absent one read the same, so the grouping brings them back to one row.
distinct_marks as (

    select
        channel_marks,
        min({{ snake_case('channel') }}) as stated_channel_key,
        min(utm_source) as utm_source,
        min(utm_medium) as utm_medium,
        min(utm_campaign) as utm_campaign,
        min(referrer_host) as referrer_host

    from seen_marks

    where channel_marks is not null

    group by channel_marks

),

-- The order of the rules decides, so the smallest number that fits.
fitting_rules as (

    select
        distinct_marks.channel_marks,
        min(rules.rule_order) as rule_order

    from distinct_marks
    cross join rules

    where (
        coalesce(rules.utm_source_pattern, '') = ''
        or {{ regex_matches('distinct_marks.utm_source', 'rules.utm_source_pattern') }}
    )
    and (
        coalesce(rules.utm_medium_pattern, '') = ''
        or {{ regex_matches('distinct_marks.utm_medium', 'rules.utm_medium_pattern') }}
    )
    and (
        coalesce(rules.utm_campaign_pattern, '') = ''
        or {{ regex_matches('distinct_marks.utm_campaign', 'rules.utm_campaign_pattern') }}
    )
    and (
        coalesce(rules.referrer_host_pattern, '') = ''
        or {{ regex_matches('distinct_marks.referrer_host', 'rules.referrer_host_pattern') }}
    )

    group by distinct_marks.channel_marks

),

final as (

    select
        distinct_marks.channel_marks,
        coalesce(stated_channels.channel_key, rules.channel_key, 'unknown') as channel_key,
        case
            when stated_channels.channel_key is not null then 'stated'
            when rules.channel_key is not null then 'rule'
            else 'no_rule'
        end as channel_evidence,
        case when stated_channels.channel_key is null then fitting_rules.rule_order end
            as rule_order

    from distinct_marks

    -- channel_key is unique in channels, rule_order in rules
    left join channels as stated_channels
        on distinct_marks.stated_channel_key = stated_channels.channel_key
    left join fitting_rules
        on distinct_marks.channel_marks = fitting_rules.channel_marks
    left join rules
        on fitting_rules.rule_order = rules.rule_order

)

select * from final
