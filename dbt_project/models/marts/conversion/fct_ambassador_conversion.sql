{% set window_days = var('default_attribution_window_days') %}
with recursive referrals as (

    select * from {{ ref('int_referrals__unioned') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

-- As the roster says it: who only ever referred is no customer of the shop's feeds.
creators as (

    select * from {{ ref('int_creators__unioned') }}

    where customer_key is not null

),

-- Who is referred twice was won by the first.
ranked_referrals as (

    select
        referrer_customer_key,
        referred_customer_key,
        referred_date,
        referred_at,
        row_number() over (
            partition by referred_customer_key
            order by referred_at, referral_key
        ) as referral_rank

    from referrals

    where
        referrer_customer_key is not null
        and referred_customer_key is not null
        and referrer_customer_key != referred_customer_key

),

first_referrals as (

    select
        referrer_customer_key,
        referred_customer_key,
        referred_date,
        referred_at

    from ranked_referrals

    where referral_rank = 1

),

-- From those whom nobody referred downwards: everybody has one referrer, so each is met once, and a
-- ring that refers itself is never met.
chain (customer_key, referral_depth) as (

    select
        referrals.referrer_customer_key as customer_key,
        0 as referral_depth
    from referrals
    left join first_referrals
        on referrals.referrer_customer_key = first_referrals.referred_customer_key
    where
        referrals.referrer_customer_key is not null
        and first_referrals.referred_customer_key is null

    union

    select
        first_referrals.referred_customer_key as customer_key,
        chain.referral_depth + 1 as referral_depth
    from chain
    inner join first_referrals on chain.customer_key = first_referrals.referrer_customer_key
    -- no chain is longer; a ring that were met all the same would turn for ever
    where chain.referral_depth < (select count(*) from referrals)

),

referral_months as (

    select
        referrer_customer_key,
        cast({{ dbt.date_trunc('month', 'referred_date') }} as date) as referral_month_start_date,
        count(*) as referral_count

    from referrals

    where referrer_customer_key is not null

    group by
        referrer_customer_key,
        cast({{ dbt.date_trunc('month', 'referred_date') }} as date)

),

-- Fans out over a customer's orders and is folded at once.
referred_customers as (

    select
        first_referrals.referrer_customer_key,
        first_referrals.referred_customer_key,
        cast({{ dbt.date_trunc('month', 'first_referrals.referred_date') }} as date)
            as referral_month_start_date,
        {{ dbt.dateadd('day', window_days, 'first_referrals.referred_at') }}
        <= {{ data_through_end() }} as is_observed,
        count(orders.order_key) as order_count,
        coalesce(
            min(orders.ordered_at)
            < {{ dbt.dateadd('day', window_days, 'first_referrals.referred_at') }},
            false
        ) as has_bought_in_window,
        min(orders.currency_code) as first_currency_code,
        max(orders.currency_code) as last_currency_code,
        sum(orders.net_sales_amount) as net_sales_amount

    from first_referrals

    left join orders
        on
            first_referrals.referred_customer_key = orders.customer_key
            and first_referrals.referred_at <= orders.ordered_at

    group by
        first_referrals.referrer_customer_key,
        first_referrals.referred_customer_key,
        first_referrals.referred_date,
        first_referrals.referred_at

),

ambassador_months as (

    select
        referrer_customer_key,
        referral_month_start_date,
        case
            when min(first_currency_code) = max(last_currency_code) then min(first_currency_code)
        end as currency_code,
        count(*) as referred_customer_count,
        count(*) filter (where order_count > 0) as buying_customer_count,
        cast(sum(order_count) as bigint) as order_count,
        count(*) filter (where is_observed) as conversion_denominator_count,
        count(*) filter (where is_observed and has_bought_in_window)
            as conversion_numerator_count,
        case
            when coalesce(min(first_currency_code) = max(last_currency_code), true)
                then coalesce(sum(net_sales_amount), 0)
        end as net_sales_amount

    from referred_customers

    group by referrer_customer_key, referral_month_start_date

),

-- A customer has one creator at most; were there two, the ambassador is one all the same.
creator_customers as (

    select
        customer_key,
        min(creator_key) as creator_key

    from creators

    group by customer_key

),

final as (

    select
        referral_months.referrer_customer_key as customer_key,
        creator_customers.creator_key,
        referral_months.referral_month_start_date,
        ambassador_months.currency_code,
        creator_customers.creator_key is not null as is_customer_creator,
        cast(chain.referral_depth as integer) as referral_depth,
        referral_months.referral_count,
        coalesce(ambassador_months.referred_customer_count, 0) as referred_customer_count,
        coalesce(ambassador_months.buying_customer_count, 0) as buying_customer_count,
        coalesce(ambassador_months.order_count, 0) as order_count,
        coalesce(ambassador_months.conversion_denominator_count, 0)
            as referral_conversion_denominator_count,
        coalesce(ambassador_months.conversion_numerator_count, 0)
            as referral_conversion_numerator_count,
        cast(
            case
                when ambassador_months.referrer_customer_key is null then 0
                else ambassador_months.net_sales_amount
            end as decimal(38, 4)
        ) as net_sales_amount,
        {{ safe_rate(
            'ambassador_months.conversion_numerator_count',
            'ambassador_months.conversion_denominator_count'
        ) }} as referral_conversion_rate

    from referral_months

    -- each right side is unique on its part of the key
    left join ambassador_months
        on
            referral_months.referrer_customer_key = ambassador_months.referrer_customer_key
            and referral_months.referral_month_start_date
            = ambassador_months.referral_month_start_date
    left join chain on referral_months.referrer_customer_key = chain.customer_key
    left join creator_customers
        on referral_months.referrer_customer_key = creator_customers.customer_key

)

select * from final
