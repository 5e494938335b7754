{#
    Validity ranges are half-open everywhere: from `valid_from_at`, up to but without `valid_to_at`,
    which is NULL while the range is open.
#}
{% macro is_valid_at(ranges, instant) -%}
    {{ instant }} >= {{ ranges }}.valid_from_at
        and ({{ ranges }}.valid_to_at is null or {{ instant }} < {{ ranges }}.valid_to_at)
{%- endmacro %}
