with records as (

    select * from {{ source('raw_drops', 'order_discount_codes') }}

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
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        code_norm,
        coalesce(code_source, 'order') as code_source,
        amount,
        {{ lineage('drops') }}

    from newest

)

select * from final
