{#
    Intervals of a period numbered since 1970: subtracting two numbers gives how many intervals lie
    between. Weeks begin on the configured day; months are calendar months, not 30 days; hours are
    those of the wall clock in `business_timezone`.

    Args:
        period: hour, day, week or month.
        moment: an instant for hours, a business date for the others.
#}
{% macro interval_number(period, moment) -%}
    {%- set epoch_date = "cast('1970-01-01' as date)" -%}
    {%- if period == 'hour' -%}
        {{ hour_number(moment) }}
    {%- elif period == 'day' -%}
        {{ days_between(epoch_date, moment) }}
    {%- elif period == 'week' -%}
        cast({{ days_between(week_start_date(epoch_date), week_start_date(moment)) }} / 7 as bigint)
    {%- else -%}
        cast((extract(year from {{ moment }}) - 1970) * 12 + extract(month from {{ moment }}) - 1 as bigint)
    {%- endif -%}
{%- endmacro %}


{# Seconds since 1970 of an instant, whole ones. #}
{% macro epoch_seconds(instant) -%}
    {{ dbt.datediff("cast('1970-01-01 00:00:00' as timestamp)", instant, 'second') }}
{%- endmacro %}


{% macro hour_number(instant) -%}
    cast(floor(({{ epoch_seconds(instant) }} + {{ zone_minutes() }} * 60) / 3600.0) as bigint)
{%- endmacro %}


{#
    Minutes of the clock's slots into which activity is folded: the longest that no gap between two
    sessions fits into and that an hour is a multiple of.
#}
{% macro slot_minutes() -%}
    {%- set fitting = [] -%}
    {%- for minutes in [30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1] -%}
        {%- if minutes <= var('session_gap_minutes') -%}
            {%- do fitting.append(minutes) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ fitting[0] }}
{%- endmacro %}


{# Number of the slot an instant lies in; `3600 / slot seconds` of them make an hour. #}
{% macro slot_number(instant) -%}
    cast(
        floor(
            ({{ epoch_seconds(instant) }} + {{ zone_minutes() }} * 60)
            / {{ slot_minutes() | int * 60 }}.0
        ) as bigint
    )
{%- endmacro %}


{# The hour a slot lies in. #}
{% macro slot_hour_number(slot) -%}
    cast(floor({{ slot }} / {{ 60 // (slot_minutes() | int) }}.0) as bigint)
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


{# Whole spans of 24 hours from one instant to a later one. #}
{% macro whole_days(first_instant, last_instant) -%}
    cast(
        floor(
            ({{ epoch_microseconds(last_instant) }} - {{ epoch_microseconds(first_instant) }})
            / 86400000000.0
        ) as bigint
    )
{%- endmacro %}
