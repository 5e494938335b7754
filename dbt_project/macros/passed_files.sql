{#
    Write, audit, publish: staging reads the rows of files whose gate passed, or that somebody
    accepted with a reason. A parked row waits for its parent (rule Q12).
#}
{% macro in_passed_files() -%}
    not _is_parked
        and _file_id in (
            select loaded_files.file_id
            from {{ source('ops', 'loaded_files') }} as loaded_files
            where loaded_files.gate_status in ('passed', 'accepted')
        )
{%- endmacro %}
