-- Banks publish no rates at weekends: a rate serves until the next one, but no longer than
-- `fx_staleness_days`. After that there is no rate, and an amount without a rate stays unconverted.
with drops_rates as (

    select * from {{ ref('stg_drops__fx_rates_daily') }}

    where reporting_currency_code = '{{ var("reporting_currency") }}'

),

-- two accounts may deliver the same bank's rate; the newest version wins, never the arrival
ranked_rates as (

    select
        *,
        row_number() over (
            partition by currency_code, rate_date
            order by
                coalesce(source_updated_at, {{ beginning_of_time() }}) desc,
                record_hash desc
        ) as rate_rank

    from drops_rates

),

final as (

    select
        currency_code,
        reporting_currency_code,
        rate_date as valid_from_date,
        least(
            lead(rate_date) over (partition by currency_code order by rate_date),
            cast(rate_date + {{ var('fx_staleness_days') }} as date)
        ) as valid_to_date,
        fx_rate

    from ranked_rates

    where rate_rank = 1

)

select * from final
