{#
    One row per item of a JSON list of texts; a NULL or empty list gives none. Every engine unpacks
    JSON with functions of its own.

    Args:
        relation: a CTE or model.
        keys: columns to carry along.
        list_column: the column that holds the JSON list.
        alias: name of the column of items.
#}
{% macro json_list_items(relation, keys, list_column, alias) -%}
    {{ adapter.dispatch('json_list_items')(relation, keys, list_column, alias) }}
{%- endmacro %}


{% macro default__json_list_items(relation, keys, list_column, alias) -%}
    select
        {{ keys | join(', ') }},
        json_items.item as {{ alias }}
    from {{ relation }}
    cross join lateral json_array_elements_text(cast({{ list_column }} as json)) as json_items (item)
    where {{ list_column }} is not null
{%- endmacro %}


{% macro duckdb__json_list_items(relation, keys, list_column, alias) -%}
    select
        {{ keys | join(', ') }},
        unnest(cast(cast({{ list_column }} as json) as varchar[])) as {{ alias }}
    from {{ relation }}
    where {{ list_column }} is not null
{%- endmacro %}


{% macro spark__json_list_items(relation, keys, list_column, alias) -%}
    select
        {{ keys | join(', ') }},
        explode(from_json({{ list_column }}, 'array<string>')) as {{ alias }}
    from {{ relation }}
    where {{ list_column }} is not null
{%- endmacro %}
