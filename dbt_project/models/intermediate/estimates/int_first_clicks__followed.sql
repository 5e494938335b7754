{{ config(materialized='table') }}

with touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where is_click
        and (creator_key is not null or is_ambiguous)

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

ranked_clicks as (

    select
        touch_key,
        coalesce(creator_key, 'ambiguous') as creator_key,
        person_key,
        coalesce(platform, 'unknown') as platform,
        touch_date as clicked_date,
        touch_at as clicked_at,
        row_number() over (
            partition by coalesce(creator_key, 'ambiguous'), person_key
            order by touch_at asc, touch_key asc
        ) as click_rank

    from touches

),

first_clicks as (

    select
        creator_key,
        person_key,
        platform,
        clicked_date,
        clicked_at

    from ranked_clicks

    where click_rank = 1

),

-- Fans out over a person's later orders and is folded at once: only the next one counts.
final as (

    select
        first_clicks.creator_key,
        first_clicks.person_key,
        first_clicks.platform,
        first_clicks.clicked_date,
        first_clicks.clicked_at,
        min(orders.ordered_at) as next_ordered_at

    from first_clicks
    left join orders
        on first_clicks.person_key = orders.person_key
            and first_clicks.clicked_at <= orders.ordered_at

    group by
        first_clicks.creator_key,
        first_clicks.person_key,
        first_clicks.platform,
        first_clicks.clicked_date,
        first_clicks.clicked_at

)

select * from final
