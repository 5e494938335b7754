{#
    What time it is, as the transform stage says in the environment. Unit tests say it by a variable
    of the name. Not by `--vars`: dbt parses the whole project again when one of them changes, and
    the clock changes with every build. For the same reason the environment is read at execution only.
#}
{% macro clock(name) -%}
    {%- if var(name) -%}
        {{ var(name) }}
    {%- elif execute -%}
        {{ env_var('SETAE_BUILD_' ~ name | upper, '') }}
    {%- endif -%}
{%- endmacro %}


{#
    `as_of` is the only "now". It is handed in as naive UTC; a model that needs
    it in a build without it stops with one line, because a default would be a wrong result.
#}
{% macro as_of() -%}
    {%- set value = clock('as_of') | trim -%}
    {%- if execute and not value -%}
        {{ exceptions.raise_compiler_error(
            "as_of is not set; run `setae transform`, or set SETAE_BUILD_AS_OF='2018-01-01 05:00:00'"
        ) }}
    {%- endif -%}
    cast('{{ value }}' as timestamp)
{%- endmacro %}


{# The last business day every required feed covers; without it, the last day before `as_of`. #}
{% macro data_through_date() -%}
    {%- set value = clock('data_through_date') | trim -%}
    {%- if value -%}
        cast('{{ value }}' as date)
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
