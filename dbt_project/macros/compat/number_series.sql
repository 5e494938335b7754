{#
    One row per whole number from `first` to `last` of every row of a relation, beside the columns
    named in `columns`. Rows fan out on purpose.
#}
{% macro number_series(relation, columns, first, last, alias) -%}
    {{ adapter.dispatch('number_series')(relation, columns, first, last, alias) }}
{%- endmacro %}


{% macro default__number_series(relation, columns, first, last, alias) -%}
    select
        {{ columns | join(', ') }},
        cast(generate_series({{ first }}, {{ last }}) as bigint) as {{ alias }}
    from {{ relation }}
{%- endmacro %}


{% macro duckdb__number_series(relation, columns, first, last, alias) -%}
    select
        {{ columns | join(', ') }},
        cast(unnest(generate_series({{ first }}, {{ last }})) as bigint) as {{ alias }}
    from {{ relation }}
{%- endmacro %}


{% macro spark__number_series(relation, columns, first, last, alias) -%}
    select
        {{ columns | join(', ') }},
        explode(sequence({{ first }}, {{ last }})) as {{ alias }}
    from {{ relation }}
{%- endmacro %}
