{# The parts of a text before and after the first occurrence of a mark. #}
{% macro text_before(text, mark) -%}
    substring({{ text }}, 1, position('{{ mark }}' in {{ text }}) - 1)
{%- endmacro %}


{% macro text_after(text, mark) -%}
    substring({{ text }}, position('{{ mark }}' in {{ text }}) + 1)
{%- endmacro %}
