{% set parts = [
    'no_click', 'spike', 'coupon_referrer', 'returning_customer', 'last_minute_click'
] %}
-- Typing a code seen in a story leaves no click: that is normal, and how normal it is the other
-- codes of the platform say. So is an old customer with a code. Each part compares a code with what
-- is usual, the code itself left out, and reaches 1 where seed `code_review_parts` says so.
with uses as (

    select * from {{ ref('int_code_uses__evidenced') }}

),

dates as (

    select * from {{ ref('dim_dates') }}

),

review_parts as (

    select * from {{ ref('code_review_parts') }}

),

weeks as (

    select
        week_start_date,
        max(calendar_date) filter (where is_complete) as as_of_date,
        count(*) filter (where is_complete) = 7 as is_complete

    from dates

    group by week_start_date

),

rules as (

    select
        {% for part in parts %}
            any_value(weight) filter (where review_part = '{{ part }}') as {{ part }}_weight,
            any_value(full_at) filter (where review_part = '{{ part }}') as {{ part }}_full_at
            {%- if not loop.last %},{% endif %}
        {% endfor %}

    from review_parts

),

windowed_uses as (

    select
        uses.*,
        weeks.week_start_date,
        weeks.as_of_date,
        weeks.is_complete,
        uses.order_date > weeks.as_of_date - {{ var('code_spike_days') }} as is_recent

    from uses

    -- fans out on purpose: a day lies in the windows of several weeks, in none that has no day yet
    inner join weeks
        on
            uses.order_date <= weeks.as_of_date
            and uses.order_date > weeks.as_of_date - {{ var('code_window_days') }}

),

ranked_uses as (

    select
        *,
        row_number() over (
            partition by source_account, code_norm, week_start_date
            order by ordered_at desc, order_key desc
        ) as recency_rank

    from windowed_uses

),

code_weeks as (

    select
        source_account,
        code_norm,
        week_start_date,
        as_of_date,
        is_complete,
        any_value(creator_key) filter (where recency_rank = 1) as creator_key,
        any_value(platform) filter (where recency_rank = 1) as platform,
        bool_or(is_ambiguous) as is_ambiguous,
        -- a code of the shop's own has nobody to click on, and says nothing of creators' codes
        bool_or(creator_key is not null or is_ambiguous) as has_owner,
        count(*) as use_count,
        count(*) filter (where not has_click) as no_click_use_count,
        count(*) filter (where has_click) as click_use_count,
        count(*) filter (where has_coupon_referrer) as coupon_referrer_use_count,
        count(*) filter (where is_returning_customer) as returning_customer_use_count,
        count(*) filter (where has_last_minute_click) as last_minute_click_use_count,
        count(*) filter (where is_recent and not is_after_post) as quiet_recent_use_count,
        count(*) filter (where not is_recent) as earlier_use_count

    from ranked_uses

    group by source_account, code_norm, week_start_date, as_of_date, is_complete

),

platform_weeks as (

    select
        source_account,
        platform,
        week_start_date,
        sum(use_count) as use_count,
        sum(click_use_count) as click_use_count

    from code_weeks

    where has_owner

    group by source_account, platform, week_start_date

),

shop_weeks as (

    select
        source_account,
        week_start_date,
        sum(use_count) as use_count,
        sum(click_use_count) as click_use_count,
        sum(returning_customer_use_count) as returning_customer_use_count

    from code_weeks

    where has_owner

    group by source_account, week_start_date

),

own_uses as (

    select
        *,
        case when has_owner then use_count else 0 end as own_use_count,
        case when has_owner then click_use_count else 0 end as own_click_use_count,
        case when has_owner then returning_customer_use_count else 0 end as own_returning_use_count

    from code_weeks

),

-- What is usual: the platform's other codes where they have enough uses, else the shop's.
compared_codes as (

    select
        own_uses.*,
        coalesce(
            platform_weeks.use_count - own_uses.own_use_count
            >= {{ var('link_capture_minimum_use_count') }},
            false
        ) as is_platform_usual,
        coalesce(platform_weeks.use_count, 0) - own_uses.own_use_count as platform_use_count,
        coalesce(platform_weeks.click_use_count, 0) - own_uses.own_click_use_count
            as platform_click_use_count,
        coalesce(shop_weeks.use_count, 0) - own_uses.own_use_count as shop_use_count,
        coalesce(shop_weeks.click_use_count, 0) - own_uses.own_click_use_count
            as shop_click_use_count,
        coalesce(shop_weeks.returning_customer_use_count, 0) - own_uses.own_returning_use_count
            as shop_returning_use_count

    from own_uses

    -- the group of a row is unique on both right sides
    left join platform_weeks
        on
            own_uses.source_account = platform_weeks.source_account
            and own_uses.platform = platform_weeks.platform
            and own_uses.week_start_date = platform_weeks.week_start_date
    left join shop_weeks
        on
            own_uses.source_account = shop_weeks.source_account
            and own_uses.week_start_date = shop_weeks.week_start_date

),

