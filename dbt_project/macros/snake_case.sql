{# A name as we write names: lower case, one underscore for blanks and hyphens. #}
{% macro snake_case(name) -%}
    replace(replace(lower({{ name }}), ' ', '_'), '-', '_')
{%- endmacro %}
