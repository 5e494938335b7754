-- Within a cohort the size never changes, `on_or_after` never rises with n, whoever is back exactly
-- at n is back at n or after, and nobody is missing at n = 0.
with cohorts as (

    select * from {{ ref('fct_retention_cohorts') }}

    where definition in ('on', 'on_or_after')

),

cohort_cells as (

    select
        cohort_start,
        period,
        cohort_kind,
        cohort_recurrence,
        segment_type,
        tier_scheme,
        segment,
        n,
        min(cohort_size_count) as least_size_count,
        max(cohort_size_count) as greatest_size_count,
        max(case when definition = 'on' then retained_count end) as on_count,
        max(case when definition = 'on_or_after' then retained_count end) as on_or_after_count

    from cohorts

    group by
        cohort_start,
        period,
        cohort_kind,
        cohort_recurrence,
        segment_type,
        tier_scheme,
        segment,
        n

),

compared_cells as (

    select
        *,
        lag(on_or_after_count) over cohort_history as previous_on_or_after_count,
        lag(greatest_size_count) over cohort_history as previous_size_count

    from cohort_cells

    window cohort_history as (
        partition by
            cohort_start,
            period,
            cohort_kind,
            cohort_recurrence,
            segment_type,
            tier_scheme,
            segment
        order by n
    )

)

select *

from compared_cells

where
    least_size_count != greatest_size_count
    or greatest_size_count != previous_size_count
    or on_or_after_count > previous_on_or_after_count
    or on_count > on_or_after_count
    or (n = 0 and on_count != greatest_size_count)
