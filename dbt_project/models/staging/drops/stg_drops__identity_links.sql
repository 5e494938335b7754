with records as (

    select * from {{ source('raw_drops', 'identity_links') }}

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
        left_type || ':' || left_pid as left_identity_key,
        right_type || ':' || right_pid as right_identity_key,
        left_type,
        right_type,
        link_type,
        coalesce(confidence, 'deterministic') as confidence,
        coalesce(is_revoked, false) as is_revoked,
        evidence_count,
        first_seen_at,
        last_seen_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
