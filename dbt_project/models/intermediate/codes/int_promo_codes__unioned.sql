{{ config(materialized='table') }}

with drops_codes as (

    select * from {{ ref('stg_drops__promo_codes') }}

),

shop_codes as (

    select * from {{ ref('stg_shopify__discount_codes') }}

),

coupons as (

    select * from {{ ref('stg_complete_journey__coupons') }}

),

campaigns as (

    select * from {{ ref('int_campaigns__unioned') }}

),

-- The source lists a coupon once for each product it applies to; all else is the same.
coupon_codes as (

    select
        promo_code_key,
        code_norm,
        creator_key,
        campaign_key,
        source,
        source_account,
        min(source_updated_at) as source_updated_at,
        max(extracted_at) as extracted_at,
        max(load_id) as load_id

    from coupons

    group by promo_code_key, code_norm, creator_key, campaign_key, source, source_account

),

-- Whose a code is, the shop does not know: it counts only where no feed of the account lists it.
unlisted_shop_codes as (

    select shop_codes.*

    from shop_codes
    left join drops_codes
        on shop_codes.source_account = drops_codes.source_account
            and shop_codes.code_norm = drops_codes.code_norm

    where drops_codes.code_norm is null

),

codes as (

    select
        promo_code_key,
        code_norm,
        creator_key,
        campaign_key,
        code_display,
        discount_type,
        owner_source,
        usage_limit,
        discount_value,
        commission_rate,
        valid_from_at,
        valid_to_at,
        {{ lineage_columns() }}

    from drops_codes

    union all

    select
        promo_code_key,
        code_norm,
        cast(null as varchar) as creator_key,
        cast(null as varchar) as campaign_key,
        code_display,
        discount_type,
        cast(null as varchar) as owner_source,
        usage_limit,
        discount_value,
        cast(null as double) as commission_rate,
        valid_from_at,
        valid_to_at,
        {{ lineage_columns() }}

    from unlisted_shop_codes

    union all

    select
        promo_code_key,
        code_norm,
        creator_key,
        campaign_key,
        code_norm as code_display,
        cast(null as varchar) as discount_type,
        cast(null as varchar) as owner_source,
        cast(null as bigint) as usage_limit,
        cast(null as decimal(20, 4)) as discount_value,
        cast(null as double) as commission_rate,
        cast(null as timestamp) as valid_from_at,
        cast(null as timestamp) as valid_to_at,
        source,
        source_account,
        code_norm as source_record_id,
        source_updated_at,
        extracted_at,
        load_id,
        md5(promo_code_key) as record_hash,
        false as is_deleted

    from coupon_codes

),

-- What a code does not state it takes from its campaign.
started_codes as (

    select
        codes.*,
        coalesce(
            codes.valid_from_at,
            campaigns.starts_at,
            {{ beginning_of_time() }}
        ) as starts_at,
        campaigns.ends_at as campaign_ends_at

    from codes
    left join campaigns
        on codes.campaign_key = campaigns.campaign_key

),

ordered_codes as (

    select
        started_codes.*,
        lead(started_codes.starts_at) over (
            partition by started_codes.source_account, started_codes.code_norm
            order by started_codes.starts_at, started_codes.promo_code_key
        ) as next_starts_at

    from started_codes

),

-- A range without an end of its own ends when the code changes hands, or with its campaign.
ranged_codes as (

    select
        ordered_codes.*,
        coalesce(
            ordered_codes.valid_to_at,
            least(ordered_codes.next_starts_at, ordered_codes.campaign_ends_at)
        ) as ends_at

    from ordered_codes

),

overlapping_codes as (

    select ranged_codes.promo_code_key

    from ranged_codes
    -- May meet several others of its code; the grouping brings it back to one row.
    inner join ranged_codes as other_ranges
        on ranged_codes.source_account = other_ranges.source_account
            and ranged_codes.code_norm = other_ranges.code_norm
            and ranged_codes.promo_code_key != other_ranges.promo_code_key
            and ranged_codes.creator_key != other_ranges.creator_key

    where (ranged_codes.ends_at is null or other_ranges.starts_at < ranged_codes.ends_at)
        and (other_ranges.ends_at is null or ranged_codes.starts_at < other_ranges.ends_at)

    group by ranged_codes.promo_code_key

),

final as (

    select
        ranged_codes.promo_code_key,
        ranged_codes.code_norm,
        ranged_codes.creator_key,
        ranged_codes.campaign_key,
        ranged_codes.code_display,
        ranged_codes.discount_type,
        ranged_codes.owner_source,
        case
            when ranged_codes.valid_from_at is not null and ranged_codes.valid_to_at is not null
                then 'code'
            when
                (
                    ranged_codes.valid_from_at is null
                    and ranged_codes.starts_at > {{ beginning_of_time() }}
                )
                or (
                    ranged_codes.valid_to_at is null
                    and ranged_codes.ends_at = ranged_codes.campaign_ends_at
                )
                then 'campaign'
            else 'open'
        end as validity_source,
        overlapping_codes.promo_code_key is not null as has_overlap,
        ranged_codes.usage_limit,
        ranged_codes.discount_value,
        ranged_codes.commission_rate,
        ranged_codes.starts_at as valid_from_at,
        ranged_codes.ends_at as valid_to_at,
        ranged_codes.source,
        ranged_codes.source_account,
        ranged_codes.source_record_id,
        ranged_codes.source_updated_at,
        ranged_codes.extracted_at,
        ranged_codes.load_id,
        ranged_codes.record_hash,
        ranged_codes.is_deleted

    from ranged_codes
    left join overlapping_codes
        on ranged_codes.promo_code_key = overlapping_codes.promo_code_key

)

select * from final
