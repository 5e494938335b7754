{# First day of the week a date lies in; weeks begin on var `week_start`, monday or sunday. #}
{% macro week_start_date(day) -%}
    {%- if var('week_start') == 'sunday' -%}
        cast({{ day }} - ({{ weekday_number(day) }} % 7) as date)
    {%- else -%}
        cast({{ day }} - ({{ weekday_number(day) }} - 1) as date)
    {%- endif -%}
{%- endmacro %}
