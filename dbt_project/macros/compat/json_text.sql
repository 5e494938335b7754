{# A member of a JSON object as text, NULL where it is not there; engines differ in reading JSON. #}
{% macro json_text(document, member) -%}
    {{ adapter.dispatch('json_text')(document, member) }}
{%- endmacro %}


{% macro default__json_text(document, member) -%}
    (cast({{ document }} as json) ->> '{{ member }}')
{%- endmacro %}


{% macro duckdb__json_text(document, member) -%}
    json_extract_string({{ document }}, '$."{{ member }}"')
{%- endmacro %}


{% macro spark__json_text(document, member) -%}
    get_json_object({{ document }}, '$["{{ member }}"]')
{%- endmacro %}
