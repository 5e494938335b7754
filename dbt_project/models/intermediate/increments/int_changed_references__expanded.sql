{{ config(materialized='table') }}

with changed_references as (

    select * from {{ ref('int_changed_references__collected') }}

),

accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

posts as (

    select * from {{ ref('int_posts__unioned') }}

),

links as (

    select * from {{ ref('int_tracked_links__unioned') }}

),

promo_codes as (

    select * from {{ ref('int_promo_codes__unioned') }}

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

-- What stands on a changed thing changes with it: an account's creator and posts, a campaign's
-- codes.
account_dependants as (

    select
        'creator' as reference_type,
        accounts.creator_key as reference_value

    from accounts
    inner join changed_references
        on accounts.creator_account_key = changed_references.reference_value
            and changed_references.reference_type = 'account'

    union all

    select
        'post' as reference_type,
        posts.post_id as reference_value

    from posts
    inner join changed_references
        on posts.creator_account_key = changed_references.reference_value
            and changed_references.reference_type = 'account'

    union all

    select
        'code' as reference_type,
        promo_codes.code_norm as reference_value

    from promo_codes
    inner join changed_references
        on promo_codes.campaign_key = changed_references.reference_value
            and changed_references.reference_type = 'campaign'

),

with_account_dependants as (

    select
        reference_type,
        reference_value

    from changed_references

    union all

    select
        reference_type,
        reference_value

    from account_dependants

    where reference_value is not null

),

-- A link without a creator has its post's.
link_references as (

    select links.link_key

    from links
    inner join with_account_dependants
        on links.post_id = with_account_dependants.reference_value
            and with_account_dependants.reference_type = 'post'

    union all

    select reference_value as link_key

    from with_account_dependants

    where reference_type = 'link'

),

-- An order that a feed names by a key it has elsewhere.
meant_orders as (

    select order_references.order_key

    from order_references
    inner join with_account_dependants
        on order_references.reference_key = with_account_dependants.reference_value
            and with_account_dependants.reference_type = 'order'

),

-- Marks mean whom the links that carry them mean.
mark_references as (

    select {{ utm_marks() }} as utm_marks

    from links
    inner join link_references
        on links.link_key = link_references.link_key

),

expanded as (

    select
        reference_type,
        reference_value

    from with_account_dependants

    union all

    select
        'link' as reference_type,
        link_key as reference_value

    from link_references

    union all

    select
        'order' as reference_type,
        order_key as reference_value

    from meant_orders

    union all

    select
        'marks' as reference_type,
        utm_marks as reference_value

    from mark_references

),

final as (

    select
        reference_type,
        reference_value

    from expanded

    group by reference_type, reference_value

)

select * from final
