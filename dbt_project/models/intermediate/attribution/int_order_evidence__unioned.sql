with orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

order_paths as (

    select * from {{ ref('int_order_paths__counted') }}

    where party_type = 'creator'

),

survey_responses as (

    select * from {{ ref('stg_drops__survey_responses') }}

    where creator_key is not null
        and not is_unmatched

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

windows as (

    {% for window_days in var('attribution_windows_days') %}
        select cast({{ window_days }} as integer) as window_days
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Codes and answers have no window: what they say stands in each.
evidence as (

    select
        orders.order_key,
        windows.window_days,
        orders.code_creator_key as creator_key,
        1 as code_count,
        0 as click_count,
        0 as survey_count
    from orders
    cross join windows
    where orders.code_creator_key is not null

    union all

    select
        order_key,
        window_days,
        party_key as creator_key,
        0 as code_count,
        1 as click_count,
        0 as survey_count
    from order_paths

    union all

    select
        orders.order_key,
        windows.window_days,
        survey_responses.creator_key,
        0 as code_count,
        0 as click_count,
        1 as survey_count
    from survey_responses
    -- the order an answer names may be another source's
    left join order_references on survey_responses.order_key = order_references.reference_key
    -- order_key is unique in orders; a second answer is folded below
    inner join orders
        on coalesce(order_references.order_key, survey_responses.order_key) = orders.order_key
    cross join windows

),

final as (

    select
        order_key,
        creator_key,
        window_days,
        max(code_count) = 1 as has_code,
        max(click_count) = 1 as has_click,
        max(survey_count) = 1 as has_survey

    from evidence

    group by order_key, creator_key, window_days

)

select * from final
