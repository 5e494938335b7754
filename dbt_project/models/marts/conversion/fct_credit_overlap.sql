with orders as (

    select * from {{ ref('fct_orders') }}

),

evidence as (

    select * from {{ ref('int_order_evidence__unioned') }}

    where window_days = {{ var('default_attribution_window_days') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

date_periods as (

    {{ date_periods('dates') }}

),

evidence_by_order as (

    select
        order_key,
        bool_or(has_code) as has_code,
        bool_or(has_click) as has_click,
        bool_or(has_survey) as has_survey,
        max(
            case when has_code then 1 else 0 end
            + case when has_click then 1 else 0 end
            + case when has_survey then 1 else 0 end
        ) as most_agreeing_count

    from evidence

    group by order_key

),

classified_orders as (

    select
        orders.order_date,
        orders.currency_code,
        orders.is_new_customer,
        orders.net_sales_amount,
        orders.net_sales_amount_reporting,
        coalesce(evidence_by_order.has_code, false) as has_code,
        coalesce(evidence_by_order.has_click, false) as has_click,
        coalesce(evidence_by_order.has_survey, false) as has_survey,
        -- one creator is named by every kind of evidence there is
        coalesce(
            evidence_by_order.most_agreeing_count
            = case when evidence_by_order.has_code then 1 else 0 end
            + case when evidence_by_order.has_click then 1 else 0 end
            + case when evidence_by_order.has_survey then 1 else 0 end,
            false
        ) as is_agreed

    from orders

    -- order_key is unique on the right
    left join evidence_by_order on orders.order_key = evidence_by_order.order_key

),

final as (

    select
        date_periods.period_start_date,
        date_periods.period_type,
        case
            when classified_orders.has_code and classified_orders.has_click
                then case
                        when classified_orders.has_survey then 'all_three' else 'code_and_click'
                    end
            when classified_orders.has_code
                then case
                        when classified_orders.has_survey then 'code_and_survey' else 'code_only'
                    end
            when classified_orders.has_click
                then
                    case
                        when classified_orders.has_survey then 'click_and_survey' else 'click_only'
                    end
            when classified_orders.has_survey then 'survey_only'
            else 'none'
        end as evidence,
        cast({{ var('default_attribution_window_days') }} as integer) as window_days,
        {{ only_value('classified_orders.currency_code') }} as currency_code,
        classified_orders.has_code,
        classified_orders.has_click,
        classified_orders.has_survey,
        count(*) as order_count,
        count(*) filter (where classified_orders.is_new_customer) as new_customer_count,
        count(*) filter (where classified_orders.is_agreed) as agreed_order_count,
        cast(
            {{ sum_of_one_currency(
                'classified_orders.net_sales_amount', 'classified_orders.currency_code'
            ) }} as decimal(38, 4)
        ) as net_sales_amount,
        cast(
            {{ sum_where_all_are_known('classified_orders.net_sales_amount_reporting') }}
            as decimal(38, 4)
        ) as net_sales_amount_reporting

    from classified_orders

    -- fans out on purpose: a day lies in one period of each type
    inner join date_periods on classified_orders.order_date = date_periods.calendar_date

    group by
        date_periods.period_start_date,
        date_periods.period_type,
        classified_orders.has_code,
        classified_orders.has_click,
        classified_orders.has_survey

)

select * from final
