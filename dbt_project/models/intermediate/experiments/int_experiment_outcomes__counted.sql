{{ config(materialized='table') }}

-- Who was assigned to what by lot, and what the people of each unit ordered, whoever is credited.
-- The people of a creator are those known to belong to him before the experiment starts: a list
-- `audience-<creator_id>` among the campaign exposures, or any touch that names him. Whoever came
-- later came because of the start, and would make it look good.
with experiments as (

    select
        experiment_key,
        source_account,
        unit,
        metric,
        assignments,
        waves,
        starts_at,
        ends_at,
        {{ business_date('starts_at') }} as first_date

    from {{ ref('stg_drops__experiments') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where
        not is_excluded
        and order_date <= {{ data_through_date() }}

),

touches as (

    select * from {{ ref('int_creator_touches__unioned') }}

    where creator_key is not null

),

exposures as (

    select * from {{ ref('int_campaign_exposures__unioned') }}

),

persons as (

    select * from {{ ref('int_persons__resolved') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

assignments as (

    {{ json_object_items(
        'experiments',
        ['experiment_key', 'source_account', 'unit', 'first_date', 'starts_at'],
        'assignments',
        'unit_id',
        'arm'
    ) }}

),

waves as (

    {{ json_object_items('experiments', ['experiment_key'], 'waves', 'arm', 'wave_starts') }}

),

-- A wave starts when its entry says; without one, `treated` starts with the experiment.
assigned_units as (

    select
        assignments.experiment_key,
        assignments.unit,
        assignments.starts_at,
        assignments.unit_id,
        {{ make_key('drops', 'assignments.source_account', 'assignments.unit_id') }} as record_key,
        {{ make_key('drops', 'assignments.source_account', "'audience-' || assignments.unit_id") }}
            as audience_key,
        case
            when waves.arm is not null
                then {{ business_date(parsed_instant('waves.wave_starts')) }}
            when lower(assignments.arm) in ('treated', 'treatment') then assignments.first_date
        end as start_date,
        lower(assignments.arm) in ('control', 'holdout', 'never') as is_control

    from assignments

    -- an arm is unique within the waves of an experiment
    left join waves
        on
            assignments.experiment_key = waves.experiment_key
            and assignments.arm = waves.arm

),

known_units as (

    select *
    from assigned_units
    where start_date is not null or is_control

),

listed_persons as (

    select
        exposures.campaign_key,
        persons.person_key,
        min(exposures.exposed_at) as listed_at

    from exposures

    -- ranges of an identity neither overlap nor leave a gap
    inner join persons
        on
            coalesce(
                {{ identity_key('customer', 'exposures.customer_pid') }},
                {{ identity_key('visitor', 'exposures.visitor_pid') }},
                {{ identity_key('email', 'exposures.email_pid') }}
            ) = persons.identity_key
            and {{ is_valid_at('persons', 'exposures.exposed_at') }}

    group by exposures.campaign_key, persons.person_key

),

creator_members as (

    select
        known_units.experiment_key,
        known_units.record_key as unit_key,
        known_units.start_date,
        listed_persons.person_key

    from known_units

    inner join listed_persons
        on
            known_units.audience_key = listed_persons.campaign_key
            and known_units.starts_at > listed_persons.listed_at

    where known_units.unit = 'creator_activation'

    union distinct

    select
        known_units.experiment_key,
        known_units.record_key as unit_key,
        known_units.start_date,
        touches.person_key

    from known_units

    -- fans out over the touches of a creator and is made distinct at once
    inner join touches
        on
            known_units.record_key = touches.creator_key
            and known_units.starts_at > touches.touch_at

    where known_units.unit = 'creator_activation'

),

-- People are units of their own; who is on the list of more than one arm tells nothing.
audience_lists as (

    select
        known_units.experiment_key,
        listed_persons.person_key,
        min(known_units.start_date) as start_date,
        count(distinct coalesce(cast(known_units.start_date as varchar), 'never')) as arm_count

    from known_units

    inner join listed_persons on known_units.record_key = listed_persons.campaign_key

    where known_units.unit = 'audience'

    group by known_units.experiment_key, listed_persons.person_key

),

members as (

    select
        experiment_key,
        unit_key,
        start_date,
        person_key
    from creator_members

    union all

    select
        experiment_key,
        person_key as unit_key,
        start_date,
        person_key
    from audience_lists
    where arm_count = 1

),

person_orders as (

    select
        members.experiment_key,
        members.unit_key,
        members.start_date,
        orders.order_key,
        orders.order_date,
        orders.currency_code,
        orders.is_new_customer,
        orders.net_sales_amount

    from members

    -- fans out on purpose: a person has many orders, and a unit without any keeps a row
    left join orders on members.person_key = orders.person_key

),

country_orders as (

    select
        known_units.experiment_key,
        upper(known_units.unit_id) as unit_key,
        known_units.start_date,
        orders.order_key,
        orders.order_date,
        orders.currency_code,
        orders.is_new_customer,
        orders.net_sales_amount

    from known_units

    -- fans out on purpose: a country has many orders, and one without any keeps a row
    left join orders on upper(known_units.unit_id) = orders.ship_country

    where known_units.unit = 'geo'

),

unit_orders as (

    select * from person_orders

    union all

    select * from country_orders

),

unit_days as (

    select
        experiment_key,
        unit_key,
        start_date,
        order_date,
        count(order_key) as order_count,
        count(case when is_new_customer then 1 end) as new_customer_count,
        coalesce(sum({{ minor_units('net_sales_amount', 'currency_code') }}), 0)
            as net_sales_units,
        min(currency_code) as first_currency_code,
        max(currency_code) as last_currency_code

    from unit_orders

    group by experiment_key, unit_key, start_date, order_date

),

span as (

    select min(calendar_date) as history_first_date
    from dates

),

assigned_counts as (

    select
        experiment_key,
        count(*) as assigned_count,
        count(case when start_date is not null or is_control then 1 end) as known_count

    from assigned_units

    group by experiment_key

),

final as (

    select
        experiments.experiment_key,
        unit_days.unit_key,
        experiments.unit,
        experiments.metric,
        experiments.first_date,
        {{ business_date('experiments.ends_at') }} as end_date,
        experiments.starts_at,
        experiments.ends_at,
        span.history_first_date,
        {{ data_through_date() }} as data_through_date,
        coalesce(assigned_counts.assigned_count, 0) as assigned_count,
        coalesce(assigned_counts.known_count, 0) as known_count,
        unit_days.start_date,
        unit_days.order_date,
        unit_days.first_currency_code,
        unit_days.last_currency_code,
        coalesce(unit_days.order_count, 0) as order_count,
        coalesce(unit_days.new_customer_count, 0) as new_customer_count,
        cast(coalesce(unit_days.net_sales_units, 0) as bigint) as net_sales_units

    from experiments
    cross join span

    -- one row per experiment; then fans out on purpose over units and days
    left join assigned_counts on experiments.experiment_key = assigned_counts.experiment_key
    left join unit_days on experiments.experiment_key = unit_days.experiment_key

)

select * from final
