{# The platform a utm_source names, by var `source_platforms`; NULL when it is none we know. #}
{% macro source_platform(utm_source) -%}
    {%- set ns = namespace(branches='') -%}
    {%- for platform, names in var('source_platforms').items() -%}
        {%- set ns.branches = ns.branches ~ ' when lower(' ~ utm_source ~ ') in ('
            ~ quoted_list(names) ~ ") then '" ~ platform ~ "'" -%}
    {%- endfor -%}
    case {{ ns.branches }} end
{%- endmacro %}
