with drops_campaigns as (

    select * from {{ ref('stg_drops__campaigns') }}

),

described_campaigns as (

    select * from {{ ref('stg_complete_journey__campaign_descriptions') }}

),

final as (

    select
        campaign_key,
        campaign_name,
        brand,
        budget_amount,
        currency_code,
        starts_at,
        ends_at,
        {{ lineage_columns() }}

    from drops_campaigns

    union all

    select
        campaign_key,
        campaign_name,
        cast(null as varchar) as brand,
        cast(null as decimal(18, 4)) as budget_amount,
        cast(null as varchar) as currency_code,
        starts_at,
        ends_at,
        {{ lineage_columns() }}

    from described_campaigns

)

select * from final
