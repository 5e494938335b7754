with records as (

    select * from {{ source('raw_drops', 'refunds') }}

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
        reason,
        amount,
        coalesce(returned_sales_amount, amount) as returned_sales_amount,
        currency as currency_code,
        refunded_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
