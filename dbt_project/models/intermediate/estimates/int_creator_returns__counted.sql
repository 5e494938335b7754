{% set windows = [7, 14, 28] %}
{{ config(materialized='table') }}

-- A person is in one cohort of a creator: the week of the first visit that a touch of that creator
-- opened. Back is he who visits on a later calendar day; what happens later on the same day stands
-- apart. By the creator's touch again and directly, without any, are two things and never added.
-- Directly is a visit with no touch of anybody: neither a creator's nor one of a channel.
with visits as (

    select * from {{ ref('fct_sessions') }}

    where
        is_visit
        and session_date <= {{ data_through_date() }}

),

touches as (

    select * from {{ ref('int_touches__sequenced') }}

    -- what somebody was merely shown brought no visit
    where
        is_click
        and party_key not in ({{ quoted_list(var('direct_party_keys')) }})

),

creator_tiers as (

    select * from {{ ref('int_creator_tiers__ranged') }}

    where
        platform = 'all'
        and tier_scheme = '{{ var("leading_tier_scheme") }}'

),

creator_accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

),

creator_platforms as (

    {{ creator_platforms('creator_accounts') }}

),

-- A creator's or ambiguous touch is the session's; a channel's is an event inside it.
brought_visits as (

    select distinct visits.session_key

    from visits
    inner join touches
        on
            visits.person_key = touches.person_key
            and visits.started_at <= touches.touch_at
            and visits.ended_at >= touches.touch_at

),

exposed_persons as (

    select person_key

    from visits

    where creator_key is not null

    group by person_key

),

person_dates as (

    select
        visits.person_key,
        visits.session_date,
        max(visits.started_at) as last_started_at,
        count(
            case
                when visits.creator_key is null and brought_visits.session_key is null then 1
            end
        ) as direct_visit_count

    from visits

    -- one row per person, and per session, on the right
    inner join exposed_persons on visits.person_key = exposed_persons.person_key
    left join brought_visits on visits.session_key = brought_visits.session_key

    group by visits.person_key, visits.session_date

),

followed_dates as (

    select
        person_key,
        session_date,
        last_started_at,
        lead(session_date) over (
            partition by person_key
            order by session_date
        ) as next_date,
        min(case when direct_visit_count > 0 then session_date end) over (
            partition by person_key
            order by session_date
            rows between 1 following and unbounded following
        ) as next_direct_date

    from person_dates

),

creator_dates as (

    select
        creator_key,
        person_key,
        session_date,
        min(started_at) as first_started_at,
        min(touched_at) as first_touched_at

    from visits

    where creator_key is not null

    group by creator_key, person_key, session_date

),

followed_creator_dates as (

    select
        creator_key,
        person_key,
        session_date,
        first_started_at,
        first_touched_at,
        lead(session_date) over creator_history as next_creator_date,
        row_number() over creator_history as visit_date_number

    from creator_dates

    window creator_history as (partition by creator_key, person_key order by session_date)

),

first_exposures as (

    select
        followed_creator_dates.creator_key,
        {{ week_start_date('followed_creator_dates.session_date') }} as exposure_week_start_date,
        followed_creator_dates.first_touched_at,
        followed_dates.last_started_at > followed_creator_dates.first_started_at
            as has_same_day_return,
        {{ days_between('followed_creator_dates.session_date', data_through_date()) }}
            as follow_up_days,
        {{ days_between('followed_creator_dates.session_date', 'followed_dates.next_date') }}
            as return_days,
        {{ days_between(
            'followed_creator_dates.session_date', 'followed_creator_dates.next_creator_date'
        ) }} as creator_return_days,
        {{ days_between('followed_creator_dates.session_date', 'followed_dates.next_direct_date') }}
            as direct_return_days

    from followed_creator_dates

    -- a person's date is one row on the right
    inner join followed_dates
        on
            followed_creator_dates.person_key = followed_dates.person_key
            and followed_creator_dates.session_date = followed_dates.session_date

    where followed_creator_dates.visit_date_number = 1

),

