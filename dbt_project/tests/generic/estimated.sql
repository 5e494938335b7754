{#
    Every rate has its four columns as they must be: rate, interval and estimate between 0 and 1, the
    estimate inside its interval, and there exactly where the rate is and `unless` is not; a label,
    which without an estimate is `insufficient`.
#}
{% test estimated(model, rates, unless='false') %}

select *
from {{ model }}
where
    {% for rate in rates %}
        {{ rate }} < 0
        or {{ rate }} > 1
        or {{ rate }}_ci_low < 0
        or {{ rate }}_shrunk < {{ rate }}_ci_low
        or {{ rate }}_shrunk > {{ rate }}_ci_high
        or {{ rate }}_ci_high > 1
        or {{ rate }}_reliability is null
        or {{ rate }}_reliability not in ('insufficient', 'directional', 'usable', 'reliable')
        or ({{ rate }}_shrunk is null and {{ rate }}_reliability != 'insufficient')
        {% for part in ['shrunk', 'ci_low', 'ci_high'] %}
            or ({{ rate }}_{{ part }} is null) != ({{ rate }} is null or {{ unless }})
        {% endfor %}
        or
    {% endfor %}
    false

{% endtest %}
