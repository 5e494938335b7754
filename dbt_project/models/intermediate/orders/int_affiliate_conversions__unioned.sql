with drops_conversions as (

    select * from {{ ref('stg_drops__affiliate_conversions') }}

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

-- The key a network names may be lent: the order itself comes from another source of the account.
conversions as (

    select
        drops_conversions.*,
        coalesce(order_references.order_key, drops_conversions.order_key) as meant_order_key

    from drops_conversions
    left join order_references
        on drops_conversions.order_key = order_references.reference_key

),

final as (

    select
        conversion_key,
        meant_order_key as order_key,
        creator_key,
        code_norm,
        network,
        state,
        reversal_reason,
        sale_amount,
        commission_amount,
        currency_code,
        {{ business_date('event_at') }} as event_date,
        {{ business_date('locked_at') }} as locked_date,
        event_at,
        locked_at,
        {{ lineage_columns() }}

    from conversions

)

select * from final
