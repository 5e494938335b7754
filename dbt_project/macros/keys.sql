{#
    Keys are text, `<source>:<scope>:<native id>`, the native id verbatim, its parts joined by colons.
    A NULL part makes a NULL key, so an absent reference stays absent.

    Args:
        source_name: short name of the source.
        scope: column of the shop, app or property inside which the id is unique.
        varargs: the columns of the native id.
#}
{% macro make_key(source_name, scope) -%}
    '{{ source_name }}:' || {{ scope }} || ':' || {{ varargs | join(" || ':' || ") }}
{%- endmacro %}


{# The same for a source whose ids are unique in all of it: the scope is empty. #}
{% macro global_key(source_name) -%}
    '{{ source_name }}::' || {{ varargs | join(" || ':' || ") }}
{%- endmacro %}


{# Ids that a platform issues are unique on it whichever feed brings them. #}
{% macro platform_key(platform, native_id) -%}
    {{ platform }} || '::' || {{ native_id }}
{%- endmacro %}


{# An identity is a pseudonym with its class in front; the pseudonym has its scope hashed in. #}
{% macro identity_key(identity_type, pid) -%}
    '{{ identity_type }}:' || {{ pid }}
{%- endmacro %}
