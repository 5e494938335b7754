with records as (

    select * from {{ source('raw_shopify', 'customers') }}

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
        {{ make_key('shopify', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        email_pid,
        country,
        accepts_marketing as is_marketing_accepted,
        created_at,
        {{ lineage('shopify') }}

    from newest

)

select * from final
