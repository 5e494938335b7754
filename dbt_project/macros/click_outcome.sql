{#
    Whether a first click has been followed for a window, and whether its person bought within it: the
    denominator and the numerator of person conversion, of creators and of tiers alike.
#}
{% macro click_outcome(window_days) -%}
    {%- set window_ends_at = dbt.dateadd('day', window_days, 'clicked_at') -%}
    {{ window_days }} as window_days,
    {{ window_ends_at }} <= {{ data_through_end() }} as is_observed,
    coalesce(next_ordered_at < {{ window_ends_at }}, false) as has_bought
{%- endmacro %}
