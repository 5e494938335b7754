with records as (

    select * from {{ source('raw_drops', 'campaigns') }}

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
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        name as campaign_name,
        brand,
        budget_amount,
        currency as currency_code,
        starts_at,
        ends_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
