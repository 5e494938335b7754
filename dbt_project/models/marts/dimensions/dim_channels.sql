with channels as (

    select * from {{ ref('channels') }}

),

channel_rules as (

    select * from {{ ref('channel_rules') }}

),

rules_by_channel as (

    select
        channel_key,
        {{ ordered_list('description', 'rule_order', ' ') }} as channel_rule,
        min(rule_order) as first_rule_number

    from channel_rules

    group by channel_key

),

final as (

    select
        channels.channel_key,
        channels.description as channel_description,
        coalesce(rules_by_channel.channel_rule, channels.description) as channel_rule,
        -- creators are credited by name; a shop, a bare visit and silence are nobody's marketing
        channels.channel_key not in ('creator', 'store', 'direct', 'unknown')
            as is_marketing_channel,
        channels.is_paid,
        cast(channels.channel_order as bigint) as channel_order_number,
        cast(rules_by_channel.first_rule_number as bigint) as first_rule_number

    from channels

    -- one row per channel on the right
    left join rules_by_channel on channels.channel_key = rules_by_channel.channel_key

)

select * from final
