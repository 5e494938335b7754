-- A misspelt scheme would leave every report empty.
with tiers as (

    select * from {{ ref('creator_tiers') }}

),

final as (

    select '{{ var("leading_tier_scheme") }}' as tier_scheme

    from tiers

    having count(case when tier_scheme = '{{ var("leading_tier_scheme") }}' then 1 end) = 0

)

select * from final
