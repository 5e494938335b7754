{% set ages = var('customer_value_ages_days') %}
-- A customer is a person, in the cohort of the month of the first order ever, and stands once in
-- each kind of segment: whoever is credited with that order by the default model. Age counts from
-- the instant of the first order, which lies inside every age.
with orders as (

    select * from {{ ref('fct_orders') }}

    where order_date <= {{ data_through_date() }}

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

    where is_default

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'

),

dates as (

    select * from {{ ref('dim_dates') }}

),

ranked_credits as (

    select
        order_key,
        case when party_type = 'channel' then 'unattributed' else party_key end as creator_key,
        coalesce(touch_at, ordered_at) as credited_at,
        -- the greatest share, ties by key, as in dim_customers
        row_number() over (
            partition by order_key
            order by credit_share desc, party_type asc, party_key asc
        ) as credit_rank

    from credits

),

customers as (

    select
        orders.person_key,
        orders.channel_key,
        orders.ordered_at as first_ordered_at,
        dates.month_start_date,
        ranked_credits.creator_key,
        ranked_credits.credited_at

    from orders

    -- the first order of a person, its first credit and its date: one row each
    inner join ranked_credits
        on orders.order_key = ranked_credits.order_key and ranked_credits.credit_rank = 1
    inner join dates on orders.order_date = dates.calendar_date

    where orders.is_new_customer

),

customer_segments as (

    select
        person_key,
        'all' as segment_type,
        'none' as tier_scheme,
        'all' as segment
    from customers

    union all

    select
        person_key,
        'creator' as segment_type,
        'none' as tier_scheme,
        creator_key as segment
    from customers

    union all

    select
        person_key,
        'channel' as segment_type,
        'none' as tier_scheme,
        channel_key as segment
    from customers

    union all

    -- one tier in each scheme: the ranges of a creator and scheme never overlap
    select
        customers.person_key,
        'tier' as segment_type,
        tiers.tier_scheme,
        tiers.tier as segment
    from customers
    inner join tiers
        on
            customers.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'customers.credited_at') }}

),

ages as (

    {% for days in ages %}
        select {{ days }} as age_days
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

customer_ages as (

    -- fans out on purpose: an order counts in every age that reaches it
    select
        customers.person_key,
        customers.month_start_date,
        ages.age_days,
        count(*) as order_count,
        min(orders.currency_code) as first_currency_code,
        max(orders.currency_code) as last_currency_code,
        sum(orders.net_sales_amount) as net_sales_amount,
        {{ sum_where_all_are_known('orders.net_sales_amount_reporting') }}
            as net_sales_amount_reporting

    from customers

    cross join ages
    inner join orders
        on
            customers.person_key = orders.person_key
            and {{ whole_days('customers.first_ordered_at', 'orders.ordered_at') }} < ages.age_days

    group by customers.person_key, customers.month_start_date, ages.age_days

),

cohorts as (

    select
        customer_ages.month_start_date,
        customer_segments.segment_type,
        customer_segments.tier_scheme,
        customer_segments.segment,
        customer_ages.age_days,
        count(*) as customer_count,
        count(*) filter (where customer_ages.order_count > 1) as repeat_customer_count,
        sum(customer_ages.order_count) as order_count,
        min(customer_ages.first_currency_code) as first_currency_code,
        max(customer_ages.last_currency_code) as last_currency_code,
        sum(customer_ages.net_sales_amount) as net_sales_amount,
        {{ sum_where_all_are_known('customer_ages.net_sales_amount_reporting') }}
            as net_sales_amount_reporting,
        cast({{ dbt.last_day('customer_ages.month_start_date', 'month') }} as date)
        + customer_ages.age_days <= {{ data_through_date() }} as is_mature

    from customer_ages

    -- fans out on purpose: a person stands once in each of his segments
    inner join customer_segments on customer_ages.person_key = customer_segments.person_key

    group by
        customer_ages.month_start_date,
        customer_segments.segment_type,
        customer_segments.tier_scheme,
        customer_segments.segment,
        customer_ages.age_days

),

matured_cohorts as (

    select
        *,
        case when is_mature and first_currency_code = last_currency_code then net_sales_amount end
            as matured_amount,
        case when is_mature then net_sales_amount_reporting end as matured_amount_reporting

    from cohorts

),

final as (

    select
        month_start_date as cohort_month_start_date,
        segment_type,
        tier_scheme,
        segment,
        case when first_currency_code = last_currency_code then first_currency_code end
            as currency_code,
        is_mature,
        cast(age_days as integer) as age_days,
        customer_count,
        case when is_mature then repeat_customer_count end as repeat_customer_count,
        case when is_mature then cast(order_count as bigint) end as order_count,
        cast(matured_amount as decimal(38, 4)) as net_sales_amount,
        cast(matured_amount_reporting as decimal(38, 4)) as net_sales_amount_reporting,
        cast(matured_amount / cast(customer_count as double) as decimal(18, 4))
            as net_sales_per_customer_amount,
        cast(matured_amount_reporting / cast(customer_count as double) as decimal(18, 4))
            as net_sales_per_customer_amount_reporting,
        case when is_mature then {{ safe_rate('repeat_customer_count', 'customer_count') }} end
            as repeat_purchase_rate

    from matured_cohorts

)

select * from final
