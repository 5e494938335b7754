{# None of the columns is ever NULL: one scan for all, where `not_null` takes one for each. #}
{% test filled(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where {{ columns | join(' is null or ') }} is null

{% endtest %}
