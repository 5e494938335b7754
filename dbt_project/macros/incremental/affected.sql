{#
    The incremental strategy `affected`: sets, not days. A model names in
    `meta.affected` the model that lists the keys to recompute, and the key's column; the rows of
    those keys leave the target and the freshly computed ones enter. With `alive` it also names the
    model that holds every key there is: rows of keys that are gone (a person merged into another)
    leave too.

        {{ config(
            materialized='incremental',
            incremental_strategy='affected',
            unique_key='order_key',
            on_schema_change='fail',
            meta={'affected': {'model': 'int_orders__affected', 'key': 'order_key'}},
        ) }}

    The model itself filters its earliest CTE with `where_affected`, so that only those keys are
    computed; the filter renders nothing on a full build, which is why both give the same rows.
#}
{% macro get_incremental_affected_sql(arg_dict) -%}
    {%- set affected = config.get('meta', {}).get('affected') -%}
    {%- if not affected -%}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": strategy 'affected' needs meta.affected with `model` and `key`"
        ) }}
    {%- endif -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set target_relation = arg_dict['target_relation'] -%}
    {%- set key = affected['key'] -%}

    delete from {{ target_relation }}
    where {{ key }} in (select {{ key }} from {{ ref(affected['model']) }})
        or {{ key }} in (select {{ key }} from {{ arg_dict['temp_relation'] }})
    {%- if affected.get('alive') %}
        or {{ key }} not in (select {{ key }} from {{ ref(affected['alive']) }})
    {%- endif %};

    insert into {{ target_relation }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }};
{%- endmacro %}


{#
    Args:
        key: the column that holds the key, qualified if the query joins.
        affected: the relation that lists the keys to recompute, `ref('int_orders__affected')`.
        or_when: optional condition under which a row is recomputed although its key is not listed,
            such as a flag that only the clock turns.
        clause: `where`, or `and` inside a longer condition.
#}
{% macro where_affected(key, affected, or_when=none, clause='where') -%}
    {%- set column = key.split('.')[-1] -%}
    {%- set also = ' or ' ~ or_when if or_when else '' -%}
    {%- if is_incremental() -%}
        {{ clause }} ({{ key }} in (select {{ column }} from {{ affected }}){{ also }})
    {%- endif -%}
{%- endmacro %}
