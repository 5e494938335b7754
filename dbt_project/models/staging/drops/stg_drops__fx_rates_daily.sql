with records as (

    select * from {{ source('raw_drops', 'fx_rates_daily') }}

),

passed as (

    select *
    from records
    where {{ in_passed_files() }}

),

newest as (

    {{ newest_version('passed') }}

),

final as (

    select
        currency as currency_code,
        reporting_currency as reporting_currency_code,
        rate_date,
        rate as fx_rate,
        {{ lineage('drops') }}

    from newest

)

select * from final
