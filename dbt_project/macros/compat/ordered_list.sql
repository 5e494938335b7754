{# Text values in a stated order, joined by a separator. Spark's own listagg drops the order. #}
{% macro ordered_list(value, order_by, separator=',') -%}
    {{ adapter.dispatch('ordered_list')(value, order_by, separator) }}
{%- endmacro %}


{% macro default__ordered_list(value, order_by, separator=',') -%}
    string_agg({{ value }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}


{% macro spark__ordered_list(value, order_by, separator=',') -%}
    concat_ws(
        '{{ separator }}',
        transform(
            array_sort(collect_list(struct({{ order_by }} as sort_key, {{ value }} as text_value))),
            pair -> pair.text_value
        )
    )
{%- endmacro %}
