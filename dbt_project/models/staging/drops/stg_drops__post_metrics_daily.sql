with records as (

    select * from {{ source('raw_drops', 'post_metrics_daily') }}

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
        metric_date,
        metric,
        metric_tz,
        scope,
        coalesce(is_final, false) as is_final,
        value,
        coalesce(_revision, 0) as revision,
        observed_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
