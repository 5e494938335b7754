{% set reporting_currency = var('reporting_currency') %}
with costs as (

    select * from {{ ref('int_creator_costs__unioned') }}

),

fx_rates as (

    select * from {{ ref('int_fx_rates__ranged') }}

),

converted_costs as (

    select
        costs.*,
        case
            when costs.currency_code = '{{ reporting_currency }}' then 1
            else fx_rates.fx_rate
        end as reporting_fx_rate

    from costs

    -- ranges of a currency never overlap
    left join fx_rates
        on
            costs.currency_code = fx_rates.currency_code
            and costs.incurred_date >= fx_rates.valid_from_date
            and costs.incurred_date < fx_rates.valid_to_date

),

final as (

    select
        cost_key,
        creator_key,
        campaign_key,
        incurred_date,
        cost_type,
        currency_code,
        cast(amount as decimal(18, 4)) as cost_amount,
        cast(amount * reporting_fx_rate as decimal(18, 4)) as cost_amount_reporting,
        incurred_at

    from converted_costs

)

select * from final
