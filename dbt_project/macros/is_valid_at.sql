{#
    Validity ranges are half-open everywhere: from `valid_from_at`, up to but without `valid_to_at`,
    which is NULL while the range is open. Comparisons only, no `or`: with an `or` a left join falls
    back to comparing every pair (6 s instead of 0.2 s for 156k orders).
#}
{% macro is_valid_at(ranges, instant) -%}
    {{ instant }} >= {{ ranges }}.valid_from_at
        and {{ instant }} < coalesce({{ ranges }}.valid_to_at, {{ end_of_time() }})
{%- endmacro %}


{# Of a business day the range speaks that holds at its end: one within a day speaks for none. #}
{% macro is_valid_on(ranges, day) -%}
    {{ day }} >= {{ business_date(ranges ~ '.valid_from_at') }}
        and {{ day }}
        < {{ business_date('coalesce(' ~ ranges ~ '.valid_to_at, ' ~ end_of_time() ~ ')') }}
{%- endmacro %}
