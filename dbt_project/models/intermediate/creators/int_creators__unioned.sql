{%- set naming = [
    'stg_drops__creator_accounts',
    'stg_drops__promo_codes',
    'stg_drops__tracked_links',
    'stg_drops__posts',
    'stg_drops__activity_events',
    'stg_drops__campaign_exposures',
    'stg_drops__creator_costs',
    'stg_drops__affiliate_conversions',
    'stg_drops__survey_responses',
] -%}
with drops_creators as (

    select * from {{ ref('stg_drops__creators') }}

),

campaign_stand_ins as (

    select * from {{ ref('stg_complete_journey__campaign_descriptions') }}

),

delivered as (

    select
        creator_key,
        creator_pid,
        customer_key,
        platform,
        display_handle,
        status,
        niche,
        home_country,
        consent_basis,
        agreed_commission_rate,
        program_joined_at,
        program_left_at,
        {{ lineage_columns() }}

    from drops_creators

    union all

    select
        creator_key,
        cast(null as varchar) as creator_pid,
        cast(null as varchar) as customer_key,
        platform,
        display_handle,
        status,
        niche,
        cast(null as varchar) as home_country,
        consent_basis,
        cast(null as double) as agreed_commission_rate,
        starts_at as program_joined_at,
        ends_at as program_left_at,
        {{ lineage_columns() }}

    from campaign_stand_ins

),

-- A code, an account or an answer may name a creator before the roster does; what it earns must not
-- be lost.
named as (

    {% for model in naming %}
        select
            creator_key,
            {{ lineage_columns() }}
        from {{ ref(model) }}
        {{ 'union all' if not loop.last }}
    {% endfor %}

),

only_named as (

    select
        named.creator_key,
        named.source,
        named.source_account,
        min(named.extracted_at) as extracted_at,
        min(named.load_id) as load_id

    from named
    left join delivered
        on named.creator_key = delivered.creator_key

    where named.creator_key is not null
        and delivered.creator_key is null

    group by named.creator_key, named.source, named.source_account

),

final as (

    select
        creator_key,
        creator_pid,
        customer_key,
        platform,
        display_handle,
        status,
        niche,
        home_country,
        consent_basis,
        false as is_only_named,
        agreed_commission_rate,
        program_joined_at,
        program_left_at,
        {{ lineage_columns() }}

    from delivered

    union all

    select
        creator_key,
        cast(null as varchar) as creator_pid,
        cast(null as varchar) as customer_key,
        cast(null as varchar) as platform,
        cast(null as varchar) as display_handle,
        'prospect' as status,
        cast(null as varchar) as niche,
        cast(null as varchar) as home_country,
        'legit_interest' as consent_basis,
        true as is_only_named,
        cast(null as double) as agreed_commission_rate,
        cast(null as timestamp) as program_joined_at,
        cast(null as timestamp) as program_left_at,
        source,
        source_account,
        creator_key as source_record_id,
        cast(null as timestamp) as source_updated_at,
        extracted_at,
        load_id,
        md5(creator_key) as record_hash,
        false as is_deleted

    from only_named

)

select * from final
