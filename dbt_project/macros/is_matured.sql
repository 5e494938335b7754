{#
    True once `days` whole days after the date have been observed: the one meaning of `is_mature` for
    single rows. Never NULL for a known date.
#}
{% macro is_matured(from_date, days) -%}
    {{ days_between(from_date, data_through_date()) }} >= {{ days }}
{%- endmacro %}


{#
    For the `or_when` of `where_affected`: the keys whose stored `is_mature` the moved clock has turned.
    Their files are old news, so no set of pending files lists them.
#}
{% macro maturity_turned(key, from_date, days) -%}
    {{ key }} in (
        select stored_rows.{{ key.split('.')[-1] }}
        from {{ this }} as stored_rows
        where stored_rows.is_mature != ({{ is_matured('stored_rows.' ~ from_date, days) }})
    )
{%- endmacro %}
