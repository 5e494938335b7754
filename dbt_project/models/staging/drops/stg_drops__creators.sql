with records as (

    select * from {{ source('raw_drops', 'creators') }}

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
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        creator_pid,
        {{ make_key('drops', '_source_account', 'customer_pid') }} as customer_key,
        customer_pid,
        platform,
        display_handle,
        status,
        niche,
        home_country,
        consent_basis,
        agreed_commission_rate,
        program_joined_at,
        program_left_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
