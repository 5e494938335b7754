{#
    Money in whole minor units of its currency (ISO 4217: two decimals unless var
    `currency_minor_digits` names the currency), and back. Whole numbers in between, so that shares
    of an amount can be handed out without losing or making a cent.
#}
{% macro minor_unit_digits(currency_code) -%}
    case
        {%- for digits, codes in var('currency_minor_digits').items() %}
            when {{ currency_code }} in ('{{ codes | join("', '") }}') then {{ digits }}
        {%- endfor %}
        else 2
    end
{%- endmacro %}


{% macro minor_units(amount, currency_code) -%}
    cast(
        round(
            {{ amount }} * case {{ minor_unit_digits(currency_code) }}
                when 0 then 1
                when 2 then 100
                when 3 then 1000
                else 10000
            end
        ) as bigint
    )
{%- endmacro %}


{% macro minor_units_amount(units, currency_code) -%}
    cast(
        cast({{ units }} as bigint) * case {{ minor_unit_digits(currency_code) }}
            when 0 then cast(1 as decimal(18, 4))
            when 2 then cast(0.01 as decimal(18, 4))
            when 3 then cast(0.001 as decimal(18, 4))
            else cast(0.0001 as decimal(18, 4))
        end as decimal(18, 4)
    )
{%- endmacro %}
