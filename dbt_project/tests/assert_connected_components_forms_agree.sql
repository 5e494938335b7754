-- The form for DuckDB and the plain one find the same groups in a hundred nodes linked at random:
-- chains, rings, stars and loners.
with seed as (

    select 1 as seed_number

),

numbers as (

    {{ number_series('seed', ['seed_number'], 1, 100, 'node_number') }}

),

nodes as (

    select 'n' || cast(node_number as varchar) as node
    from numbers

),

links as (

    select
        'n' || cast(node_number as varchar) as left_node,
        'n' || cast((node_number * 37 + 11) % 101 as varchar) as right_node

    from numbers

    where node_number % 3 != 0

),

pairs as (

    select
        left_node,
        right_node

    from links

    where right_node in (select nodes.node from nodes)

    union

    select
        right_node as left_node,
        left_node as right_node

    from links

    where right_node in (select nodes.node from nodes)

),

engine_form as (

    {{ connected_components('nodes', 'pairs') }}

),

plain_form as (

    {{ default__connected_components('nodes', 'pairs') }}

),

found as (

    select
        node,
        component

    from engine_form

    union all

    select
        node,
        component

    from plain_form

),

final as (

    select
        node,
        component,
        count(*) as form_count

    from found

    group by node, component

    having count(*) != 2

)

select * from final
