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


{# Rates of return visits: name → [numerator, denominator] of int_creator_returns__counted. #}
{% macro return_rates() -%}
    {{ return({
        'same_day_return_rate': ['same_day_return_count', 'exposed_person_count'],
        'return_visit_7d_rate': ['returned_7d_count', 'exposed_person_count'],
        'creator_return_7d_rate': ['returned_by_creator_7d_count', 'exposed_person_count'],
        'direct_return_7d_rate': ['returned_directly_7d_count', 'exposed_person_count'],
        'return_visit_14d_rate': ['returned_14d_count', 'exposed_person_count'],
        'creator_return_14d_rate': ['returned_by_creator_14d_count', 'exposed_person_count'],
        'direct_return_14d_rate': ['returned_directly_14d_count', 'exposed_person_count'],
        'return_visit_28d_rate': ['returned_28d_count', 'exposed_person_count'],
        'creator_return_28d_rate': ['returned_by_creator_28d_count', 'exposed_person_count'],
        'direct_return_28d_rate': ['returned_directly_28d_count', 'exposed_person_count'],
    }) }}
{%- endmacro %}


{# Rates of the funnel, likewise of int_creator_funnels__counted. #}
{% macro funnel_rates() -%}
    {{ return({
        'click_to_session_rate': ['session_person_count', 'clicker_count'],
        'click_to_product_view_rate': ['product_view_person_count', 'clicker_count'],
        'click_to_cart_rate': ['cart_person_count', 'clicker_count'],
        'click_to_order_rate': ['ordered_person_count', 'clicker_count'],
        'first_session_order_rate': ['first_session_ordered_person_count', 'ordered_person_count'],
    }) }}
{%- endmacro %}


{#
    Weekly counts of creators as one row a rate: what `counts_of` takes, and what finds the estimates
    again. `rates` is a rate's name → [its numerator, its denominator], columns of `counts`, which
    also has creator_key, population, platform and tier. A cell that is not mature has no numerator.
#}
{% macro rate_counts(counts, rates) -%}
    {%- for rate, parts in rates.items() %}
        select
            '{{ rate }}' as metric,
            creator_key,
            population,
            platform,
            tier,
            {{ parts[0] }} as x,
            {{ parts[1] }} as n

        from {{ counts }}

        where
            {{ parts[0] }} is not null
            and {{ parts[1] }} > 0
        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}


{#
    One row a creator and population, with the four columns of every rate's estimate. `counts` are
    rows of `rate_counts`, `estimates` those of `int_counts__estimated` at level `unit`.
#}
{% macro rate_estimates(counts, estimates, rates) -%}
    select
        {{ counts }}.creator_key,
        {{ counts }}.population,
        {{ rate_estimate_columns(counts, estimates, rates) }}

    from {{ counts }}
    inner join {{ estimates }}
        on
            {{ counts }}.metric = {{ estimates }}.metric
            and {{ counts }}.population = {{ estimates }}.population
            and {{ counts }}.platform = {{ estimates }}.platform
            and {{ counts }}.tier = {{ estimates }}.tier
            and {{ counts }}.x = {{ estimates }}.x
            and {{ counts }}.n = {{ estimates }}.n

    group by {{ counts }}.creator_key, {{ counts }}.population
{%- endmacro %}


{# Four columns a rate: the estimate of its own counts in each group of rows. #}
{% macro rate_estimate_columns(counts, estimates, rates) -%}
    {%- for rate in rates %}
        {%- set is_last_rate = loop.last %}
        {%- for part in ['shrunk', 'ci_low', 'ci_high', 'reliability'] %}
            any_value({{ estimates }}.{{ part }}) filter (
                where {{ counts }}.metric = '{{ rate }}'
            ) as {{ rate }}_{{ part }}{{ ',' if not (is_last_rate and loop.last) }}
        {%- endfor %}
    {%- endfor %}
{%- endmacro %}


{#
    What is counted by exposure: the mart's column, its events, its exposure, and what an event per
    thousand of exposure is worth in that column's unit.
#}
{% macro exposure_metrics() -%}
    {{ return([
        ('orders_per_1000_reach', 'order_count', 'reach_count', '1'),
        ('orders_per_follower', 'order_count', 'mean_follower_count', '0.001'),
        (
            'net_sales_per_reach',
            'net_sales_amount / amount_unit',
            'reach_count',
            '0.001 * amount_unit',
        ),
        (
            'net_sales_per_follower',
            'net_sales_amount / amount_unit',
            'mean_follower_count',
            '0.001 * amount_unit',
        ),
    ]) }}
{%- endmacro %}


{#
    Size of an order in each period. A sum of amounts varies like a count of orders of this size: their
    variance is the sum of the squares. Money of several currencies has no size.
#}
{% macro amount_units(orders, date_periods) -%}
    select
        date_periods.period_type,
        date_periods.period_start_date,
        case
            when min(orders.currency_code) = max(orders.currency_code)
                and sum(orders.net_sales_amount) > 0
                then
                    cast(
                        sum(
                            cast(orders.net_sales_amount as decimal(18, 2))
                            * cast(orders.net_sales_amount as decimal(18, 2))
                        )
                        / sum(orders.net_sales_amount) as decimal(18, 4)
                    )
        end as amount_unit

    from {{ orders }} as orders
    inner join {{ date_periods }} as date_periods
        on orders.order_date = date_periods.calendar_date

    group by date_periods.period_type, date_periods.period_start_date
{%- endmacro %}


{#
    Units with order_count, net_sales_amount, amount_unit, reach_count and mean_follower_count as
    counts by exposure, one row a metric whose exposure is known. `keys` names their columns to keep,
    `population` is an expression. Money may be negative after returns, and less than none is none.
#}
{% macro exposed_counts(units, keys, population) -%}
    {%- for metric, events, exposure, worth in exposure_metrics() %}
        select
            '{{ metric }}' as metric,
            {{ keys | join(',\n            ') }},
            {{ population }} as population,
            cast(greatest({{ events }}, 0) as decimal(38, 4)) as event_count,
            cast({{ exposure }} / 1000 as decimal(38, 4)) as exposure_thousand_count,
            cast({{ worth }} as double) as event_worth

        from {{ units }}

        where {{ exposure }} > 0
            and {{ events }} is not null

        {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
