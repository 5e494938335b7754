with records as (

    select * from {{ source('raw_drops', 'creator_accounts') }}

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
        {{ platform_key('platform', 'platform_user_id') }} as creator_account_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        handle_pid,
        platform_user_id,
        platform,
        coalesce(account_type, 'unknown') as account_type,
        match_method,
        is_verified,
        created_at,
        first_seen_at,
        last_seen_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
