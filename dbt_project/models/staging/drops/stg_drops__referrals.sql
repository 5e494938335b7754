with records as (

    select * from {{ source('raw_drops', 'referrals') }}

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
        {{ make_key('drops', '_source_account', 'referral_id') }} as referral_key,
        {{ make_key('drops', '_source_account', 'referrer_customer_pid') }}
            as referrer_customer_key,
        {{ make_key('drops', '_source_account', 'referred_customer_pid') }}
            as referred_customer_key,
        code_norm,
        {{ make_key('drops', '_source_account', 'link_id') }} as link_key,
        referred_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
