with records as (

    select * from {{ source('raw_drops', 'experiments') }}

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
        {{ make_key('drops', '_source_account', 'experiment_id') }} as experiment_key,
        unit,
        metric,
        assignments,
        waves,
        starts_at,
        ends_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
