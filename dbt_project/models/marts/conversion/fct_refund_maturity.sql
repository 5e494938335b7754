with ages as (

    select * from {{ ref('int_returns__exposed') }}

),

segments as (

    select * from {{ ref('int_segment_returns__developed') }}

),

estimates as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric = 'return_rate'
        and level = 'unit'

),

creator_means as (

    select * from {{ ref('int_counts__estimated') }}

    where
        metric = 'return_rate'
        and level = 'cell'

),

-- The rate of all is its own; a creator's is drawn to that of the others, the more the less of its
-- sales is developed, and is that of the others while nothing is.
segment_rates as (

    select
        segments.segment_type,
        segments.segment,
        segments.currency_code,
        case
            -- without a curve there is no experience to take a rate from
            when segments.event_count is null then null
            when segments.segment_type = 'all' then {{ safe_rate(
                'segments.returned_amount', 'segments.developed_amount'
            ) }}
            -- least() of DuckDB passes over a NULL
            when coalesce(estimates.shrunk, creator_means.shrunk) is not null
                then least(
                        coalesce(estimates.shrunk, creator_means.shrunk) * segments.event_worth, 1
                    )
        end as return_rate,
        case
            when segments.segment_type = 'all' then 1
            when estimates.shrunk is not null then estimates.own_weight
            when creator_means.shrunk is not null then 0
        end as credibility_weight_rate

    from segments

    left join estimates
        on
            segments.population = estimates.population
            and segments.platform = estimates.platform
            and segments.tier = estimates.tier
            and segments.event_count = estimates.x
            and segments.developed_thousand_count = estimates.n
    -- one row a population: returns are pooled neither by platform nor by tier
    left join creator_means on segments.population = creator_means.population

),

final as (

    select
        ages.segment_type,
        ages.segment,
        ages.currency_code,
        ages.order_age_days,
        ages.order_age_days = {{ var('refund_maturity_days') }} as is_mature,
        ages.order_count,
        ages.sold_amount,
        ages.returned_amount,
        cast(
            case
                when ages.completion_rate = 1 then 0
                else ages.sold_amount * segment_rates.return_rate * (1 - ages.completion_rate)
            end as decimal(38, 4)
        ) as expected_further_return_amount,
        cast(
            ages.sold_amount - ages.returned_amount
            - case
                when ages.completion_rate = 1 then 0
                else ages.sold_amount * segment_rates.return_rate * (1 - ages.completion_rate)
            end as decimal(38, 4)
        ) as provisional_net_sales_amount,
        ages.completion_rate,
        segment_rates.credibility_weight_rate,
        segment_rates.return_rate as expected_return_rate

    from ages

    -- one row a segment and currency
    left join segment_rates
        on
            ages.segment_type = segment_rates.segment_type
            and ages.segment = segment_rates.segment
            and ages.currency_code = segment_rates.currency_code

)

select * from final
