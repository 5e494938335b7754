with records as (

    select * from {{ source('raw_complete_journey', 'products') }}

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
        {{ global_key('complete_journey', 'product_id') }} as product_key,
        product_id,
        case
            when package_size is null then product_type
            else product_type || ', ' || package_size
        end as title,
        product_category as category,
        brand,
        {{ lineage('complete_journey') }}

    from newest

)

select * from final
