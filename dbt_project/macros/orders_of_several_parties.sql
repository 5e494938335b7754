{#
    Orders whose credits by the model `markov` move with every build, because more than one party is on
    their path; none where the model is not asked for.
#}
{% macro orders_of_several_parties() -%}
    select order_key
    from {{ ref('int_order_paths__counted') }}
    where
        {% if 'markov' in var('attribution_models') %}touch_count < path_touch_count{% else %}1 = 0{% endif %}

    group by order_key
{%- endmacro %}
