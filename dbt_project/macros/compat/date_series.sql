{#
    One row per day from the first to the last date of a one-row relation. Every engine makes series
    of its own kind: DuckDB unnests a list, Postgres has a set-returning function, Spark explodes.
#}
{% macro date_series(relation, first_date, last_date, alias) -%}
    {{ adapter.dispatch('date_series')(relation, first_date, last_date, alias) }}
{%- endmacro %}


{% macro default__date_series(relation, first_date, last_date, alias) -%}
    select cast(generate_series({{ first_date }}, {{ last_date }}, interval '1 day') as date) as {{ alias }}
    from {{ relation }}
{%- endmacro %}


{% macro duckdb__date_series(relation, first_date, last_date, alias) -%}
    select cast(unnest(generate_series({{ first_date }}, {{ last_date }}, interval 1 day)) as date) as {{ alias }}
    from {{ relation }}
{%- endmacro %}


{% macro spark__date_series(relation, first_date, last_date, alias) -%}
    select explode(sequence({{ first_date }}, {{ last_date }})) as {{ alias }}
    from {{ relation }}
{%- endmacro %}
