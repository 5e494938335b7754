{#
    Money in whole minor units of its currency (ISO 4217: two decimals unless var
    `currency_minor_digits` names the currency), and back. Whole numbers in between, so that shares
    of an amount can be handed out without losing or making a cent.
#}
{% macro by_minor_digits(currency_code, values_by_digits) -%}
    {%- set ns = namespace(branches='') -%}
    {%- for digits, codes in var('currency_minor_digits').items() -%}
        {%- set ns.branches = ns.branches ~ ' when ' ~ currency_code ~ ' in (' ~ quoted_list(codes)
            ~ ') then ' ~ values_by_digits[digits | int] -%}
    {%- endfor -%}
    case {{ ns.branches }} else {{ values_by_digits[2] }} end
{%- endmacro %}


{% macro minor_units(amount, currency_code) -%}
    cast(
        round(
            {{ amount }} * {{ by_minor_digits(currency_code, {0: 1, 2: 100, 3: 1000, 4: 10000}) }}
        ) as bigint
    )
{%- endmacro %}


{% macro minor_units_amount(units, currency_code) -%}
    cast(
        cast({{ units }} as bigint) * {{ by_minor_digits(
            currency_code,
            {
                0: 'cast(1 as decimal(18, 4))',
                2: 'cast(0.01 as decimal(18, 4))',
                3: 'cast(0.001 as decimal(18, 4))',
                4: 'cast(0.0001 as decimal(18, 4))',
            }
        ) }} as decimal(18, 4)
    )
{%- endmacro %}
