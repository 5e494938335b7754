with drops_accounts as (

    select * from {{ ref('stg_drops__creator_accounts') }}

),

final as (

    select
        creator_account_key,
        creator_key,
        handle_pid,
        platform_user_id,
        platform,
        account_type,
        match_method,
        is_verified,
        created_at,
        first_seen_at,
        last_seen_at,
        {{ lineage_columns() }}

    from drops_accounts

)

select * from final
