with creator_conversions as (

    select
        'person_conversion' as metric,
        population,
        platform,
        tier,
        numerator_count as x,
        denominator_count as n

    from {{ ref('int_creator_conversions__counted') }}

),

tier_conversions as (

    select
        'tier_conversion' as metric,
        population,
        platform,
        tier,
        numerator_count as x,
        denominator_count as n

    from {{ ref('int_tier_conversions__counted') }}

),

code_orders as (

    select
        metric,
        population,
        platform,
        tier,
        event_count as x,
        exposure_thousand_count as n

    from {{ ref('int_code_orders__exposed') }}

),

tier_code_orders as (

    select
        metric,
        population,
        platform,
        tier,
        event_count as x,
        exposure_thousand_count as n

    from {{ ref('int_tier_code_orders__exposed') }}

),

creator_returns as (

    select
        'return_rate' as metric,
        population,
        platform,
        tier,
        event_count as x,
        developed_thousand_count as n

    from {{ ref('int_segment_returns__developed') }}

    where segment_type = 'code_creator'
        and event_count is not null

),

return_weeks as (

    select * from {{ ref('int_creator_returns__counted') }}

),

funnel_weeks as (

    select * from {{ ref('int_creator_funnels__counted') }}

),

weekly_returns as (

    {{ rate_counts('return_weeks', return_rates()) }}

),

weekly_funnels as (

    {{ rate_counts('funnel_weeks', funnel_rates()) }}

),

final as (

    {{ counts_of('creator_conversions', 'rate', has_rank=true) }}

    union all

    {{ counts_of('tier_conversions', 'rate', has_units=false) }}

    union all

    {{ counts_of('code_orders', 'exposure') }}

    union all

    {{ counts_of('tier_code_orders', 'exposure', has_units=false) }}

    union all

    {{ counts_of('creator_returns', 'exposure') }}

    union all

    {{ counts_of('weekly_returns', 'rate') }}

    union all

    {{ counts_of('weekly_funnels', 'rate') }}

)

select * from final
