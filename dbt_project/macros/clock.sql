{#
    `as_of` is the only "now". It is handed in as naive UTC; a model that needs
    it in a build without it stops with one line, because a default would be a wrong result.
#}
{% macro as_of() -%}
    {%- if execute and not var('as_of') -%}
        {{ exceptions.raise_compiler_error(
            "as_of is not set; run `setae transform`, or pass --vars 'as_of: 2018-01-01 05:00:00'"
        ) }}
    {%- endif -%}
    cast('{{ var("as_of") }}' as timestamp)
{%- endmacro %}


{# The last business day every required feed covers; without it, the last day before `as_of`. #}
{% macro data_through_date() -%}
    {%- if var('data_through_date') -%}
        cast('{{ var("data_through_date") }}' as date)
    {%- else -%}
        ({{ business_date(as_of()) }} - 1)
    {%- endif -%}
{%- endmacro %}


{# Where ranges that are open to the past begin. #}
{% macro beginning_of_time() -%}
    cast('{{ var("beginning_of_time") }}' as timestamp)
{%- endmacro %}


{# Later than anything that can happen: sorts what has no time of its own to the end. #}
{% macro end_of_time() -%}
    cast('{{ var("end_of_time") }}' as timestamp)
{%- endmacro %}
