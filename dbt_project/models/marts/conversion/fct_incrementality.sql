-- Money is estimated in whole minor units; here it becomes the currency's own.
with estimates as (

    select * from {{ ref('int_experiments__estimated') }}

),

scaled_estimates as (

    select
        *,
        case
            when metric = 'net_sales_amount'
                then {{ by_minor_digits('currency_code', {
                    0: '1.0', 2: '0.01', 3: '0.001', 4: '0.0001'
                }) }}
            else 1.0
        end as scale

    from estimates

),

lifts as (

    select
        *,
        {% for part in ['lift', 'lift_ci_low', 'lift_ci_high'] %}
            {{ part }} * scale as scaled_{{ part }},
            {{ part }} * scale * unit_days as total_{{ part }},
            -- what the started units would have had without it
            case
                when started_mean > {{ part }} then {{ part }} / (started_mean - {{ part }})
            end as relative_{{ part }},
        {% endfor %}
        (started_mean - lift) * scale as scaled_baseline

    from scaled_estimates

),

final as (

    select
        experiment_key,
        unit,
        metric,
        currency_code,
        case when refusal_reason is null then 'estimated' else 'refused' end as status,
        refusal_reason,
        is_exact,
        assigned_count,
        unit_count,
        started_unit_count,
        wave_count,
        unit_days as started_unit_day_count,
        assignment_count,
        computed_assignment_count,
        round(scaled_baseline, 6) as baseline_per_unit_day,
        round(scaled_lift, 6) as lift_per_unit_day,
        round(scaled_lift_ci_low, 6) as lift_per_unit_day_ci_low,
        round(scaled_lift_ci_high, 6) as lift_per_unit_day_ci_high,
        round(total_lift, 4) as lift_total,
        round(total_lift_ci_low, 4) as lift_total_ci_low,
        round(total_lift_ci_high, 4) as lift_total_ci_high,
        round(relative_lift, 6) as lift_ratio,
        round(relative_lift_ci_low, 6) as lift_ratio_ci_low,
        round(relative_lift_ci_high, 6) as lift_ratio_ci_high,
        p_value,
        starts_at,
        ends_at

    from lifts

)

select * from final
