with drops_referrals as (

    select * from {{ ref('stg_drops__referrals') }}

),

final as (

    select
        referral_key,
        referrer_customer_key,
        referred_customer_key,
        code_norm,
        link_key,
        {{ business_date('referred_at') }} as referred_date,
        referred_at,
        {{ lineage_columns() }}

    from drops_referrals

)

select * from final
