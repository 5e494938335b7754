{#
    The platform by which a creator is pooled: its only one, else `several`. Which of several won an
    order is another question. `accounts` holds creator_key and platform.
#}
{% macro creator_platforms(accounts) -%}
    select
        creator_key,
        coalesce({{ only_value('platform') }}, 'several') as platform

    from {{ accounts }}

    where creator_key is not null

    group by creator_key
{%- endmacro %}
