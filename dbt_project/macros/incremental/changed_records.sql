{#
    Every version of the records that the files of this build touch, the losing ones too: a record
    that used to name one order or identity and now names another changes both.

    A build from nothing recomputes everything anyway, so it asks for no row.
#}
{% macro changed_records(records) -%}
    {#- Named in every build: dbt keeps what a model depends on from its last parse. -#}
    {%- set pending = source('ops', 'transform_pending') -%}
    select *
    from {{ records }}
    where
    {%- if flags.FULL_REFRESH or (execute and load_relation(this) is none) %} 1 = 0
    {%- else %} _record_key in (
        select _record_key
        from {{ records }}
        where _file_id in (select file_id from {{ pending }})
    )
    {%- endif %}
{%- endmacro %}
