with records as (

    select * from {{ source('raw_drops', 'survey_responses') }}

),

passed as (

    select *
    from records
    where {{ in_passed_files() }}

),

newest as (

    {{ newest_version('passed') }}

),

final as (

    select
        {{ make_key('drops', '_source_account', 'response_id') }} as response_key,
        {{ make_key('drops', '_source_account', 'order_id') }} as order_key,
        {{ make_key('drops', '_source_account', 'creator_id') }} as creator_key,
        answer_hash,
        coalesce(is_unmatched, false) as is_unmatched,
        match_score,
        asked_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
