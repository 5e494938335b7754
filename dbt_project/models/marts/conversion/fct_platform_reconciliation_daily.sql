-- What a platform says it caused, beside what the ledger books to touches on it, and why they
-- differ. Causes are steps from the claim to the ledger, so they sum to the difference: views are
-- never in the ledger; of the clicks claimed some were not seen here; the windows differ; and of
-- the orders that touched the platform some are credited to somebody else. Claims never enter
-- sales.
{%- set default_days = var('default_attribution_window_days') %}

with claims as (

    select * from {{ ref('int_platform_claims__unioned') }}

),

touches as (

    select * from {{ ref('int_touches__sequenced') }}

    where
        path_number is not null
        and platform is not null

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

credits as (

    select * from {{ ref('fct_attribution_credits') }}

    where is_default

),

-- What one network sells as a whole is several platforms here.
claiming_platforms as (

    select
        platform,
        platform as touch_platform
    from claims
    where platform not in ({{ quoted_list(var('claim_platforms').keys() | list + ['']) }})
    group by platform

    {% for platform, touch_platforms in var('claim_platforms').items() %}
        {% for touch_platform in touch_platforms %}
            union all

            select
                platform,
                '{{ touch_platform }}' as touch_platform
            from claims
            where platform = '{{ platform }}'
            group by platform
        {% endfor %}
    {% endfor %}

),

claims_by_day as (

    select
        claim_date as reconciliation_date,
        platform,
        max(case when not coalesce(is_view_through, false) then window_days end)
            as click_window_days,
        sum(cast(claimed_conversion_count as decimal(18, 4))) as claimed_order_count,
        sum(
            case
                when coalesce(is_view_through, false)
                    then cast(claimed_conversion_count as decimal(18, 4))
                else 0
            end
        ) as claimed_view_order_count,
        sum(claimed_amount) as claimed_amount

    from claims

    group by claim_date, platform

),

touched_platforms as (

    select
        touches.person_key,
        claiming_platforms.platform

    from touches
    inner join claiming_platforms on touches.platform = claiming_platforms.touch_platform

    group by touches.person_key, claiming_platforms.platform

),

-- One pass over each person's touches on a platform and orders: the last touch before the order.
platform_stream as (

    select
        touches.person_key,
        claiming_platforms.platform,
        touches.touch_at as happened_at,
        0 as mark_order,
        touches.touch_at,
        cast(null as varchar) as order_key
    from touches
    inner join claiming_platforms on touches.platform = claiming_platforms.touch_platform

    union all

    -- fans out over the platforms that claim anything, a handful
    select
        orders.person_key,
        touched_platforms.platform,
        orders.ordered_at as happened_at,
        1 as mark_order,
        cast(null as timestamp) as touch_at,
        orders.order_key
    from orders
    inner join touched_platforms on orders.person_key = touched_platforms.person_key

),

last_touches as (

    select
        platform,
        order_key,
        max(touch_at) over (
            partition by person_key, platform
            order by happened_at, mark_order
            rows between unbounded preceding and current row
        ) as last_touch_at

    from platform_stream

),

touched_orders as (

    select
        last_touches.platform,
        orders.order_key,
        orders.order_date,
        last_touches.last_touch_at
        > orders.ordered_at - interval '1 day' * coalesce(
            claims_by_day.click_window_days, {{ default_days }}
        ) as is_in_claim_window,
        last_touches.last_touch_at
        > orders.ordered_at - interval '1 day' * {{ default_days }} as is_in_default_window

    from last_touches

    -- order_key is unique in orders, day and platform in claims_by_day
    inner join orders on last_touches.order_key = orders.order_key
    left join claims_by_day
        on
            orders.order_date = claims_by_day.reconciliation_date
            and last_touches.platform = claims_by_day.platform

),

touched_by_day as (

    select
        order_date as reconciliation_date,
        platform,
        count(*) filter (where is_in_claim_window) as claim_window_order_count,
        count(*) filter (where is_in_default_window) as touched_order_count

    from touched_orders

    where
        is_in_claim_window
        or is_in_default_window

    group by order_date, platform

),

-- Several touches of a party at one instant on different platforms: the first by name stands.
credited_platforms as (

    select
        credits.order_key,
        credits.order_date,
        credits.currency_code,
        credits.credit_share,
        credits.credit_amount,
        min(touches.platform) as touch_platform

    from credits

    -- order_key is unique in orders; the touches are folded at once
    inner join orders on credits.order_key = orders.order_key
    inner join touches
        on
            orders.person_key = touches.person_key
            and credits.party_type = touches.party_type
            and credits.party_key = touches.party_key
            and credits.touch_at = touches.touch_at

    group by
        credits.order_key,
        credits.order_date,
        credits.currency_code,
        credits.credit_share,
        credits.credit_amount

),

claimed_credits as (

    select
        credited_platforms.order_date as reconciliation_date,
        claiming_platforms.platform,
        credited_platforms.currency_code,
        credited_platforms.credit_share,
        credited_platforms.credit_amount

    from credited_platforms

    -- fans out over the networks that sell the platform, a handful
    inner join claiming_platforms
        on credited_platforms.touch_platform = claiming_platforms.touch_platform

),

credited_by_day as (

    select
        reconciliation_date,
        platform,
        sum(credit_share) as ledger_order_credit,
        sum(credit_amount) as ledger_net_sales_amount

    from claimed_credits

    group by reconciliation_date, platform

),

told_currencies as (

    select
        claim_date as reconciliation_date,
        platform,
        currency_code
    from claims

    union all

    select
        reconciliation_date,
        platform,
        currency_code
    from claimed_credits

),

-- Dollars and euros have no sum and no difference, on whichever side they stand.
currencies_by_day as (

    select
        reconciliation_date,
        platform,
        {{ only_value('currency_code') }} as currency_code

    from told_currencies

    group by reconciliation_date, platform

),

days as (

    select
        reconciliation_date,
        platform
    from claims_by_day

    union distinct

    select
        reconciliation_date,
        platform
    from touched_by_day

),

counted_days as (

    select
        days.reconciliation_date,
        days.platform,
        currencies_by_day.currency_code,
        cast(claims_by_day.click_window_days as integer) as click_window_days,
        cast(coalesce(claims_by_day.claimed_order_count, 0) as decimal(18, 4))
            as claimed_order_count,
        cast(coalesce(claims_by_day.claimed_view_order_count, 0) as decimal(18, 4))
            as claimed_view_order_count,
        coalesce(touched_by_day.claim_window_order_count, 0) as claim_window_order_count,
        coalesce(touched_by_day.touched_order_count, 0) as touched_order_count,
        cast(coalesce(credited_by_day.ledger_order_credit, 0) as decimal(38, 12))
            as ledger_order_credit,
        claims_by_day.claimed_amount,
        credited_by_day.ledger_net_sales_amount

    from days

    -- day and platform are unique on every right side
    left join claims_by_day
        on
            days.reconciliation_date = claims_by_day.reconciliation_date
            and days.platform = claims_by_day.platform
    left join touched_by_day
        on
            days.reconciliation_date = touched_by_day.reconciliation_date
            and days.platform = touched_by_day.platform
    left join credited_by_day
        on
            days.reconciliation_date = credited_by_day.reconciliation_date
            and days.platform = credited_by_day.platform
    left join currencies_by_day
        on
            days.reconciliation_date = currencies_by_day.reconciliation_date
            and days.platform = currencies_by_day.platform

),

final as (

    select
        reconciliation_date,
        platform,
        currency_code,
        click_window_days,
        claim_window_order_count,
        touched_order_count,
        claimed_order_count,
        claimed_view_order_count,
        ledger_order_credit,
        cast(claimed_order_count - ledger_order_credit as decimal(38, 12))
            as difference_order_credit,
        claimed_view_order_count as view_through_difference,
        cast(
            claimed_order_count - claimed_view_order_count - claim_window_order_count
            as decimal(18, 4)
        ) as not_seen_difference,
        claim_window_order_count - touched_order_count as window_difference,
        cast(touched_order_count - ledger_order_credit as decimal(38, 12))
            as credited_elsewhere_difference,
        cast(case when currency_code is not null then claimed_amount end as decimal(38, 4))
            as claimed_amount,
        cast(
            case when currency_code is not null then coalesce(ledger_net_sales_amount, 0) end
            as decimal(38, 4)
        ) as ledger_net_sales_amount

    from counted_days

)

select * from final
