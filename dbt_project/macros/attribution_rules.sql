{#
    One row per attribution model and window that the settings ask for: the ledger's rules.
#}
{% macro attribution_rules() -%}
    {%- for model in var('attribution_models') %}
        {%- for window_days in var('attribution_windows_days') %}
            select
                '{{ model }}' as model,
                cast({{ window_days }} as integer) as window_days
            {% if not loop.last %}union all{% endif %}
        {%- endfor %}
        {% if not loop.last %}union all{% endif %}
    {%- endfor %}
{%- endmacro %}
