with records as (

    select * from {{ source('raw_drops', 'creator_costs') }}

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
        {{ make_key('drops', '_source_account', 'cost_id') }} as cost_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        {{ make_key('drops', '_source_account', 'campaign_id') }} as campaign_key,
        cost_type,
        amount,
        currency as currency_code,
        incurred_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
