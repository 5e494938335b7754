{#
    An ISO 8601 text with its offset as naive UTC; NULL where it is none. Engines name the forgiving
    cast differently, and Postgres has none.
#}
{% macro parsed_instant(text) -%}
    {{ adapter.dispatch('parsed_instant')(text) }}
{%- endmacro %}


{% macro default__parsed_instant(text) -%}
    timezone('UTC', cast({{ text }} as timestamp with time zone))
{%- endmacro %}


{% macro duckdb__parsed_instant(text) -%}
    timezone('UTC', try_cast({{ text }} as timestamp with time zone))
{%- endmacro %}


{% macro spark__parsed_instant(text) -%}
    to_utc_timestamp(try_to_timestamp({{ text }}), current_timezone())
{%- endmacro %}
