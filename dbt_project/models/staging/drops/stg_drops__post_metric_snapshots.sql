with records as (

    select * from {{ source('raw_drops', 'post_metric_snapshots') }}

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
        {{ platform_key('platform', 'post_id') }} as post_key,
        metric,
        scope,
        unavailable_reason,
        value,
        observed_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
