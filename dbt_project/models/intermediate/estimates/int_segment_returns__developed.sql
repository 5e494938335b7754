with ages as (

    select * from {{ ref('int_returns__exposed') }}

),

totals as (

    select
        segment_type,
        segment,
        currency_code,
        any_value(return_unit) as return_unit,
        sum(returned_amount) as returned_amount,
        sum(developed_amount) as developed_amount

    from ages

    group by segment_type, segment, currency_code

),

final as (

    select
        segment_type,
        segment,
        currency_code,
        {{ population(['segment_type', 'currency_code']) }} as population,
        'all' as platform,
        'all' as tier,
        cast(returned_amount as decimal(38, 4)) as returned_amount,
        cast(developed_amount as decimal(38, 4)) as developed_amount,
        cast(returned_amount / return_unit as decimal(38, 4)) as event_count,
        cast(developed_amount / 1000 as decimal(38, 4)) as developed_thousand_count,
        cast(0.001 * return_unit as double) as event_worth

    from totals

)

select * from final
