{#
    The lineage columns of every canonical model, from the loader's plumbing. `is_deleted` is false for
    every row that staging shows: an erased record is gone from raw.
#}
{% macro lineage(source_name) -%}
    '{{ source_name }}' as source,
        _source_account as source_account,
        _record_key as source_record_id,
        _source_updated_at as source_updated_at,
        _received_at as extracted_at,
        _file_id as load_id,
        _record_hash as record_hash,
        false as is_deleted
{%- endmacro %}


{% macro lineage_columns() -%}
    source,
        source_account,
        source_record_id,
        source_updated_at,
        extracted_at,
        load_id,
        record_hash,
        is_deleted
{%- endmacro %}
