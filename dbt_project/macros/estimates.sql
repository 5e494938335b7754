{#
    Name of a population: what is compared with one another. The parts are columns or quoted texts.
#}
{% macro population(parts) -%}
    {%- for part in parts -%}
        cast({{ part }} as varchar){{ " || ' ' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{#
    Counts as `int_counts__unioned` takes them: units of equal counts become one row. `counts` has
    metric, population, platform, tier, x and n; units without a chance (n of 0 or NULL) say nothing.
#}
{% macro counts_of(counts, family, has_units=true, has_rank=false) -%}
    select
        metric,
        '{{ family }}' as family,
        population,
        platform,
        tier,
        cast(x as decimal(38, 4)) as x,
        cast(n as decimal(38, 4)) as n,
        count(*) as unit_count,
        {{ has_units }} as has_units,
        {{ has_rank }} as has_rank

    from {{ counts }}

    where
        n > 0
        and population is not null

    group by metric, population, platform, tier, x, n
{%- endmacro %}
