-- A proxy as it was known before a month began, beside what the month's new clickers then did.
with trust_proxies as (

    select * from {{ ref('int_trust_proxies__weekly') }}

    where raw_value is not null

),

conversions as (

    select * from {{ ref('int_creator_conversions__counted') }}

    where
        period_type = 'month'
        and window_days = {{ var('prediction_window_days') }}
        and denominator_count > 0

),

dates as (

    select * from {{ ref('dim_dates') }}

),

-- Months all of whose clickers have been observed for the whole window.
months as (

    select month_start_date

    from dates

    group by month_start_date

    having
        {{ is_matured(
            'cast(' ~ dbt.last_day('month_start_date', 'month') ~ ' as date)',
            var('prediction_window_days')
        ) }}

),

ranked_proxies as (

    select
        trust_proxies.trust_proxy,
        trust_proxies.creator_key,
        trust_proxies.raw_value,
        trust_proxies.as_of_date,
        months.month_start_date,
        row_number() over (
            partition by
                trust_proxies.trust_proxy, trust_proxies.creator_key, months.month_start_date
            order by trust_proxies.as_of_date desc
        ) as recency_rank

    from trust_proxies

    -- fans out over the weeks of the month before, of which the last one counts
    inner join months
        on
            trust_proxies.as_of_date < months.month_start_date
            and trust_proxies.as_of_date
            >= months.month_start_date - {{ var('prediction_staleness_days') }}

),

final as (

    select
        ranked_proxies.trust_proxy,
        ranked_proxies.month_start_date as period_start_date,
        ranked_proxies.creator_key,
        ranked_proxies.as_of_date,
        conversions.denominator_count as clicker_count,
        conversions.numerator_count as buyer_count,
        ranked_proxies.raw_value

    from ranked_proxies

    -- creator and month are unique in conversions of one window
    inner join conversions
        on
            ranked_proxies.creator_key = conversions.creator_key
            and ranked_proxies.month_start_date = conversions.period_start_date

    where ranked_proxies.recency_rank = 1

)

select * from final
