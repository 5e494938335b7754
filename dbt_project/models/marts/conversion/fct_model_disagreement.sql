-- How far the credit of a creator depends on the rule somebody chose: over all models and windows,
-- over models at the default window, and over windows in the default model.
with conversions as (

    select * from {{ ref('fct_creator_conversion') }}

),

ranked_conversions as (

    select
        creator_key,
        period_type,
        period_start_date,
        model || ' ' || cast(window_days as varchar) || ' days' as rule_name,
        model = '{{ var("default_attribution_model") }}' as is_default_model,
        window_days = {{ var('default_attribution_window_days') }} as is_default_window,
        is_default,
        is_complete,
        currency_code,
        order_credit_share,
        net_sales_amount,
        row_number() over (
            partition by creator_key, period_type, period_start_date
            order by order_credit_share asc, model asc, window_days asc
        ) as least_rank,
        row_number() over (
            partition by creator_key, period_type, period_start_date
            order by order_credit_share desc, model asc, window_days asc
        ) as greatest_rank

    from conversions

),

spreads as (

    select
        creator_key,
        period_type,
        period_start_date,
        bool_and(is_complete) as is_complete,
        any_value(rule_name) filter (where least_rank = 1) as least_rule,
        any_value(rule_name) filter (where greatest_rank = 1) as greatest_rule,
        {{ only_value('currency_code') }} as currency_code,
        -- a rule that credits nothing has no row of money and no currency
        count(*) filter (where net_sales_amount is null) as mixed_currency_count,
        count(*) as rule_count,
        any_value(order_credit_share) filter (where is_default) as default_order_credit,
        min(order_credit_share) as least_order_credit,
        max(order_credit_share) as greatest_order_credit,
        max(case when is_default_window then order_credit_share end)
        - min(case when is_default_window then order_credit_share end) as model_spread_order_credit,
        max(case when is_default_model then order_credit_share end)
        - min(case when is_default_model then order_credit_share end) as window_spread_order_credit,
        any_value(net_sales_amount) filter (where is_default) as default_net_sales_amount,
        min(net_sales_amount) as least_net_sales_amount,
        max(net_sales_amount) as greatest_net_sales_amount

    from ranked_conversions

    group by creator_key, period_type, period_start_date

),

final as (

    select
        creator_key,
        period_start_date,
        period_type,
        least_rule,
        greatest_rule,
        case when mixed_currency_count = 0 then currency_code end as currency_code,
        is_complete,
        rule_count,
        cast(default_order_credit as decimal(38, 12)) as default_order_credit,
        cast(least_order_credit as decimal(38, 12)) as least_order_credit,
        cast(greatest_order_credit as decimal(38, 12)) as greatest_order_credit,
        cast(model_spread_order_credit as decimal(38, 12)) as model_spread_order_credit,
        cast(window_spread_order_credit as decimal(38, 12)) as window_spread_order_credit,
        cast(case when mixed_currency_count = 0 then default_net_sales_amount end as decimal(38, 4))
            as default_net_sales_amount,
        cast(case when mixed_currency_count = 0 then least_net_sales_amount end as decimal(38, 4))
            as least_net_sales_amount,
        cast(
            case when mixed_currency_count = 0 then greatest_net_sales_amount end as decimal(38, 4)
        ) as greatest_net_sales_amount,
        {{ safe_rate('greatest_order_credit - least_order_credit', 'greatest_order_credit') }}
            as disagreement_rate

    from spreads

)

select * from final
