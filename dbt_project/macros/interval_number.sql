{#
    Intervals of a period numbered since 1970: subtracting two numbers gives how many intervals lie
    between. Weeks begin on the configured day; months are calendar months, not 30 days; hours are
    hours of UTC.

    Args:
        period: hour, day, week or month.
        moment: an instant for hours, a business date for the others.
#}
{% macro interval_number(period, moment) -%}
    {%- set epoch_date = "cast('1970-01-01' as date)" -%}
    {%- if period == 'hour' -%}
        {{ dbt.datediff("cast('1970-01-01 00:00:00' as timestamp)", moment, 'hour') }}
    {%- elif period == 'day' -%}
        {{ days_between(epoch_date, moment) }}
    {%- elif period == 'week' -%}
        cast({{ days_between(week_start_date(epoch_date), week_start_date(moment)) }} / 7 as bigint)
    {%- else -%}
        cast((extract(year from {{ moment }}) - 1970) * 12 + extract(month from {{ moment }}) - 1 as bigint)
    {%- endif -%}
{%- endmacro %}


{#
    Hourly cohorts are for watching the days just gone: they begin `retention_hour_lookback_days`
    before the last complete day. Without a floor a year of history would have 8,760 of them.
#}
{% macro retention_hours_start() -%}
    {{ to_utc(
        'cast(' ~ data_through_date() ~ ' - ' ~ (var('retention_hour_lookback_days') - 1) ~ ' as date)'
    ) }}
{%- endmacro %}


{# The instant at which the last complete business day ends. #}
{% macro data_through_end() -%}
    {{ to_utc('cast(' ~ data_through_date() ~ ' + 1 as date)') }}
{%- endmacro %}
