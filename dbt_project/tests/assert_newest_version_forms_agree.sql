-- The form for DuckDB and the plain one pick the same version of every record, ties included.
with seed as (

    select 1 as seed_number

),

numbers as (

    {{ number_series('seed', ['seed_number'], 1, 40, 'record_number') }}

),

records as (

    select
        record_number,
        'k' || cast(record_number % 7 as varchar) as _record_key,
        case
            when record_number % 3 > 0
                then {{ beginning_of_time() }} + (record_number % 5) * interval '1 day'
        end as _source_updated_at,
        record_number % 2 as _revision,
        'h' || cast(record_number as varchar) as _record_hash

    from numbers

),

engine_form as (

    {{ newest_version('records') }}

),

plain_form as (

    {{ default__newest_version('records') }}

),

picked as (

    select record_number from engine_form

    union all

    select record_number from plain_form

),

final as (

    select
        record_number,
        count(*) as form_count

    from picked

    group by record_number

    having count(*) != 2

)

select * from final
