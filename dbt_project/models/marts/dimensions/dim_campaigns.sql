with campaigns as (

    select * from {{ ref('int_campaigns__unioned') }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

),

reached_persons as (

    select
        campaign_key,
        count(distinct person_key) filter (
            where touch_type = 'campaign_exposure'
        ) as exposed_person_count

    from touches

    where campaign_key is not null

    group by campaign_key

),

campaign_codes as (

    select
        campaign_key,
        count(distinct code_norm) as promo_code_count

    from promo_codes

    where campaign_key is not null

    group by campaign_key

),

final as (

    select
        campaigns.campaign_key,
        campaigns.source,
        campaigns.campaign_name,
        campaigns.brand,
        campaigns.currency_code,
        campaigns.is_deleted,
        coalesce(reached_persons.exposed_person_count, 0) as exposed_person_count,
        coalesce(campaign_codes.promo_code_count, 0) as promo_code_count,
        campaigns.budget_amount,
        campaigns.starts_at,
        campaigns.ends_at

    from campaigns

    -- one row per campaign_key on each right side, so neither join can fan out
    left join reached_persons on campaigns.campaign_key = reached_persons.campaign_key
    left join campaign_codes on campaigns.campaign_key = campaign_codes.campaign_key

)

select * from final
