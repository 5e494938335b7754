{# Whole microseconds since 1970 of a naive UTC instant. Each engine has a function of its own. #}
{% macro epoch_microseconds(instant) -%}
    {{ adapter.dispatch('epoch_microseconds')(instant) }}
{%- endmacro %}


{% macro default__epoch_microseconds(instant) -%}
    cast(extract(epoch from {{ instant }}) * 1000000 as bigint)
{%- endmacro %}


{% macro duckdb__epoch_microseconds(instant) -%}
    epoch_us({{ instant }})
{%- endmacro %}


{% macro spark__epoch_microseconds(instant) -%}
    unix_micros({{ instant }})
{%- endmacro %}
