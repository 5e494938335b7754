with drops_conversions as (

    select * from {{ ref('stg_drops__affiliate_conversions') }}

),

final as (

    select
        conversion_key,
        order_key,
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

    from drops_conversions

)

select * from final
