{# Whether a pattern is found in a text, in any case. Each engine has a function of its own. #}
{% macro regex_matches(text, pattern) -%}
    {{ adapter.dispatch('regex_matches')(text, pattern) }}
{%- endmacro %}


{% macro default__regex_matches(text, pattern) -%}
    {{ text }} ~* {{ pattern }}
{%- endmacro %}


{% macro duckdb__regex_matches(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }}, 'i')
{%- endmacro %}


{% macro spark__regex_matches(text, pattern) -%}
    lower({{ text }}) rlike {{ pattern }}
{%- endmacro %}
