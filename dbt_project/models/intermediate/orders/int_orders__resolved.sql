{{ config(materialized='table') }}

with orders as (

    select * from {{ ref('int_orders__unioned') }}

),

order_lines as (

    select * from {{ ref('int_order_lines__unioned') }}

),

refunds as (

    select * from {{ ref('int_refunds__unioned') }}

),

order_codes as (

    select * from {{ ref('int_order_discount_codes__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

order_channels as (

    select * from {{ ref('int_order_channels__classified') }}

),

identified_orders as (

    select
        orders.*,
        coalesce(
            {{ identity_key('customer', 'customer_pid') }},
            {{ identity_key('user', 'user_pid') }},
            {{ identity_key('email', 'email_pid') }},
            {{ identity_key('visitor', 'visitor_pid') }}
        ) as identity_key

    from orders

),

-- An order that names nobody is a stranger's: a person of its own, so that it still counts once.
resolved_orders as (

    select
        identified_orders.*,
        coalesce(persons.person_key, 'order:' || identified_orders.order_key) as person_key

    from identified_orders
    left join persons
        on identified_orders.identity_key = persons.identity_key
            and {{ is_valid_at('persons', 'identified_orders.ordered_at') }}

),

line_totals as (

    select
        order_key,
        count(*) as line_count,
        cast(sum(quantity) as bigint) as unit_count

    from order_lines

    group by order_key

),

refund_totals as (

    select
        order_key,
        count(*) as refund_count,
        sum(amount) as refunded_amount,
        sum(returned_sales_amount) as returned_amount,
        min(refunded_date) as first_refunded_date,
        max(refunded_date) as last_refunded_date

    from refunds

    group by order_key

),

ranked_codes as (

    select
        order_codes.*,
        row_number() over (
            partition by order_codes.order_key
            order by
                case when order_codes.owner_count > 0 then 1 else 2 end asc,
                order_codes.step_order asc,
                order_codes.code_norm asc
        ) as code_rank

    from order_codes

),

code_totals as (

    select
        order_key,
        count(*) as code_count,
        count(distinct creator_key) as owner_count,
        bool_or(is_ambiguous) as has_ambiguous_code

    from order_codes

    group by order_key

),

-- Over the full history of the person, tests left out; ties at one instant by the order's key.
numbered_orders as (

    select
        order_key,
        row_number() over (
            partition by person_key
            order by ordered_at, order_key
        ) as customer_order_number

    from resolved_orders

    where not is_test

),

-- What the refunds say is better than what the order says of them, and nothing said is nought.
returned_orders as (

    select
        resolved_orders.*,
        coalesce(
            refund_totals.returned_amount,
            resolved_orders.stated_returned_amount,
            0
        ) as returned_amount,
        coalesce(
            refund_totals.refunded_amount,
            resolved_orders.stated_refunded_amount,
            0
        ) as refunded_amount,
        coalesce(refund_totals.refund_count, 0) as refund_count,
        refund_totals.first_refunded_date,
        refund_totals.last_refunded_date

    from resolved_orders
    left join refund_totals
        on resolved_orders.order_key = refund_totals.order_key

),

final as (

    select
        returned_orders.order_key,
        returned_orders.person_key,
        returned_orders.customer_key,
        case
            when code_totals.has_ambiguous_code or code_totals.owner_count > 1 then null
            else ranked_codes.creator_key
        end as code_creator_key,
        ranked_codes.campaign_key as code_campaign_key,
        returned_orders.order_number,
        returned_orders.order_date,
        returned_orders.first_refunded_date,
        returned_orders.last_refunded_date,
        returned_orders.channel,
        order_channels.channel_key,
        returned_orders.platform,
        returned_orders.financial_status,
        returned_orders.ship_country,
        ranked_codes.code_norm,
        coalesce(ranked_codes.match_step, 'none') as code_match_step,
        ranked_codes.validity_status as code_validity_status,
        case
            when code_totals.has_ambiguous_code or code_totals.owner_count > 1 then 'ambiguous'
            when code_totals.owner_count = 1 then 'creator'
            else 'none'
        end as code_party_type,
        returned_orders.is_test,
        returned_orders.is_test as is_excluded,
        coalesce(numbered_orders.customer_order_number = 1, false) as is_new_customer,
        numbered_orders.customer_order_number,
        coalesce(code_totals.code_count, 0) as code_count,
        returned_orders.refund_count,
        coalesce(line_totals.line_count, 0) as line_count,
        coalesce(line_totals.unit_count, 0) as unit_count,
        returned_orders.currency_code,
        cast(returned_orders.gross_amount as decimal(18, 4)) as gross_sales_amount,
        cast(returned_orders.discount_amount as decimal(18, 4)) as discount_amount,
        returned_orders.shipping_amount,
        returned_orders.tax_amount,
        cast(returned_orders.total_amount as decimal(18, 4)) as total_amount,
        cast(returned_orders.returned_amount as decimal(18, 4)) as returned_amount,
        cast(returned_orders.refunded_amount as decimal(18, 4)) as refunded_amount,
        cast(
            returned_orders.gross_amount
            - returned_orders.discount_amount
            - returned_orders.returned_amount as decimal(18, 4)
        ) as net_sales_amount,
        cast(
            returned_orders.total_amount - returned_orders.refunded_amount as decimal(18, 4)
        ) as net_paid_amount,
        returned_orders.ordered_at,
        returned_orders.created_at,
        returned_orders.updated_at,
        returned_orders.cancelled_at,
        returned_orders.source,
        returned_orders.source_account,
        returned_orders.source_record_id,
        returned_orders.source_updated_at,
        returned_orders.extracted_at,
        returned_orders.load_id,
        returned_orders.record_hash,
        returned_orders.is_deleted

    from returned_orders
    inner join order_channels
        on returned_orders.order_key = order_channels.order_key
    left join line_totals
        on returned_orders.order_key = line_totals.order_key
    left join code_totals
        on returned_orders.order_key = code_totals.order_key
    left join ranked_codes
        on returned_orders.order_key = ranked_codes.order_key
            and ranked_codes.code_rank = 1
    left join numbered_orders
        on returned_orders.order_key = numbered_orders.order_key

)

select * from final
