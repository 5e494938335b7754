{#
    Whether a JSON list of hashtags holds one of var `disclosure_hashtags`, with or without its '#'.
    Whole tags only: "#adorable" discloses nothing. False when the feed named no hashtags.
#}
{% macro has_disclosure_hashtag(hashtags) -%}
    coalesce(
        {% for hashtag in var('disclosure_hashtags') %}
            lower({{ hashtags }}) like '%"{{ hashtag }}"%'
            or lower({{ hashtags }}) like '%"#{{ hashtag }}"%'
            or
        {% endfor %}
        false,
        false
    )
{%- endmacro %}
