{#
    Key: person and day, cut by platform. Recomputed are all days of a person whom the new files
    touch: a late event, a link that arrives or is revoked and an earlier first visit all end there.
    Persons who were merged into another leave.
#}
{{ config(
    materialized='incremental',
    incremental_strategy='affected',
    unique_key=['person_key', 'activity_date', 'platform'],
    on_schema_change='fail',
    meta={
        'affected': {
            'model': 'int_persons__affected',
            'key': 'person_key',
            'alive': 'int_persons__resolved',
        },
    },
) }}

-- depends_on: {{ ref('int_persons__resolved') }}

with slots as (

    select *
    from {{ ref('int_person_slots__aggregated') }}
    {{ where_affected('person_key', ref('int_persons__affected')) }}

),

final as (

    select
        person_key,
        activity_date,
        platform,
        cast(sum(qualifying_event_count) as bigint) as event_count,
        min(first_qualifying_at) as first_event_at,
        max(last_qualifying_at) as last_event_at

    from slots

    where qualifying_event_count > 0

    group by person_key, activity_date, platform

)

select * from final
