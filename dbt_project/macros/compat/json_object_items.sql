{#
    One row per member of a JSON object of texts; NULL, an empty object and anything that is no
    object give none. Every engine unpacks JSON with functions of its own.

    Args:
        relation: a CTE or model.
        keys: columns to carry along.
        object_column: the column that holds the JSON object.
        key_alias: name of the column of member names.
        value_alias: name of the column of their values.
#}
{% macro json_object_items(relation, keys, object_column, key_alias, value_alias) -%}
    {{ adapter.dispatch('json_object_items')(
        relation, keys, object_column, key_alias, value_alias
    ) }}
{%- endmacro %}


{% macro default__json_object_items(relation, keys, object_column, key_alias, value_alias) -%}
    select
        {{ keys | join(', ') }},
        json_members.member_key as {{ key_alias }},
        json_members.member_value as {{ value_alias }}
    from {{ relation }}
    cross join lateral json_each_text(cast({{ object_column }} as json))
        as json_members (member_key, member_value)
    where json_typeof(cast({{ object_column }} as json)) = 'object'
{%- endmacro %}


{% macro duckdb__json_object_items(relation, keys, object_column, key_alias, value_alias) -%}
    select
        {{ keys | join(', ') }},
        json_member.key as {{ key_alias }},
        json_member.value as {{ value_alias }}
    from (
        select
            {{ keys | join(', ') }},
            unnest(
                map_entries(json_transform({{ object_column }}, '"MAP(VARCHAR, VARCHAR)"'))
            ) as json_member
        from {{ relation }}
        where json_type({{ object_column }}) = 'OBJECT'
    )
{%- endmacro %}


{% macro spark__json_object_items(relation, keys, object_column, key_alias, value_alias) -%}
    select
        {{ keys | join(', ') }},
        explode(from_json({{ object_column }}, 'map<string,string>'))
            as ({{ key_alias }}, {{ value_alias }})
    from {{ relation }}
    where left(ltrim({{ object_column }}), 1) = '{{ "{" }}'
{%- endmacro %}
