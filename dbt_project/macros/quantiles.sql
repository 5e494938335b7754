{#
    The p-quantile of the standard normal distribution as a number, for 0.025 <= p <= 0.975: the
    central form of P. J. Acklam's approximation, good to nine digits.
#}
{% macro normal_quantile(p) -%}
    {%- if p < 0.025 or p > 0.975 -%}
        {{ exceptions.raise_compiler_error(
            'ci_level: ' ~ var('ci_level') ~ ' is beyond 0.95; choose a level up to 0.95'
        ) }}
    {%- endif -%}
    {%- set q = p - 0.5 -%}
    {%- set r = q * q -%}
    {%- set above = (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r
        + 138.3577518672690) * r - 30.66479806614716) * r + 2.506628277459239) * q -%}
    {%- set below = ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r
        + 66.80131188771972) * r - 13.28068155288572) * r + 1 -%}
    {{ above / below }}
{%- endmacro %}


{#
    The same of Student's t with so many degrees of freedom (an SQL expression): Cornish and Fisher's
    series, to a hundredth from three degrees on and too narrow with one or two.
#}
{% macro student_quantile(p, freedom) -%}
    {%- set z = normal_quantile(p) | float -%}
    (
        {{ z }}
        + {{ (z ** 3 + z) / 4 }} / {{ freedom }}
        + {{ (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96 }} / power({{ freedom }}, 2)
        + {{ (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384 }} / power({{ freedom }}, 3)
    )
{%- endmacro %}
