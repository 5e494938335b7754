{# The five utm parameters as one text, absent ones empty, so that they compare as a whole. #}
{% macro utm_marks() -%}
    coalesce(utm_source, '')
        || '|' || coalesce(utm_medium, '')
        || '|' || coalesce(utm_campaign, '')
        || '|' || coalesce(utm_content, '')
        || '|' || coalesce(utm_term, '')
{%- endmacro %}
