"""What is asked of a world's marts (`built`) and of its truth (`true_…`, `crowd`), side by side.

Braces are filled in by `evaluation.worlds`.
"""

from __future__ import annotations

WINDOW = "(select max(window_days) from built.marts.fct_attribution_credits where is_default)"

ORDERS = """
    select count(*), count(*) filter (where true_orders.cause = 'creator')
    from built.marts.fct_orders as orders
    left join true_orders on orders.order_key = 'drops:demo:' || true_orders.order_id
"""

CREDITED = f"""
    select
        credits.model,
        coalesce(sum(credit_share) filter (where credits.party_type = 'creator'), 0)::double,
        coalesce(
            sum(credit_share) filter (
                where credits.creator_key = 'drops:demo:' || true_orders.creator_id
                and true_orders.cause = 'creator'
            ), 0
        )::double
    from built.marts.fct_attribution_credits as credits
    left join true_orders on credits.order_key = 'drops:demo:' || true_orders.order_id
    where credits.window_days = {WINDOW}
    group by credits.model
    order by credits.model
"""

CREATOR_CREDITS = f"""
    with caused as (
        select creator_id, count(*) as caused
        from true_orders where cause = 'creator' group by creator_id
    ),
    credited as (
        select creator_key, sum(credit_share)::double as credited
        from built.marts.fct_attribution_credits
        where model = '{{model}}' and creator_key is not null and window_days = {WINDOW}
        group by creator_key
    )
    select
        coalesce(credited.credited, 0)::double as credited,
        coalesce(caused.caused, 0)::double as caused
    from true_creators
    left join caused using (creator_id)
    left join credited on credited.creator_key = 'drops:demo:' || true_creators.creator_id
    order by true_creators.creator_id
"""

CONVERSIONS = """
    select
        case true_creators.tier
            when 'nano' then 0 when 'micro' then 1 when 'mid' then 2 else 3
        end as tier,
        crowd.value as true_rate,
        crowd.observation_count as crowd_count,
        built.person_conversion_numerator_count as bought_count,
        built.person_conversion_denominator_count as observed_count,
        built.person_conversion_rate_shrunk as shrunk,
        built.person_conversion_rate_ci_low as low,
        built.person_conversion_rate_ci_high as high
    from built.marts.fct_creator_conversion as built
    inner join true_creators on built.creator_key = 'drops:demo:' || true_creators.creator_id
    inner join crowd
        on crowd.name = 'conversion_30d' and crowd.group_type = 'creator'
        and crowd.group_key = true_creators.creator_id
    where
        built.is_default
        and built.period_type = 'all'
        and built.person_conversion_denominator_count > 0
        and crowd.observation_count >= {minimum}
    order by true_creators.creator_id
"""

PAIRS = """
    select tier, prob_nano_higher_observed
    from built.marts.fct_tier_conversion
    where
        is_default and period_type = 'all' and platform = 'all' and tier_scheme = 'setae'
        and tier in ('micro', 'mid', 'macro') and prob_nano_higher_observed is not null
    order by tier
"""

LIFTS = """
    select window_days, sum(lift * matched_visit_count) / sum(matched_visit_count)
    from built.marts.fct_return_visit_lift
    where segment_type = 'tier' and tier_scheme = 'setae' and lift is not null
    group by window_days
    order by window_days
"""

LIFT_INTERVALS = """
    select window_days, avg((lift_ci_low <= 0 and 0 <= lift_ci_high)::int), count(*)
    from built.marts.fct_return_visit_lift
    where lift_ci_low is not null and (segment_type = 'creator' or tier_scheme = 'setae')
    group by window_days
"""

COMPLETIONS = """
    select order_age_days, completion_rate
    from built.marts.fct_refund_maturity
    where segment_type = 'all' and order_age_days in (7, 14, 28)
    order by order_age_days
"""

# As it fell out, by days as the marts count them, orders weighted by what was sold. Who cancels
# gets the money back within a day; to the books that is a return like another.
COMPLETED = """
    with refunds as (
        select
            subtotal::double as sold,
            timezone('{zone}', coalesce(cancelled_at, refund_due_at))::date
            - timezone('{zone}', created_at)::date as age
        from true_orders
        where cancelled_at is not null or refund_due_at is not null
    )
    select sum(sold) filter (where age <= {days}) / sum(sold)
    from refunds
    where age <= (
        select min(order_age_days) from built.marts.fct_refund_maturity where completion_rate = 1
    )
"""

CODES = """
    with scored as (
        select
            code_norm,
            bool_or(is_review_suggested) as is_flagged,
            max(as_of_date) filter (where is_review_suggested) as flagged_date
        from built.marts.fct_code_integrity_weekly
        where review_score is not null and has_owner
        group by code_norm
    ),
    leaked as (
        select true_orders.code as code_norm, min(true_orders.created_at) as first_leaked_at
        from true_orders
        where true_orders.code_reason = 'leak'
        group by true_orders.code
    )
    select
        count(leaked.code_norm),
        count(scored.code_norm),
        count(*) filter (where scored.code_norm is not null and leaked.code_norm is not null),
        count(*) filter (where scored.is_flagged),
        count(*) filter (
            where scored.is_flagged and scored.flagged_date >= leaked.first_leaked_at::date
        )
    from scored
    full join leaked on scored.code_norm = leaked.code_norm
"""
