{% set windows = var('return_lift_windows_days') %}
{% set longest = windows | max %}
{% set groups = var('return_lift_person_groups') %}
-- Do people come back more often after a visit that a creator brought than comparable people do who
-- visited on the same day and had met no creator for some time? Visits of a day are compared inside
-- strata taken just before the visit: days since the last one and visits of the last days. Never
-- pair by pair: a comparison is the histogram of when the visits of a day and stratum were followed
-- by the next, and a creator's visits only count how often they fall into which.
with visits as (

    select * from {{ ref('fct_sessions') }}

    where
        is_visit
        and session_date <= {{ data_through_date() }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where touch_date <= {{ data_through_date() }}

),

tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where platform = 'all'

),

-- A platform's own browser has a cookie jar of its own: who comes back in the usual one is not seen
-- to come back. Its visits are exposures and returns, and nobody's beginning of a follow-up.
in_app_days as (

    select distinct
        person_key,
        activity_date

    from {{ ref('int_activity_events__resolved') }}

    where
        is_in_app_browser
        and not is_excluded

),

acts as (

    select
        person_key,
        {{ interval_number('day', 'session_date') }} as day_number,
        1 as visit_count,
        count(creator_key) as touch_count
    from visits
    group by person_key, session_date

    union all

    select
        person_key,
        {{ interval_number('day', 'touch_date') }} as day_number,
        0 as visit_count,
        count(*) as touch_count
    from touches
    group by person_key, touch_date

),

person_days as (

    select
        person_key,
        day_number,
        max(visit_count) as visit_count,
        max(touch_count) as touch_count

    from acts

    group by person_key, day_number

),

-- What of a person's own past and future a day knows. Exposure is by days: whoever is exposed on
-- the day itself is no comparison on it, whenever in the day.
followed_days as (

    select
        person_key,
        day_number,
        visit_count,
        max(case when touch_count > 0 then day_number end) over (
            partition by person_key
            order by day_number
            rows between unbounded preceding and current row
        ) as last_touch_number,
        min(case when visit_count > 0 then day_number end) over later_days - day_number
            as return_days,
        min(case when touch_count > 0 then day_number end) over later_days - day_number
            as exposure_days

    from person_days

    window later_days as (
        partition by person_key
        order by day_number
        rows between 1 following and unbounded following
    )

),

ordered_visits as (

    select
        person_key,
        creator_key,
        touched_at,
        session_date,
        started_at,
        {{ interval_number('day', 'session_date') }} as day_number,
        lag({{ interval_number('day', 'session_date') }}) over person_history
            as previous_day_number,
        min(started_at) over (partition by person_key) as first_started_at,
        row_number() over person_history
        - 1
        - count(*) over (
            partition by person_key
            order by {{ interval_number('day', 'session_date') }}
            range between unbounded preceding
            and {{ var('return_lift_history_days') + 1 }} preceding
        ) as recent_visit_count

    from visits

    window person_history as (partition by person_key order by started_at)

),

-- People are dealt into groups by the instant of their first visit, so that it takes no name.
index_visits as (

    select
        ordered_visits.person_key,
        ordered_visits.creator_key,
        ordered_visits.touched_at,
        ordered_visits.session_date,
        ordered_visits.day_number,
        followed_days.return_days,
        followed_days.exposure_days,
        ordered_visits.creator_key is null
        and (
            followed_days.last_touch_number is null
            or followed_days.last_touch_number
            < ordered_visits.day_number - {{ var('return_lift_lookback_days') }}
        ) as is_comparison,
        case
            when ordered_visits.previous_day_number is null then 0
            {%- for days in var('return_lift_recency_days') %}
                when ordered_visits.day_number - ordered_visits.previous_day_number
                    <= {{ days }} then {{ loop.index }}
            {%- endfor %}
            else {{ var('return_lift_recency_days') | length + 1 }}
        end * 100 + case
            {%- for visit_count in var('return_lift_frequency_visits') %}
                when ordered_visits.recent_visit_count <= {{ visit_count }} then {{ loop.index }}
            {%- endfor %}
            else {{ var('return_lift_frequency_visits') | length + 1 }}
        end as stratum,
        cast(
            floor(
                {{ epoch_seconds('ordered_visits.first_started_at') }} * 2654435761 % 4294967296
                * {{ groups }} / 4294967296.0
            ) as integer
        ) + 1 as person_group

    from ordered_visits

    -- a person's day is one row on the right
    inner join followed_days
        on
            ordered_visits.person_key = followed_days.person_key
            and ordered_visits.day_number = followed_days.day_number
    left join in_app_days
        on
            ordered_visits.person_key = in_app_days.person_key
            and ordered_visits.session_date = in_app_days.activity_date

    where in_app_days.person_key is null

),

