-- The standing segments of a person, by which stickiness and retention are cut: the tier of the
-- creator he was first exposed to (as of that touch, in every scheme) and the creator who won his
-- first order. Both hang on a *first*, so a later touch or order never moves a person.
with touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where creator_key is not null

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

creators as (

    select * from {{ ref('dim_creators') }}

    where not is_member

),

ranked_touches as (

    select
        person_key,
        creator_key,
        platform,
        touch_at,
        row_number() over (
            partition by person_key
            order by touch_at, touch_key
        ) as touch_rank

    from touches

),

first_touches as (

    select
        person_key,
        creator_key,
        platform,
        touch_at

    from ranked_touches

    where touch_rank = 1

),

touch_tiers as (

    select
        first_touches.person_key,
        tiers.tier_scheme,
        tiers.tier,
        -- the account the person met, else the creator as a whole
        row_number() over (
            partition by first_touches.person_key, tiers.tier_scheme
            order by case when tiers.platform = 'all' then 1 else 0 end
        ) as tier_rank

    from first_touches

    -- two rows a scheme at most, ranked: the ranges of a creator, platform and scheme never overlap
    inner join tiers
        on
            first_touches.creator_key = tiers.creator_key
            and (first_touches.platform = tiers.platform or tiers.platform = 'all')
            and {{ is_valid_at('tiers', 'first_touches.touch_at') }}

),

acquired_persons as (

    select
        customers.person_key,
        customers.acquiring_creator_key

    from customers

    -- creator_key is unique in creators: keeps only persons whom a real creator won
    inner join creators on customers.acquiring_creator_key = creators.creator_key

    -- two accounts of one person carry the same acquiring creator
    group by customers.person_key, customers.acquiring_creator_key

),

large_creators as (

    select acquiring_creator_key

    from acquired_persons

    group by acquiring_creator_key

    having count(*) >= {{ var('segment_min_person_count') }}

),

final as (

    select
        person_key,
        'first_exposure_tier' as segment_type,
        tier_scheme,
        tier as segment
    from touch_tiers
    where tier_rank = 1

    union all

    select
        acquired_persons.person_key,
        'acquiring_creator' as segment_type,
        'none' as tier_scheme,
        acquired_persons.acquiring_creator_key as segment
    from acquired_persons
    inner join large_creators
        on acquired_persons.acquiring_creator_key = large_creators.acquiring_creator_key

)

select * from final
