{#
    Whether an event is of one of these types and has one of these names, the feed's own. An empty
    list does not restrict.
#}
{% macro is_event_of(types, names=[]) -%}
    (
        {{ 'event_type in (' ~ quoted_list(types) ~ ')' if types else 'true' }}
    {{- ' and event_name in (' ~ quoted_list(names) ~ ')' if names }}
    )
{%- endmacro %}


{#
    Whether the JSON column `properties` has one of the wanted values in every member that var
    `activity_event_properties` names. True for everybody where it names none: then nothing is parsed.
#}
{% macro has_wanted_properties() -%}
    {%- for name, values in var('activity_event_properties').items() -%}
        coalesce({{ json_text('properties', name) }} in ({{ quoted_list(values) }}), false)
        {{ 'and ' if not loop.last }}
    {%- else -%}
        true
    {%- endfor -%}
{%- endmacro %}
