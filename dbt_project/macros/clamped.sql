{# A number kept within 0 and 1; NULL stays NULL. #}
{% macro clamped(value) -%}
    case
        when {{ value }} < 0 then 0.0
        when {{ value }} > 1 then 1.0
        else {{ value }}
    end
{%- endmacro %}
