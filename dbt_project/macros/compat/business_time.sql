{#
    Time zones: DuckDB and Postgres spell the conversion timezone(zone, instant), Spark has
    from_utc_timestamp and to_utc_timestamp. Instants are naive UTC, days are calendar days of
    `business_timezone`.
#}
{% macro business_date(instant) -%}
    {{ adapter.dispatch('business_date')(instant) }}
{%- endmacro %}


{% macro default__business_date(instant) -%}
    {%- if var('business_timezone') == 'UTC' -%}
        cast({{ instant }} as date)
    {%- else -%}
        cast(timezone('{{ var("business_timezone") }}', timezone('UTC', {{ instant }})) as date)
    {%- endif -%}
{%- endmacro %}


{% macro spark__business_date(instant) -%}
    cast(from_utc_timestamp({{ instant }}, '{{ var("business_timezone") }}') as date)
{%- endmacro %}


{# The instant at which a wall clock in `business_timezone` shows this date or time. #}
{% macro to_utc(local_time) -%}
    {{ adapter.dispatch('to_utc')(local_time) }}
{%- endmacro %}


{% macro default__to_utc(local_time) -%}
    {%- if var('business_timezone') == 'UTC' -%}
        cast({{ local_time }} as timestamp)
    {%- else -%}
        timezone('UTC', timezone('{{ var("business_timezone") }}', cast({{ local_time }} as timestamp)))
    {%- endif -%}
{%- endmacro %}


{% macro spark__to_utc(local_time) -%}
    to_utc_timestamp(cast({{ local_time }} as timestamp), '{{ var("business_timezone") }}')
{%- endmacro %}


{#
    Minutes by which the zone's hours begin after those of UTC: 30 in India, 45 in Nepal, 0 nearly
    everywhere. Taken at one fixed moment, so Lord Howe, whose summer time is half an hour, has its
    winter's hours all year.
#}
{% macro zone_minutes() -%}
    {%- set zone = modules.pytz.timezone(var('business_timezone')) -%}
    {%- set offset = zone.utcoffset(modules.datetime.datetime(2020, 6, 21)) -%}
    {{ (offset.total_seconds() // 60) | int % 60 }}
{%- endmacro %}
