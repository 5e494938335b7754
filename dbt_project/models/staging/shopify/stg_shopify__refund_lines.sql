with records as (

    select * from {{ source('raw_shopify', 'refund_lines') }}

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
        {{ make_key('shopify', '_source_account', 'refund_id') }} as refund_key,
        {{ make_key('shopify', '_source_account', 'order_id') }} as order_key,
        {{ make_key('shopify', '_source_account', 'order_id', 'line_id') }} as order_line_key,
        is_restocked,
        quantity,
        amount,
        {{ lineage('shopify') }}

    from newest

)

select * from final
