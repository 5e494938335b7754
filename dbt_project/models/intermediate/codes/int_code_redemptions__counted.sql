with redemptions as (

    select * from {{ ref('int_code_redemptions__matched') }}

),

final as (

    select
        source,
        match_step,
        match_reason,
        validity_status,
        count(*) as redemption_count,
        count(distinct order_key) as order_count

    from redemptions

    group by source, match_step, match_reason, validity_status

)

select * from final
