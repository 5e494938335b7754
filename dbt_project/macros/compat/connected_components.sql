{#
    The groups that links make of identities: one row per node with the smallest node it can reach.

    DuckDB keeps one row per node and lowers its label until nothing changes (`using key`), so a group
    of n members costs n rows a round. The default form lists every pair that can reach each other,
    n² rows a group, and runs wherever recursive queries do; `assert_connected_components_forms_agree`
    holds the two together.

    Args:
        nodes: relation with a column `node`.
        edges: relation with columns `left_node` and `right_node`, each pair in both directions.
#}
{% macro connected_components(nodes, edges) -%}
    {{ adapter.dispatch('connected_components')(nodes, edges) }}
{%- endmacro %}


{% macro default__connected_components(nodes, edges) -%}
    with recursive reachable (node, component) as (

        select
            node,
            node as component
        from {{ nodes }}

        union

        select
            edges.right_node as node,
            reachable.component
        from reachable
        inner join {{ edges }} as edges
            on reachable.node = edges.left_node

    )

    select
        node,
        min(component) as component
    from reachable
    group by node
{%- endmacro %}


{% macro duckdb__connected_components(nodes, edges) -%}
    with recursive labels (node, component) using key (node) as (

        select
            node,
            node as component
        from {{ nodes }}

        union

        (
            select
                labels_so_far.node,
                min(changed.component) as component
            from labels as changed
            inner join {{ edges }} as edges
                on changed.node = edges.left_node
            inner join recurring.labels as labels_so_far
                on edges.right_node = labels_so_far.node
            where changed.component < labels_so_far.component
            group by labels_so_far.node
        )

    )

    select
        node,
        component
    from labels
{%- endmacro %}
