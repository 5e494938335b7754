{{ config(materialized='table') }}

with drops_customers as (

    select * from {{ ref('stg_drops__customers') }}

),

shopify_customers as (

    select * from {{ ref('stg_shopify__customers') }}

),

orders as (

    select * from {{ ref('int_orders__unioned') }}

),

exposures as (

    select * from {{ ref('int_campaign_exposures__unioned') }}

),

listed_customers as (

    select
        customer_key,
        customer_pid,
        email_pid,
        user_pid,
        country,
        is_marketing_accepted,
        created_at,
        {{ lineage_columns() }}

    from drops_customers

    union all

    select
        customer_key,
        customer_pid,
        email_pid,
        cast(null as varchar) as user_pid,
        country,
        is_marketing_accepted,
        created_at,
        {{ lineage_columns() }}

    from shopify_customers

),

-- Shops without a feed of customers still have customers: those who order or were addressed.
named_customers as (

    select
        customer_key,
        customer_pid,
        source,
        source_account,
        extracted_at,
        load_id

    from orders

    where customer_key is not null

    union all

    select
        customer_key,
        customer_pid,
        source,
        source_account,
        extracted_at,
        load_id

    from exposures

    where customer_key is not null

),

only_named as (

    select
        named_customers.customer_key,
        named_customers.customer_pid,
        named_customers.source,
        min(named_customers.source_account) as source_account,
        min(named_customers.extracted_at) as extracted_at,
        min(named_customers.load_id) as load_id

    from named_customers
    left join listed_customers
        on named_customers.customer_key = listed_customers.customer_key

    where listed_customers.customer_key is null

    group by
        named_customers.customer_key,
        named_customers.customer_pid,
        named_customers.source

),

final as (

    select
        customer_key,
        customer_pid,
        email_pid,
        user_pid,
        country,
        is_marketing_accepted,
        false as is_only_named,
        created_at,
        {{ lineage_columns() }}

    from listed_customers

    union all

    select
        customer_key,
        customer_pid,
        cast(null as varchar) as email_pid,
        cast(null as varchar) as user_pid,
        cast(null as varchar) as country,
        cast(null as boolean) as is_marketing_accepted,
        true as is_only_named,
        cast(null as timestamp) as created_at,
        source,
        source_account,
        customer_pid as source_record_id,
        cast(null as timestamp) as source_updated_at,
        extracted_at,
        load_id,
        md5(customer_key) as record_hash,
        false as is_deleted

    from only_named

)

select * from final
