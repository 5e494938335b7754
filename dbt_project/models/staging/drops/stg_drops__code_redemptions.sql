with records as (

    select * from {{ source('raw_drops', 'code_redemptions') }}

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
        {{ make_key('drops', '_source_account', 'redemption_id') }} as redemption_key,
        code_norm,
        {{ make_key('drops', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        redeemed_on as redeemed_date,
        amount,
        {{ lineage('drops') }}

    from newest

)

select * from final
