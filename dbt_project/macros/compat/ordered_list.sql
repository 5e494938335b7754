{# Text values in a stated order, joined by commas. Spark's own listagg drops the order. #}
{% macro ordered_list(value, order_by) -%}
    {{ adapter.dispatch('ordered_list')(value, order_by) }}
{%- endmacro %}


{% macro default__ordered_list(value, order_by) -%}
    string_agg({{ value }}, ',' order by {{ order_by }})
{%- endmacro %}


{% macro spark__ordered_list(value, order_by) -%}
    concat_ws(
        ',',
        transform(
            array_sort(collect_list(struct({{ order_by }} as sort_key, {{ value }} as text_value))),
            pair -> pair.text_value
        )
    )
{%- endmacro %}
