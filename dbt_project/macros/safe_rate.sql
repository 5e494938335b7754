{# A rate is NULL when nothing could have happened, never 0. #}
{% macro safe_rate(numerator, denominator) -%}
    case
        when {{ denominator }} > 0
            then cast({{ numerator }} as double) / cast({{ denominator }} as double)
    end
{%- endmacro %}
