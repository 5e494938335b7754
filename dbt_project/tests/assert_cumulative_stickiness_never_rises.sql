-- Whoever was active in k + 1 intervals was active in k: the cumulative count never rises with k,
-- begins with everybody active, and steps down by those active in exactly k.
with distribution as (

    select * from {{ ref('fct_stickiness_distribution') }}

    where is_mature

),

compared as (

    select
        *,
        lead(persons_at_least_count, 1, 0) over (
            partition by
                period_start_date,
                period_end_date,
                period_type,
                interval,
                segment_type,
                tier_scheme,
                segment
            order by active_intervals
        ) as next_at_least_count

    from distribution

)

select
    period_start_date,
    period_type,
    segment_type,
    segment,
    active_intervals,
    persons_exactly_count,
    persons_at_least_count

from compared

where
    persons_at_least_count != persons_exactly_count + next_at_least_count
    or (active_intervals = 1 and persons_at_least_count != active_person_count)
