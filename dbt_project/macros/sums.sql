{# What the group's amounts add up to. Dollars and euros have no sum: NULL where they mix. #}
{% macro sum_of_one_currency(amount, currency) -%}
    case when min({{ currency }}) = max({{ currency }}) then sum({{ amount }}) end
{%- endmacro %}


{#
    What the group's amounts add up to in the reporting currency. One without a rate leaves the sum
    unknown, never 1:1.
#}
{% macro sum_where_all_are_known(amount) -%}
    case when count({{ amount }}) = count(*) then sum({{ amount }}) end
{%- endmacro %}
