with records as (

    select * from {{ source('raw_drops', 'link_clicks') }}

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
        {{ make_key('drops', '_source_account', 'click_id') }} as click_key,
        {{ make_key('drops', '_source_account', 'link_id') }} as link_key,
        visitor_pid,
        user_pid,
        ip_net_pid,
        ua_class,
        referrer_host,
        country,
        is_bot,
        clicked_at,
        {{ lineage('drops') }}

    from newest

)

select * from final
