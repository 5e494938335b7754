{# ISO weekday of a date, 1 for Monday to 7 for Sunday. Spark counts from 0 and has no isodow. #}
{% macro weekday_number(day) -%}
    {{ adapter.dispatch('weekday_number')(day) }}
{%- endmacro %}


{% macro default__weekday_number(day) -%}
    cast(extract(isodow from {{ day }}) as integer)
{%- endmacro %}


{% macro spark__weekday_number(day) -%}
    (weekday({{ day }}) + 1)
{%- endmacro %}
