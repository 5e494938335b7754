with records as (

    select * from {{ source('raw_drops', 'affiliate_conversions') }}

),

passed as (

    select *
    from records
    where {{ in_passed_files() }}

),

newest as (

    {{ newest_version('passed') }}

),

final as (

    select
        {{ make_key('drops', '_source_account', 'conversion_id') }} as conversion_key,
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        code_norm,
        network,
        state,
        reversal_reason,
        sale_amount,
        commission_amount,
        currency as currency_code,
        event_at,
        locked_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
