{{ config(materialized='table') }}

with drops_clicks as (

    select * from {{ ref('stg_drops__link_clicks') }}

),

links as (

    select * from {{ ref('int_tracked_links__unioned') }}

),

ordered_clicks as (

    select
        drops_clicks.*,
        lag(drops_clicks.clicked_at) over (
            partition by
                drops_clicks.link_key, coalesce(drops_clicks.visitor_pid, drops_clicks.user_pid)
            order by drops_clicks.clicked_at, drops_clicks.click_key
        ) as previous_clicked_at

    from drops_clicks

),

final as (

    select
        ordered_clicks.click_key,
        ordered_clicks.link_key,
        case
            when
                links.link_key is not null
                and {{ is_valid_at('links', 'ordered_clicks.clicked_at') }}
                then links.creator_key
        end
            as creator_key,
        links.campaign_key,
        links.post_key,
        ordered_clicks.visitor_pid,
        ordered_clicks.user_pid,
        ordered_clicks.ip_net_pid,
        links.platform,
        case
            when links.link_key is null then 'unknown_link'
            when {{ is_valid_at('links', 'ordered_clicks.clicked_at') }} then 'valid'
            else 'outside_validity'
        end as link_status,
        ordered_clicks.ua_class,
        ordered_clicks.referrer_host,
        ordered_clicks.country,
        coalesce(ordered_clicks.is_bot, false) as is_bot,
        coalesce(
            coalesce(ordered_clicks.visitor_pid, ordered_clicks.user_pid) is not null
            and ordered_clicks.clicked_at
            <= ordered_clicks.previous_clicked_at
            + interval '{{ var("click_duplicate_seconds") }} seconds',
            false
        ) as is_duplicate,
        ordered_clicks.clicked_at,
        ordered_clicks.source,
        ordered_clicks.source_account,
        ordered_clicks.source_record_id,
        ordered_clicks.source_updated_at,
        ordered_clicks.extracted_at,
        ordered_clicks.load_id,
        ordered_clicks.record_hash,
        ordered_clicks.is_deleted

    from ordered_clicks
    left join links
        on ordered_clicks.link_key = links.link_key

)

select * from final