rated_codes as (

    select
        *,
        case when is_platform_usual then platform_click_use_count else shop_click_use_count end
            as link_capture_numerator_count,
        case when is_platform_usual then platform_use_count else shop_use_count end
            as link_capture_denominator_count,
        case
            when is_platform_usual
                then {{ safe_rate('platform_click_use_count', 'platform_use_count') }}
            when shop_use_count >= {{ var('link_capture_minimum_use_count') }}
                then {{ safe_rate('shop_click_use_count', 'shop_use_count') }}
        end as link_capture_rate,
        case
            when shop_use_count >= {{ var('link_capture_minimum_use_count') }}
                then {{ safe_rate('shop_returning_use_count', 'shop_use_count') }}
        end as usual_returning_customer_rate,
        {{ safe_rate('no_click_use_count', 'use_count') }} as no_click_rate,
        {{ safe_rate('coupon_referrer_use_count', 'use_count') }} as coupon_referrer_rate,
        {{ safe_rate('returning_customer_use_count', 'use_count') }} as returning_customer_rate,
        {{ safe_rate('last_minute_click_use_count', 'use_count') }} as last_minute_click_rate,
        -- recent uses a week that no post explains, per use a week before; at least one a week
        quiet_recent_use_count
        / greatest(
            earlier_use_count * {{ var('code_spike_days') }}.0
            / {{ var('code_window_days') - var('code_spike_days') }},
            1.0
        ) as spike_ratio

    from compared_codes

),

ruled_codes as (

    select
        rated_codes.*,
        rules.*

    from rated_codes
    cross join rules

),

scored_codes as (

    select
        *,
        case
            when has_owner and link_capture_rate > 0
                then {{ clamped(
                    '(no_click_rate - (1 - link_capture_rate)) / link_capture_rate / no_click_full_at'
                ) }}
        end as no_click_score,
        {{ clamped('(spike_ratio - 1) / (spike_full_at - 1)') }} as spike_score,
        {{ clamped('coupon_referrer_rate / coupon_referrer_full_at') }} as coupon_referrer_score,
        case
            when usual_returning_customer_rate < 1
                then {{ clamped(
                    '(returning_customer_rate - usual_returning_customer_rate)'
                    ~ ' / (1 - usual_returning_customer_rate) / returning_customer_full_at'
                ) }}
        end as returning_customer_score,
        {{ clamped('last_minute_click_rate / last_minute_click_full_at') }}
            as last_minute_click_score

    from ruled_codes

),

weighted_codes as (

    select
        *,
        {% for part in parts %}
            coalesce({{ part }}_score * {{ part }}_weight, 0) {{ '+' if not loop.last }}
        {% endfor %} as weighted_score,
        {% for part in parts %}
            case when {{ part }}_score is null then 0 else {{ part }}_weight end
            {{ '+' if not loop.last }}
        {% endfor %} as known_weight

    from scored_codes

),

final as (

    select
        source_account,
        code_norm,
        week_start_date,
        as_of_date,
        creator_key,
        platform,
        is_ambiguous,
        has_owner,
        is_complete,
        coalesce(
            use_count >= {{ var('code_minimum_use_count') }}
            and round({{ safe_rate('weighted_score', 'known_weight') }}, 6)
            >= {{ var('code_review_score_limit') }},
            false
        ) as is_review_suggested,
        use_count,
        no_click_use_count,
        coupon_referrer_use_count,
        returning_customer_use_count,
        last_minute_click_use_count,
        quiet_recent_use_count,
        earlier_use_count,
        cast(link_capture_numerator_count as bigint) as link_capture_numerator_count,
        cast(link_capture_denominator_count as bigint) as link_capture_denominator_count,
        link_capture_rate,
        no_click_rate,
        coupon_referrer_rate,
        returning_customer_rate,
        usual_returning_customer_rate,
        last_minute_click_rate,
        spike_ratio,
        {% for part in parts %}
            case
                when use_count >= {{ var('code_minimum_use_count') }}
                    then round({{ part }}_score, 6)
            end as {{ part }}_score,
        {% endfor %}
        case
            when use_count >= {{ var('code_minimum_use_count') }}
                then round({{ safe_rate('weighted_score', 'known_weight') }}, 6)
        end as review_score

    from weighted_codes

)

select * from final
