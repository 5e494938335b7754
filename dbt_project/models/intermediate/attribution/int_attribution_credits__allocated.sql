{#
    Key: order. Recomputed are the orders the new files touch, as in int_order_paths__counted, and with
    the model `markov` every order of several parties: its chain stands on all journeys, so each build
    moves it a little.

    Each model gives every party of an order a weight, a whole number; the weights of an order become
    shares in units of 10^-12: every party gets the whole units its part fills, and the units left over
    go one by one to the largest remainders, ties by key. So shares sum to exactly 1.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key=['order_key', 'model', 'window_days', 'party_type', 'party_key'],
    on_schema_change='fail',
    meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}},
) }}
{%- set code_models = ['code', 'code_then_last_touch'] %}
{%- set first_percent = var('position_based_first_percent') %}
{%- set last_percent = var('position_based_last_percent') %}

with several_parties as (

    {{ orders_of_several_parties() }}

),

order_paths as (

    select * from {{ ref('int_order_paths__counted') }}

    {{ where_affected(
        'order_key',
        ref('int_orders__affected'),
        or_when='order_key in (select several_parties.order_key from several_parties)'
    ) }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    {{ where_affected(
        'order_key',
        ref('int_orders__affected'),
        or_when='order_key in (select several_parties.order_key from several_parties)'
    ) }}

),

removal_effects as (

    select * from {{ ref('int_removal_effects__solved') }}

    where chain_level = 'creator'

),

channels as (

    select * from {{ ref('dim_channels') }}

    where is_marketing_channel

),

rules as (

    {{ attribution_rules() }}

),

order_codes as (

    select
        order_key,
        code_party_type as party_type,
        case when code_party_type = 'creator' then code_creator_key else 'ambiguous' end
            as party_key

    from orders

    where
        not is_excluded
        and code_party_type != 'none'

),

-- Codes say who, windows do not concern them.
code_weights as (

    select
        order_codes.order_key,
        rules.model,
        rules.window_days,
        order_codes.party_type,
        order_codes.party_key,
        cast(1 as decimal(38, 0)) as weight,
        cast(null as timestamp) as touch_at

    from order_codes

    inner join rules on rules.model in ({{ quoted_list(code_models) }})

),

path_weights as (

    select
        order_paths.order_key,
        rules.model,
        order_paths.window_days,
        order_paths.party_type,
        order_paths.party_key,
        case rules.model
            when 'first_touch' then case when order_paths.is_first then 1 else 0 end
            when 'last_touch' then case when order_paths.is_last then 1 else 0 end
            when 'last_non_direct' then case when order_paths.is_last_non_direct then 1 else 0 end
            -- a code wins; else the last creator, else the last channel that is marketing
            when 'code_then_last_touch'
                then
                    case
                        when order_codes.order_key is not null then 0
                        when order_paths.is_last_creator then 1
                        when
                            not order_paths.has_creator
                            and order_paths.is_last_non_direct
                            and channels.channel_key is not null
                            then 1
                        else 0
                    end
            when 'linear' then order_paths.touch_count
            -- one touch has all, two share it as the first and the last of many would
            when 'position_based'
                then
                    (
                        case when order_paths.is_first then {{ first_percent }} else 0 end
                        + case when order_paths.is_last then {{ last_percent }} else 0 end
                    )
                    * case
                        when order_paths.path_touch_count > 2
                            then order_paths.path_touch_count - 2
                        else 1
                    end
                    + case
                        when order_paths.path_touch_count > 2
                            then
                                {{ 100 - first_percent - last_percent }} * (
                                    order_paths.touch_count
                                    - case when order_paths.is_first then 1 else 0 end
                                    - case when order_paths.is_last then 1 else 0 end
                                )
                        else 0
                    end
            when 'time_decay' then order_paths.decay_weight
            -- in proportion to what the chain would lose without the party
            when 'markov'
                then
                    case
                        when removal_effects.removal_effect_rate > 0.000000000001
                            then round(removal_effects.removal_effect_rate * 1000000000000)
                        else 1
                    end
            -- over creators and channels the Shapley value of a path has this closed form
            when 'shapley' then 1
        end as weight,
        case
            when rules.model = 'first_touch' then order_paths.path_first_touch_at
            else order_paths.last_touch_at
        end as touch_at

    from order_paths

    inner join rules
        on
            order_paths.window_days = rules.window_days
            and rules.model != 'code'

    -- one row per order, per channel and per party of a chain on the right
    left join order_codes on order_paths.order_key = order_codes.order_key
    left join removal_effects
        on
            order_paths.window_days = removal_effects.window_days
            and order_paths.party_type = removal_effects.party_type
            and order_paths.party_key = removal_effects.party_key
    left join channels
        on
            order_paths.party_type = 'channel'
            and order_paths.party_key = channels.channel_key

),

weights as (

    select
        order_key,
        model,
        window_days,
        party_type,
        party_key,
        weight,
        touch_at
    from code_weights

    union all

    select
        order_key,
        model,
        window_days,
        party_type,
        party_key,
        cast(weight as decimal(38, 0)) as weight,
        touch_at
    from path_weights
    where weight > 0

),

-- Whole numbers all the way, so that no sum depends on its order and no tie on a rounding; only the
-- weights of time decay are too long to be multiplied and become parts of 10^18 first.
scaled_weights as (

    select
        order_key,
        model,
        window_days,
        party_type,
        party_key,
        case
            when model = 'time_decay'
                then cast(
                        round(
                            1000000000000000000 * (
                                cast(weight as double) / cast(
                                    sum(weight) over (partition by order_key, model, window_days)
                                    as double
                                )
                            )
                        ) as decimal(38, 0)
                    )
            else weight
        end as weight,
        touch_at

    from weights

),

weight_totals as (

    select
        *,
        sum(weight) over (partition by order_key, model, window_days) as total_weight

    from scaled_weights

),

share_parts as (

    select
        *,
        (weight * 1000000000000) % total_weight as share_remainder

    from weight_totals

),

filled_shares as (

    select
        *,
        cast(
            round(
                cast(weight * 1000000000000 - share_remainder as double)
                / cast(total_weight as double)
            ) as bigint
        ) as filled_share_units,
        row_number() over (
            partition by order_key, model, window_days
            order by share_remainder desc, party_type asc, party_key asc
        ) as share_rank

    from share_parts

),

counted_shares as (

    select
        *,
        1000000000000 - sum(filled_share_units) over (
            partition by order_key, model, window_days
        ) as left_over_share_units

    from filled_shares

),

final as (

    select
        order_key,
        party_key,
        case when party_type = 'creator' then party_key end as creator_key,
        model,
        window_days,
        party_type,
        cast(
            (
                filled_share_units
                + case when share_rank <= left_over_share_units then 1 else 0 end
            ) * cast(0.000000000001 as decimal(18, 12)) as decimal(18, 12)
        ) as credit_share,
        touch_at

    from counted_shares

)

select * from final
