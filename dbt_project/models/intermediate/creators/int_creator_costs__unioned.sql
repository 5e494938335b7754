with drops_costs as (

    select * from {{ ref('stg_drops__creator_costs') }}

),

final as (

    select
        cost_key,
        creator_key,
        campaign_key,
        {{ business_date('incurred_at') }} as incurred_date,
        cost_type,
        amount,
        currency_code,
        incurred_at,
        {{ lineage_columns() }}

    from drops_costs

)

select * from final
