{# The five utm parameters as one text, absent ones empty, so that they compare as a whole. #}
{% macro utm_marks() -%}
    coalesce(utm_source, '')
        || '|' || coalesce(utm_medium, '')
        || '|' || coalesce(utm_campaign, '')
        || '|' || coalesce(utm_content, '')
        || '|' || coalesce(utm_term, '')
{%- endmacro %}


{#
    What a visit says of its channel, as one text: the channel the feed states, source, medium,
    campaign and the host it came from. NULL when it says nothing at all.
#}
{% macro channel_marks(channel='channel') -%}
    case
        when coalesce({{ channel }}, utm_source, utm_medium, utm_campaign, referrer_host) is not null
            then coalesce({{ channel }}, '')
                || '|' || coalesce(utm_source, '')
                || '|' || coalesce(utm_medium, '')
                || '|' || coalesce(utm_campaign, '')
                || '|' || coalesce(referrer_host, '')
    end
{%- endmacro %}


{#
    The host a visit came from, unless it is the shop itself (the page before on the same site, a
    subdomain such as a checkout) or a payment page that sends people back.
#}
{% macro external_referrer_host(url_host, referrer_host) -%}
    case
        when {{ referrer_host }} is null then null
        when {{ regex_matches(referrer_host, "'" ~ var('payment_referrer_pattern') ~ "'") }} then null
        when {{ url_host }} is null then {{ referrer_host }}
        when {{ bare_host(referrer_host) }} = {{ bare_host(url_host) }}
            or {{ referrer_host }} like '%.' || {{ bare_host(url_host) }}
            or {{ url_host }} like '%.' || {{ bare_host(referrer_host) }}
            then null
        else {{ referrer_host }}
    end
{%- endmacro %}


{% macro bare_host(host) -%}
    case when {{ host }} like 'www.%' then substring({{ host }}, 5) else {{ host }} end
{%- endmacro %}
