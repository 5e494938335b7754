-- A campaign that only a post, a code, a cost, a click or an exposure names has its row too: no
-- join may lose money.
with campaigns as (

    select * from {{ ref('int_campaigns__unioned') }}

),

clicks as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where
        campaign_key is not null
        and is_click

),

exposures as (

    select
        *,
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('visitor', 'visitor_pid') }},
            {{ identity_key('email', 'email_pid') }}
        ) as identity_key

    from {{ ref('int_campaign_exposures__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

    where campaign_key is not null

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

    where campaign_key is not null

),

costs as (

    select * from {{ ref('int_creator_costs__unioned') }}

    where campaign_key is not null

),

clicks_by_campaign as (

    select
        campaign_key,
        count(distinct person_key) as clicking_person_count

    from clicks

    group by campaign_key

),

-- Also what no creator is named for: the campaign reached them all the same.
exposures_by_campaign as (

    select
        exposures.campaign_key,
        count(distinct persons.person_key) as exposed_person_count

    from exposures

    -- an identity has one person at a moment
    left join persons
        on exposures.identity_key = persons.identity_key
            and {{ is_valid_at('persons', 'exposures.exposed_at') }}

    group by exposures.campaign_key

),

-- A campaign's key begins with its source: whatever names it says the same.
codes_by_campaign as (

    select
        campaign_key,
        any_value(source) as source,
        count(distinct code_norm) as promo_code_count

    from promo_codes

    group by campaign_key

),

posts_by_campaign as (

    select
        campaign_key,
        any_value(source) as source,
        count(*) as post_count

    from posts

    group by campaign_key

),

costs_by_campaign as (

    select
        campaign_key,
        any_value(source) as source

    from costs

    group by campaign_key

),

named_campaigns as (

    select campaign_key from campaigns

    union distinct

    select campaign_key from clicks_by_campaign

    union distinct

    select campaign_key from exposures_by_campaign

    union distinct

    select campaign_key from costs_by_campaign

    union distinct

    select campaign_key from codes_by_campaign

    union distinct

    select campaign_key from posts_by_campaign

),

final as (

    select
        named_campaigns.campaign_key,
        coalesce(
            campaigns.source,
            codes_by_campaign.source,
            posts_by_campaign.source,
            costs_by_campaign.source
        ) as source,
        campaigns.campaign_name,
        campaigns.brand,
        campaigns.currency_code,
        campaigns.campaign_key is null as is_only_named,
        coalesce(campaigns.is_deleted, false) as is_deleted,
        coalesce(exposures_by_campaign.exposed_person_count, 0) as exposed_person_count,
        coalesce(clicks_by_campaign.clicking_person_count, 0) as clicking_person_count,
        coalesce(codes_by_campaign.promo_code_count, 0) as promo_code_count,
        coalesce(posts_by_campaign.post_count, 0) as post_count,
        campaigns.budget_amount,
        campaigns.starts_at,
        campaigns.ends_at

    from named_campaigns

    -- one row per campaign_key on every right side: no join can fan out
    left join campaigns on named_campaigns.campaign_key = campaigns.campaign_key
    left join clicks_by_campaign on named_campaigns.campaign_key = clicks_by_campaign.campaign_key
    left join exposures_by_campaign
        on named_campaigns.campaign_key = exposures_by_campaign.campaign_key
    left join codes_by_campaign on named_campaigns.campaign_key = codes_by_campaign.campaign_key
    left join posts_by_campaign on named_campaigns.campaign_key = posts_by_campaign.campaign_key
    left join costs_by_campaign on named_campaigns.campaign_key = costs_by_campaign.campaign_key

)

select * from final
