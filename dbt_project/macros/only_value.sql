{# The only value a column has in the group; NULL where it has several, or none. #}
{% macro only_value(column) -%}
    case when min({{ column }}) = max({{ column }}) then min({{ column }}) end
{%- endmacro %}
