{#
    Devices that somebody has signed in on, with the first who did: one row per such device. What was
    done on a device before anybody signed in stays a person of its own for counting people
    (decision 9); for credit it belongs to the first owner, or no first order could ever have a click.
#}
{% macro first_owners(persons) -%}
    select
        device_ranges.identity_key as device_person_key,
        owner_ranges.person_key as owner_person_key
    from {{ persons }} as device_ranges
    inner join {{ persons }} as owner_ranges
        on device_ranges.identity_key = owner_ranges.identity_key
            and device_ranges.valid_to_at = owner_ranges.valid_from_at
    where device_ranges.match_rule = 'device_only'
{%- endmacro %}
