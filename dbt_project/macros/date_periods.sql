{#
    Each day of `dates` in one period of each type, with the period's first and last day: the periods
    of every mart that has a `period_type`. `all` is the whole history.
#}
{% macro date_periods(dates) -%}
    select
        calendar_date,
        'day' as period_type,
        calendar_date as period_start_date,
        calendar_date as period_last_date
    from {{ dates }}

    union all

    select
        calendar_date,
        'week' as period_type,
        week_start_date as period_start_date,
        cast(week_start_date + 6 as date) as period_last_date
    from {{ dates }}

    union all

    select
        calendar_date,
        'month' as period_type,
        month_start_date as period_start_date,
        cast({{ dbt.last_day('calendar_date', 'month') }} as date) as period_last_date
    from {{ dates }}

    union all

    select
        calendar_date,
        'all' as period_type,
        min(calendar_date) over () as period_start_date,
        max(calendar_date) over () as period_last_date
    from {{ dates }}
{%- endmacro %}


{# Each period once, from the rows of `date_periods`. #}
{% macro periods(date_periods) -%}
    select
        period_type,
        period_start_date,
        max(period_last_date) as period_last_date
    from {{ date_periods }}
    group by period_type, period_start_date
{%- endmacro %}