visit_tiers as (

    select
        index_visits.person_key,
        index_visits.session_date,
        index_visits.day_number,
        index_visits.stratum,
        index_visits.person_group,
        index_visits.return_days,
        tiers.tier_scheme,
        tiers.tier

    from index_visits

    -- one tier in each scheme: the ranges of a creator and scheme never overlap
    inner join tiers
        on
            index_visits.creator_key = tiers.creator_key
            and {{ is_valid_at('tiers', 'index_visits.touched_at') }}

),

exposed_visits as (

    select
        'creator' as segment_type,
        'none' as tier_scheme,
        creator_key as segment,
        person_key,
        session_date,
        {{ week_start_date('session_date') }} as week_start_date,
        stratum,
        person_group,
        return_days
    from index_visits
    where
        creator_key is not null
        and creator_key != 'ambiguous'
        and session_date
        > {{ data_through_date() }} - {{ longest + var('return_lift_creator_days') }}

    union all

    select
        'tier' as segment_type,
        tier_scheme,
        tier as segment,
        person_key,
        session_date,
        {{ week_start_date('session_date') }} as week_start_date,
        stratum,
        person_group,
        return_days
    from visit_tiers

),

window_visits as (

    -- fans out on purpose: a visit counts once in each length of follow-up
    {% for days in windows %}
        select
            segment_type,
            tier_scheme,
            segment,
            {{ days }} as window_days,
            case
                when segment_type = 'tier' then week_start_date
                else cast(
                        {{ data_through_date() }} - {{ days + var('return_lift_creator_days') - 1 }}
                        as date
                    )
            end as period_start_date,
            case
                when segment_type = 'tier' then cast(week_start_date + 6 as date)
                else cast({{ data_through_date() }} - {{ days }} as date)
            end as period_end_date,
            person_key,
            session_date,
            stratum,
            person_group,
            case when return_days <= {{ days }} then 1 else 0 end as is_returned
        from exposed_visits
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

observed_visits as (

    select *

    from window_visits

    where
        session_date >= period_start_date
        and session_date <= period_end_date
        and {{ days_between('period_end_date', data_through_date()) }} >= window_days

),

segment_totals as (

    select
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date,
        count(distinct person_key) as exposed_person_count,
        count(distinct person_group) as person_group_count,
        count(*) as exposed_visit_count

    from window_visits

    where
        session_date >= period_start_date
        and session_date <= period_end_date

    group by
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date

),

exposed_cells as (

    select
        session_date,
        stratum

    from observed_visits

    group by session_date, stratum

),

-- When the visits of a day and stratum were followed by another, or by an exposure. A return that
-- comes by a creator is a return; after it, or after an exposure without one, nothing is counted.
comparison_exits as (

    select
        index_visits.session_date,
        index_visits.stratum,
        index_visits.person_group,
        least(
            coalesce(index_visits.return_days, {{ longest + 1 }}),
            coalesce(index_visits.exposure_days, {{ longest + 1 }}),
            {{ longest + 1 }}
        ) as exit_days,
        count(*) as exit_count,
        count(*) filter (
            where
            index_visits.return_days <= {{ longest }}
            and index_visits.return_days
            <= coalesce(index_visits.exposure_days, {{ longest + 1 }})
        ) as return_count

    from index_visits

    -- one row per day and stratum on the right
    inner join exposed_cells
        on
            index_visits.session_date = exposed_cells.session_date
            and index_visits.stratum = exposed_cells.stratum

    where index_visits.is_comparison

    group by
        index_visits.session_date,
        index_visits.stratum,
        index_visits.person_group,
        least(
            coalesce(index_visits.return_days, {{ longest + 1 }}),
            coalesce(index_visits.exposure_days, {{ longest + 1 }}),
            {{ longest + 1 }}
        )

),

total_exits as (

    select
        session_date,
        stratum,
        exit_days,
        sum(exit_count) as exit_count,
        sum(return_count) as return_count

    from comparison_exits

    group by session_date, stratum, exit_days

),

one as (

    select 1 as one_number

),

-- 0 leaves nobody out.
left_out_groups as (

    {{ number_series('one', ['one_number'], '0', groups, 'left_out_group') }}

),

replicated_exits as (

    select
        total_exits.session_date,
        total_exits.stratum,
        left_out_groups.left_out_group,
        total_exits.exit_days,
        total_exits.exit_count - coalesce(comparison_exits.exit_count, 0) as exit_count,
        total_exits.return_count - coalesce(comparison_exits.return_count, 0) as return_count

    from total_exits

    cross join left_out_groups

    -- a group's exits of a day, stratum and length are one row
    left join comparison_exits
        on
            total_exits.session_date = comparison_exits.session_date
            and total_exits.stratum = comparison_exits.stratum
            and total_exits.exit_days = comparison_exits.exit_days
            and left_out_groups.left_out_group = comparison_exits.person_group

),

at_risk as (

    select
        session_date,
        stratum,
        left_out_group,
        exit_days,
        exit_count,
        return_count,
        sum(exit_count) over (
            partition by session_date, stratum, left_out_group
            order by exit_days desc
            rows between unbounded preceding and current row
        ) as at_risk_count

    from replicated_exits

),

-- Kaplan and Meier: the share that had not returned is the product of 1 - returns / at risk. As
-- sums of logarithms in DECIMAL, because a sum of doubles depends on who adds first.
hazards as (

    select
        session_date,
        stratum,
        left_out_group,
        exit_days,
        exit_count,
        case
            when return_count = 0 then 0
            when return_count = at_risk_count then -100
            else cast(ln(1 - return_count / cast(at_risk_count as double)) as decimal(18, 12))
        end as log_survival

    from at_risk

    where at_risk_count > 0

),

comparison_rates as (

    {% for days in windows %}
        select
            session_date,
            stratum,
            left_out_group,
            {{ days }} as window_days,
            sum(exit_count) as comparison_count,
            cast(
                1 - exp(
                    cast(
                        coalesce(
                            sum(log_survival) filter (where exit_days <= {{ days }}), 0
                        ) as double
                    )
                ) as decimal(18, 12)
            ) as comparison_rate
        from hazards
        group by session_date, stratum, left_out_group
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

segment_cells as (

    select
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date,
        session_date,
        stratum,
        person_group,
        count(*) as visit_count,
        sum(is_returned) as return_count

    from observed_visits

    group by
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date,
        session_date,
        stratum,
        person_group

),

matched_cells as (

    -- fans out on purpose: a cell meets its comparison once with all people and once without each
    -- group, but for the cell's own
    select
        segment_cells.segment_type,
        segment_cells.tier_scheme,
        segment_cells.segment,
        segment_cells.window_days,
        segment_cells.period_start_date,
        segment_cells.period_end_date,
        comparison_rates.left_out_group,
        segment_cells.visit_count,
        segment_cells.return_count,
        segment_cells.visit_count * comparison_rates.comparison_rate as expected_return_count

    from segment_cells

    inner join comparison_rates
        on
            segment_cells.session_date = comparison_rates.session_date
            and segment_cells.stratum = comparison_rates.stratum
            and segment_cells.window_days = comparison_rates.window_days
            and segment_cells.person_group != comparison_rates.left_out_group

),

replicates as (

    select
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date,
        left_out_group,
        sum(visit_count) as visit_count,
        sum(return_count) as return_count,
        sum(expected_return_count) as expected_return_count

    from matched_cells

    group by
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        period_end_date,
        left_out_group

),

replicate_lifts as (

    select
        *,
        cast(
            (return_count - cast(expected_return_count as double)) / visit_count as decimal(18, 12)
        ) as lift

    from replicates

),

compared_lifts as (

    select
        *,
        sum(case when left_out_group > 0 then lift end) over segment_replicates
        / count(case when left_out_group > 0 then 1 end) over segment_replicates as mean_lift,
        count(case when left_out_group > 0 then 1 end) over segment_replicates as replicate_count

    from replicate_lifts

    window segment_replicates as (
        partition by segment_type, tier_scheme, segment, window_days, period_start_date
    )

),

-- The jackknife: how far the estimate moves when one group of people leaves is its uncertainty,
-- whatever visits of theirs hang together.
estimates as (

    select
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        any_value(visit_count) filter (where left_out_group = 0) as matched_visit_count,
        any_value(return_count) filter (where left_out_group = 0) as returned_visit_count,
        any_value(expected_return_count) filter (where left_out_group = 0) as expected_return_count,
        any_value(lift) filter (where left_out_group = 0) as lift,
        sum(
            case
                when left_out_group > 0
                    then cast(
                            (replicate_count - 1) / cast(replicate_count as double)
                            * power(cast(lift as double) - cast(mean_lift as double), 2)
                            as decimal(24, 18)
                        )
            end
        ) as jackknife_variance

    from compared_lifts

    group by segment_type, tier_scheme, segment, window_days, period_start_date

),

-- Shrunk are creators towards all creators, a tier's weeks towards the tier.
pooled_estimates as (

    select
        *,
        case when segment_type = 'tier' then segment else 'creators' end as pool,
        sum(returned_visit_count) over segment_pool / cast(
            sum(matched_visit_count) over segment_pool as double
        ) as pool_return_rate

    from estimates

    where matched_visit_count > 0

    window segment_pool as (
        partition by
            segment_type,
            tier_scheme,
            case when segment_type = 'tier' then segment else 'creators' end,
            window_days
    )

),

-- A handful of visits may agree by chance: no estimate is surer than that many independent ones.
variances as (

    select
        *,
        greatest(
            coalesce(cast(jackknife_variance as double), 0),
            pool_return_rate * (1 - pool_return_rate) / matched_visit_count,
            0.000001
        ) as lift_variance

    from pooled_estimates

),

-- How far the members of a pool truly differ: DerSimonian and Laird.
pools as (

    select
        segment_type,
        tier_scheme,
        pool,
        window_days,
        count(*) as member_count,
        cast(sum(cast(1 / lift_variance as decimal(38, 15))) as double) as weight,
        cast(sum(cast(1 / power(lift_variance, 2) as decimal(38, 15))) as double) as squared_weight,
        cast(sum(cast(cast(lift as double) / lift_variance as decimal(38, 15))) as double)
            as weighted_lift,
        cast(sum(cast(power(cast(lift as double), 2) / lift_variance as decimal(38, 15))) as double)
            as weighted_squared_lift

    from variances

    group by segment_type, tier_scheme, pool, window_days

),

pool_spreads as (

    select
        *,
        case
            when weight - squared_weight / weight > 0
                then greatest(
                        (
                            weighted_squared_lift
                            - power(weighted_lift, 2) / weight
                            - (member_count - 1)
                        ) / (weight - squared_weight / weight),
                        0
                    )
            else 0
        end as true_variance

    from pools

),

pool_means as (

    select
        variances.segment_type,
        variances.tier_scheme,
        variances.pool,
        variances.window_days,
        pool_spreads.true_variance,
        cast(
            sum(
                cast(
                    cast(variances.lift as double)
                    / (variances.lift_variance + pool_spreads.true_variance) as decimal(38, 15)
                )
            ) as double
        ) / cast(
            sum(
                cast(
                    1 / (variances.lift_variance + pool_spreads.true_variance) as decimal(38, 15)
                )
            ) as double
        ) as pool_lift

    from variances

    -- one row per pool on the right
    inner join pool_spreads
        on
            variances.segment_type = pool_spreads.segment_type
            and variances.tier_scheme = pool_spreads.tier_scheme
            and variances.pool = pool_spreads.pool
            and variances.window_days = pool_spreads.window_days

    group by
        variances.segment_type,
        variances.tier_scheme,
        variances.pool,
        variances.window_days,
        pool_spreads.true_variance

),

segment_days as (

    select
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        session_date,
        stratum

    from segment_cells

    group by
        segment_type,
        tier_scheme,
        segment,
        window_days,
        period_start_date,
        session_date,
        stratum

),

comparison_sizes as (

    select
        segment_days.segment_type,
        segment_days.tier_scheme,
        segment_days.segment,
        segment_days.window_days,
        segment_days.period_start_date,
        sum(comparison_rates.comparison_count) as comparison_visit_count

    from segment_days

    -- a day and stratum has one comparison with nobody left out
    inner join comparison_rates
        on
            segment_days.session_date = comparison_rates.session_date
            and segment_days.stratum = comparison_rates.stratum
            and segment_days.window_days = comparison_rates.window_days
            and comparison_rates.left_out_group = 0

    group by
        segment_days.segment_type,
        segment_days.tier_scheme,
        segment_days.segment,
        segment_days.window_days,
        segment_days.period_start_date

),

assembled as (

    select
        segment_totals.segment_type,
        segment_totals.tier_scheme,
        segment_totals.segment,
        segment_totals.window_days,
        segment_totals.period_start_date,
        segment_totals.period_end_date,
        segment_totals.exposed_person_count,
        segment_totals.exposed_visit_count,
        {{ days_between('segment_totals.period_end_date', data_through_date()) }}
        >= segment_totals.window_days as is_mature,
        variances.matched_visit_count,
        variances.returned_visit_count,
        cast(variances.expected_return_count as double) as expected_return_count,
        comparison_sizes.comparison_visit_count,
        cast(variances.lift as double) as lift,
        variances.lift_variance,
        pool_means.pool_lift
        + pool_means.true_variance / (pool_means.true_variance + variances.lift_variance)
        * (cast(variances.lift as double) - pool_means.pool_lift) as lift_shrunk,
        case
            when
                segment_totals.exposed_person_count >= {{ var('return_lift_minimum_persons') }}
                and segment_totals.person_group_count > 1
                then sqrt(variances.lift_variance)
                    * {{ student_quantile(
                        (1 + var('ci_level')) / 2, '(segment_totals.person_group_count - 1)'
                    ) }}
        end as half_width

    from segment_totals

    -- at most one row per segment, period and length of follow-up on each right side
    left join variances
        on
            segment_totals.segment_type = variances.segment_type
            and segment_totals.tier_scheme = variances.tier_scheme
            and segment_totals.segment = variances.segment
            and segment_totals.window_days = variances.window_days
            and segment_totals.period_start_date = variances.period_start_date
    left join pool_means
        on
            variances.segment_type = pool_means.segment_type
            and variances.tier_scheme = pool_means.tier_scheme
            and variances.pool = pool_means.pool
            and variances.window_days = pool_means.window_days
    left join comparison_sizes
        on
            segment_totals.segment_type = comparison_sizes.segment_type
            and segment_totals.tier_scheme = comparison_sizes.tier_scheme
            and segment_totals.segment = comparison_sizes.segment
            and segment_totals.window_days = comparison_sizes.window_days
            and segment_totals.period_start_date = comparison_sizes.period_start_date

),

final as (

    select
        segment_type,
        tier_scheme,
        segment,
        case when segment_type = 'creator' then segment end as creator_key,
        period_start_date,
        period_end_date,
        cast(window_days as integer) as window_days,
        case
            when half_width <= {{ var('return_lift_half_widths')[0] }} then 'reliable'
            when half_width <= {{ var('return_lift_half_widths')[1] }} then 'usable'
            when half_width <= {{ var('return_lift_half_widths')[2] }} then 'directional'
            else 'insufficient'
        end as lift_reliability,
        is_mature,
        exposed_person_count,
        exposed_visit_count,
        case when is_mature then cast(coalesce(matched_visit_count, 0) as bigint) end
            as matched_visit_count,
        case when is_mature then cast(coalesce(comparison_visit_count, 0) as bigint) end
            as comparison_visit_count,
        cast(returned_visit_count as bigint) as returned_visit_count,
        round(expected_return_count, 9) as expected_return_count,
        {{ safe_rate('returned_visit_count', 'matched_visit_count') }} as exposed_return_rate,
        round({{ safe_rate('expected_return_count', 'matched_visit_count') }}, 9)
            as comparison_return_rate,
        round(lift, 9) as lift,
        round(lift_shrunk, 9) as lift_shrunk,
        round(lift - half_width, 9) as lift_ci_low,
        round(lift + half_width, 9) as lift_ci_high

    from assembled

)

select * from final
