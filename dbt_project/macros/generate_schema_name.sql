{#
    Schemas are named exactly as configured. Developers keep apart by using another database file,
    never by a prefix, so that a query reads the same everywhere.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
