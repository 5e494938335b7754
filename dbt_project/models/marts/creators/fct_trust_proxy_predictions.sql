with predictions as (

    select * from {{ ref('int_proxy_predictions__estimated') }}

),

final as (

    select
        trust_proxy,
        period_start_date,
        period_type,
        case when refusal_reason is null then 'estimated' else 'refused' end as status,
        refusal_reason,
        -- the interval keeps clear of "no better than the average"
        coalesce(skill_ci_low > 0, false) as is_predictive,
        training_pair_count,
        creator_count,
        clicker_count,
        buyer_count,
        {{ safe_rate('buyer_count', 'clicker_count') }} as conversion_rate,
        slope as slope_ratio,
        rank_correlation as rank_correlation_score,
        skill as skill_score,
        skill_ci_low as skill_score_ci_low,
        skill_ci_high as skill_score_ci_high

    from predictions

)

select * from final
