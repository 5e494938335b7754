with touches as (

    select * from {{ ref('int_touches__sequenced') }}

),

final as (

    select
        touch_key,
        person_key,
        creator_key,
        post_key,
        link_key,
        campaign_key,
        touch_date,
        platform,
        touch_type,
        is_click,
        is_repeat,
        is_ambiguous,
        touch_at

    from touches

    where party_type in ('creator', 'ambiguous')

)

select * from final
