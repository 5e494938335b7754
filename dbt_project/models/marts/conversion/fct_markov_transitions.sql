with transitions as (

    select * from {{ ref('int_markov_transitions__counted') }}

),

final as (

    select
        chain_level,
        window_days,
        from_key,
        to_key,
        from_type,
        to_type,
        transition_count,
        cast(
            sum(transition_count) over (
                partition by chain_level, window_days, from_type, from_key
            ) as bigint
        ) as from_count,
        {{ safe_rate(
            'transition_count',
            'sum(transition_count) over (partition by chain_level, window_days, from_type, from_key)'
        ) }} as transition_rate

    from transitions

)

select * from final
