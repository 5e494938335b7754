{# None of the columns is ever NULL: one scan for all of them, where `not_null` takes one for each. #}
{% test filled(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where
    false
    {% for column in columns %}
        or {{ column }} is null
    {% endfor %}

{% endtest %}
