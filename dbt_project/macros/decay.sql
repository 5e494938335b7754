{#
    Time decay without floating sums: 2^(-age / half-life) of a touch is, up to a factor that all
    touches of an order share, 2^(time / half-life). Time is cut into eras of a fixed number of
    half-lives; inside an era the weight is a whole number (10^13 at its beginning), so sums
    are exact, have no order and can be subtracted. A window is at most one era long, so it meets two
    eras at most, and the later one's weights count `decay_era_factor` times.
#}
{% macro decay_halvings() -%}
    {%- set longest_days = var('attribution_windows_days') | max -%}
    {%- set needed = longest_days / var('time_decay_half_life_days') -%}
    {%- set halvings = [16, needed | round(0, 'ceil') | int] | max -%}
    {%- if halvings > 32 -%}
        {{ exceptions.raise_compiler_error(
            'time_decay_half_life_days: too short for the longest window; 32 half-lives must cover '
            ~ longest_days ~ ' days'
        ) }}
    {%- endif -%}
    {{ halvings }}
{%- endmacro %}


{% macro half_life_microseconds() -%}
    {{ (var('time_decay_half_life_days') * 86400000000) | int }}
{%- endmacro %}


{% macro decay_era(instant) -%}
    cast(floor(
        {{ epoch_microseconds(instant) }} / cast({{ half_life_microseconds() }} * {{ decay_halvings() }} as double)
    ) as integer)
{%- endmacro %}


{# Whole number: 10^13 at the beginning of the era, twice as much a half-life later. #}
{% macro decay_weight(instant, era) -%}
    cast(round(
        10000000000000 * power(
            cast(2 as double),
            ({{ epoch_microseconds(instant) }}
                - cast({{ era }} as bigint) * {{ half_life_microseconds() }} * {{ decay_halvings() }})
            / cast({{ half_life_microseconds() }} as double)
        )
    ) as decimal(38, 0))
{%- endmacro %}


{% macro decay_era_factor() -%}
    {{ 2 ** (decay_halvings() | int) }}
{%- endmacro %}
