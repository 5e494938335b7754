with records as (

    select * from {{ source('raw_drops', 'refund_lines') }}

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
        {{ make_key('drops', '_source_account', 'refund_id') }} as refund_key,
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        {{ make_key('drops', '_source_account', 'order_id', 'line_id') }} as order_line_key,
        is_restocked,
        quantity,
        amount,
        {{ lineage('drops') }}

    from newest

)

select * from final
