{# The condition holds on every row; a condition that is NULL fails, so say what NULL means. #}
{% test always_true(model, condition) %}

select *
from {{ model }}
where not coalesce({{ condition }}, false)

{% endtest %}
