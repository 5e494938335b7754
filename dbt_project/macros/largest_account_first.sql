{#
    Which of a creator's accounts speaks for her: the largest known; without a count, the first by
    platform. To order `int_creator_followers__ranged` by, one range an account.
#}
{% macro largest_account_first(follower_ranges) -%}
    coalesce({{ follower_ranges }}.follower_count, -1) desc,
                {{ follower_ranges }}.platform asc,
                {{ follower_ranges }}.creator_account_key asc
{%- endmacro %}