cohorts as (

    select
        creator_key,
        exposure_week_start_date,
        min(first_touched_at) as first_touched_at,
        count(*) as exposed_person_count,
        count(*) filter (where has_same_day_return) as same_day_return_count,
        {% for days in windows %}
            count(*) filter (where return_days <= {{ days }}) as returned_{{ days }}d_count,
            count(*) filter (where creator_return_days <= {{ days }})
                as returned_by_creator_{{ days }}d_count,
            count(*) filter (where direct_return_days <= {{ days }})
                as returned_directly_{{ days }}d_count,
        {% endfor %}
        count(return_days) as returned_count

    from first_exposures

    group by creator_key, exposure_week_start_date

),

-- Time to return by Kaplan and Meier: who has not returned yet was followed for so many days, and
-- leaves the count after them.
exits as (

    select
        creator_key,
        exposure_week_start_date,
        coalesce(return_days, follow_up_days) as exit_days,
        count(*) as exit_count,
        count(return_days) as return_count

    from first_exposures

    group by creator_key, exposure_week_start_date, coalesce(return_days, follow_up_days)

),

at_risk as (

    select
        creator_key,
        exposure_week_start_date,
        exit_days,
        return_count,
        sum(exit_count) over (
            partition by creator_key, exposure_week_start_date
            order by exit_days desc
            rows between unbounded preceding and current row
        ) as at_risk_count

    from exits

),

survival as (

    select
        creator_key,
        exposure_week_start_date,
        exit_days,
        -- DECIMAL, because a sum of doubles depends on who adds first; all returned: for good
        sum(
            case
                when return_count = at_risk_count then -1000
                else cast(ln(1 - return_count / cast(at_risk_count as double)) as decimal(18, 12))
            end
        ) over (
            partition by creator_key, exposure_week_start_date
            order by exit_days
            rows between unbounded preceding and current row
        ) as log_survival

    from at_risk

),

medians as (

    select
        creator_key,
        exposure_week_start_date,
        min(exit_days) as median_return_days

    from survival

    -- half of them back; the tolerance is that of the rounding above
    where log_survival <= ln(0.5) + 0.000000001

    group by creator_key, exposure_week_start_date

),

final as (

    select
        cohorts.creator_key,
        cohorts.exposure_week_start_date,
        case
            when cohorts.creator_key != 'ambiguous'
                then {{ population(['cohorts.exposure_week_start_date']) }}
        end as population,
        coalesce(creator_platforms.platform, 'none') as platform,
        coalesce(creator_tiers.tier, 'unknown') as tier,
        {% for days in windows %}
            cohorts.exposure_week_start_date + {{ 6 + days }} <= {{ data_through_date() }}
                as is_mature_{{ days }}d,
        {% endfor %}
        cohorts.exposed_person_count,
        cohorts.same_day_return_count,
        {% for days in windows %}
            case
                when cohorts.exposure_week_start_date + {{ 6 + days }} <= {{ data_through_date() }}
                    then cohorts.returned_{{ days }}d_count
            end as returned_{{ days }}d_count,
            case
                when cohorts.exposure_week_start_date + {{ 6 + days }} <= {{ data_through_date() }}
                    then cohorts.returned_by_creator_{{ days }}d_count
            end as returned_by_creator_{{ days }}d_count,
            case
                when cohorts.exposure_week_start_date + {{ 6 + days }} <= {{ data_through_date() }}
                    then cohorts.returned_directly_{{ days }}d_count
            end as returned_directly_{{ days }}d_count,
        {% endfor %}
        cohorts.returned_count,
        medians.median_return_days

    from cohorts

    -- one row per cohort on the right
    left join medians
        on
            cohorts.creator_key = medians.creator_key
            and cohorts.exposure_week_start_date = medians.exposure_week_start_date
    left join creator_platforms
        on cohorts.creator_key = creator_platforms.creator_key
    -- Ranges of a creator have no overlap.
    left join creator_tiers
        on
            cohorts.creator_key = creator_tiers.creator_key
            and {{ is_valid_at('creator_tiers', 'cohorts.first_touched_at') }}

)

select * from final
