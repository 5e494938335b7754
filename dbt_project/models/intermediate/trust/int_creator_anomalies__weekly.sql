{{ config(materialized='table') }}

-- What is out of the ordinary with a creator's followers and comments in a week, in numbers. NULL
-- where nobody could measure it; the mart makes flags of them.
with dates as (

    select * from {{ ref('dim_dates') }}

    where is_complete

),

accounts as (

    select * from {{ ref('int_creator_accounts__unioned') }}

    where creator_key is not null

),

snapshots as (

    select * from {{ ref('int_creator_follower_snapshots__unioned') }}

    -- rounded counts jump by a rounding step
    where follower_precision = 'exact' and follower_count is not null

),

posts as (

    select * from {{ ref('dim_posts') }}

    where creator_key is not null

),

comments as (

    select * from {{ ref('int_comments__unioned') }}

),

weeks as (

    select
        week_start_date,
        max(calendar_date) as as_of_date

    from dates

    group by week_start_date

),

-- Followers: the change from one day's last count to the next day's.
ranked_snapshots as (

    select
        creator_account_key,
        {{ business_date('observed_at') }} as observed_date,
        follower_count,
        row_number() over (
            partition by creator_account_key, {{ business_date('observed_at') }}
            order by observed_at desc
        ) as snapshot_rank

    from snapshots

),

compared_snapshots as (

    select
        creator_account_key,
        observed_date,
        follower_count,
        lag(observed_date) over account_history as previous_date,
        lag(follower_count) over account_history as previous_follower_count

    from ranked_snapshots

    where snapshot_rank = 1

    window account_history as (partition by creator_account_key order by observed_date)

),

daily_deltas as (

    select
        accounts.creator_key,
        compared_snapshots.creator_account_key,
        compared_snapshots.observed_date,
        compared_snapshots.follower_count - compared_snapshots.previous_follower_count
            as follower_delta

    from compared_snapshots

    -- creator_account_key is unique in accounts
    inner join accounts
        on compared_snapshots.creator_account_key = accounts.creator_account_key

    where
        compared_snapshots.previous_date = compared_snapshots.observed_date - 1
        and compared_snapshots.observed_date <= {{ data_through_date() }}

),

-- Robust: a median and the median distance from it, over the days before, so that the jump in
-- question does not hide in its own measure.
delta_medians as (

    select
        daily_deltas.creator_account_key,
        daily_deltas.observed_date,
        count(*) as baseline_day_count,
        percentile_cont(0.5) within group (order by earlier_deltas.follower_delta) as median_delta

    from daily_deltas

    -- fans out over the days before and is folded at once
    inner join daily_deltas as earlier_deltas
        on
            daily_deltas.creator_account_key = earlier_deltas.creator_account_key
            and daily_deltas.observed_date > earlier_deltas.observed_date
            and daily_deltas.observed_date - {{ var('growth_baseline_days') }}
            <= earlier_deltas.observed_date

    group by daily_deltas.creator_account_key, daily_deltas.observed_date

),

delta_spreads as (

    select
        delta_medians.creator_account_key,
        delta_medians.observed_date,
        delta_medians.baseline_day_count,
        delta_medians.median_delta,
        percentile_cont(0.5) within group (
            order by abs(earlier_deltas.follower_delta - delta_medians.median_delta)
        ) as median_distance

    from delta_medians

    -- fans out over the days before and is folded at once
    inner join daily_deltas as earlier_deltas
        on
            delta_medians.creator_account_key = earlier_deltas.creator_account_key
            and delta_medians.observed_date > earlier_deltas.observed_date
            and delta_medians.observed_date - {{ var('growth_baseline_days') }}
            <= earlier_deltas.observed_date

    group by
        delta_medians.creator_account_key,
        delta_medians.observed_date,
        delta_medians.baseline_day_count,
        delta_medians.median_delta

),

post_dates as (

    select
        creator_key,
        posted_date

    from posts

    group by creator_key, posted_date

),

explained_days as (

    select
        daily_deltas.creator_account_key,
        daily_deltas.observed_date

    from daily_deltas

    -- fans out over the days with a post and is folded at once
    inner join post_dates
        on
            daily_deltas.creator_key = post_dates.creator_key
            and daily_deltas.observed_date >= post_dates.posted_date
            and daily_deltas.observed_date - {{ var('growth_post_days') }} <= post_dates.posted_date

    group by daily_deltas.creator_account_key, daily_deltas.observed_date

),

scored_days as (

    select
        daily_deltas.creator_key,
        daily_deltas.observed_date,
        daily_deltas.follower_delta,
        explained_days.observed_date is not null as is_explained,
        -- 1.4826 median distances are one standard deviation of a normal; a median distance of
        -- nought is no certainty, so one follower is the least it counts for
        round(
            (daily_deltas.follower_delta - delta_spreads.median_delta)
            / greatest({{ var('mad_to_deviation') }} * delta_spreads.median_distance, 1),
            6
        ) as growth_z_score

    from daily_deltas

    -- account and day are unique on every side
    inner join delta_spreads
        on
            daily_deltas.creator_account_key = delta_spreads.creator_account_key
            and daily_deltas.observed_date = delta_spreads.observed_date
    left join explained_days
        on
            daily_deltas.creator_account_key = explained_days.creator_account_key
            and daily_deltas.observed_date = explained_days.observed_date

    where delta_spreads.baseline_day_count >= {{ var('growth_minimum_day_count') }}

),

growth_weeks as (

    select
        scored_days.creator_key,
        dates.week_start_date,
        count(*) as follower_growth_day_count,
        max(scored_days.growth_z_score) filter (where not scored_days.is_explained)
            as follower_growth_z_score,
        count(*) filter (
            where not scored_days.is_explained
            and scored_days.growth_z_score >= {{ var('growth_z_limit') }}
            and scored_days.follower_delta >= {{ var('growth_minimum_follower_count') }}
        ) as unexplained_growth_day_count,
        cast(
            sum(scored_days.follower_delta) filter (
                where not scored_days.is_explained
                and scored_days.growth_z_score >= {{ var('growth_z_limit') }}
                and scored_days.follower_delta >= {{ var('growth_minimum_follower_count') }}
            ) as bigint
        ) as unexplained_follower_count

    from scored_days

    -- calendar_date is unique in dates
    inner join dates on scored_days.observed_date = dates.calendar_date

    group by scored_days.creator_key, dates.week_start_date

),

-- Comments of others on the posts of the trailing window, as known at its end.
windowed_posts as (

    select
        posts.post_key,
        posts.creator_key,
        posts.creator_account_key,
        posts.platform,
        posts.posted_at,
        weeks.week_start_date,
        weeks.as_of_date

    from posts

    -- fans out on purpose: a post lies in the windows of several weeks
    inner join weeks
        on
            posts.posted_date <= weeks.as_of_date
            and posts.posted_date > weeks.as_of_date - {{ var('anomaly_window_days') }}

),

windowed_comments as (

    select
        windowed_posts.creator_key,
        windowed_posts.week_start_date,
        windowed_posts.post_key,
        windowed_posts.platform,
        comments.comment_key,
        comments.commenter_pid,
        case
            when comments.text_len >= {{ var('duplicate_minimum_character_count') }}
                then comments.text_hash
        end as long_text_hash,
        cast(
            floor(
                {{ dbt.datediff('windowed_posts.posted_at', 'comments.commented_at', 'second') }}
                / ({{ var('burst_minutes') }} * 60.0)
            ) as bigint
        ) as burst_number

    from windowed_posts

    -- fans out over the comments of a post
    inner join comments
        on
            windowed_posts.post_key = comments.post_key
            and windowed_posts.as_of_date >= comments.commented_date

    where not comments.is_creator

),

shared_texts as (

    select
        week_start_date,
        post_key,
        long_text_hash,
        count(*) as comment_count,
        count(distinct commenter_pid) as commenter_count

    from windowed_comments

    where long_text_hash is not null

    group by week_start_date, post_key, long_text_hash

),

duplicate_weeks as (

    select
        windowed_posts.creator_key,
        shared_texts.week_start_date,
        cast(sum(shared_texts.comment_count) as bigint) as duplicate_comment_denominator_count,
        cast(
            coalesce(
                sum(shared_texts.comment_count) filter (where shared_texts.commenter_count > 1), 0
            ) as bigint
        ) as duplicate_comment_numerator_count

    from shared_texts

    -- post and week are unique in windowed_posts
    inner join windowed_posts
        on
            shared_texts.post_key = windowed_posts.post_key
            and shared_texts.week_start_date = windowed_posts.week_start_date

    group by windowed_posts.creator_key, shared_texts.week_start_date

),

comment_bursts as (

    select
        creator_key,
        week_start_date,
        post_key,
        burst_number,
        count(*) as comment_count

    from windowed_comments

    group by creator_key, week_start_date, post_key, burst_number

),

post_bursts as (

    select
        creator_key,
        week_start_date,
        post_key,
        sum(comment_count) as comment_count,
        max(comment_count) as busiest_comment_count

    from comment_bursts

    group by creator_key, week_start_date, post_key

),

burst_weeks as (

    select
        creator_key,
        week_start_date,
        cast(sum(comment_count) as bigint) as burst_comment_denominator_count,
        cast(sum(busiest_comment_count) as bigint) as burst_comment_numerator_count

    from post_bursts

    where comment_count >= {{ var('burst_post_minimum_comment_count') }}

    group by creator_key, week_start_date

),

-- Pods: early commenters who are creators themselves, come to most posts, and are commented on in
-- return. A handle on one platform has one pseudonym, so accounts and commenters compare.
account_handles as (

    select
        platform,
        handle_pid,
        min(creator_key) as creator_key

    from accounts

    where handle_pid is not null

    group by platform, handle_pid

),

told_platforms as (

    select platform
    from account_handles
    group by platform

),

early_commenters as (

    select
        windowed_comments.creator_key,
        windowed_comments.week_start_date,
        windowed_comments.platform,
        windowed_comments.commenter_pid,
        count(distinct windowed_comments.post_key) as commented_post_count

    from windowed_comments

    -- without a single handle on the platform nobody can be told to be a creator
    inner join told_platforms on windowed_comments.platform = told_platforms.platform

    where windowed_comments.burst_number = 0

    group by
        windowed_comments.creator_key,
        windowed_comments.week_start_date,
        windowed_comments.platform,
        windowed_comments.commenter_pid

),

pod_posts as (

    select
        creator_key,
        week_start_date,
        platform,
        count(*) as post_count

    from windowed_posts

    group by creator_key, week_start_date, platform

),

-- Who, as a creator, commented on whom in a window.
creator_comments as (

    select
        windowed_comments.week_start_date,
        windowed_comments.platform,
        account_handles.creator_key as commenting_creator_key,
        windowed_comments.creator_key

    from windowed_comments

    -- platform and handle are unique in account_handles
    inner join account_handles
        on
            windowed_comments.platform = account_handles.platform
            and windowed_comments.commenter_pid = account_handles.handle_pid

    group by
        windowed_comments.week_start_date,
        windowed_comments.platform,
        account_handles.creator_key,
        windowed_comments.creator_key

),

judged_commenters as (

    select
        early_commenters.creator_key,
        early_commenters.week_start_date,
        creator_comments.creator_key is not null
        and early_commenters.commented_post_count
        >= {{ var('pod_post_share') }} * pod_posts.post_count as is_in_pod

    from early_commenters

    -- creator, week and platform are unique in pod_posts
    inner join pod_posts
        on
            early_commenters.creator_key = pod_posts.creator_key
            and early_commenters.week_start_date = pod_posts.week_start_date
            and early_commenters.platform = pod_posts.platform
            and pod_posts.post_count >= {{ var('pod_minimum_post_count') }}
    left join account_handles
        on
            early_commenters.platform = account_handles.platform
            and early_commenters.commenter_pid = account_handles.handle_pid
            and early_commenters.creator_key != account_handles.creator_key
    -- commented on in return: unique by week, platform and the two creators
    left join creator_comments
        on
            early_commenters.week_start_date = creator_comments.week_start_date
            and early_commenters.platform = creator_comments.platform
            and early_commenters.creator_key = creator_comments.commenting_creator_key
            and account_handles.creator_key = creator_comments.creator_key

),

pod_weeks as (

    select
        creator_key,
        week_start_date,
        count(*) as pod_denominator_count,
        count(*) filter (where is_in_pod) as pod_numerator_count

    from judged_commenters

    group by creator_key, week_start_date

),

keys as (

    select
        creator_key,
        week_start_date
    from growth_weeks

    union distinct

    select
        creator_key,
        week_start_date
    from duplicate_weeks

    union distinct

    select
        creator_key,
        week_start_date
    from burst_weeks

    union distinct

    select
        creator_key,
        week_start_date
    from pod_weeks

),

final as (

    select
        keys.creator_key,
        keys.week_start_date,
        weeks.as_of_date,
        growth_weeks.follower_growth_day_count,
        growth_weeks.follower_growth_z_score,
        growth_weeks.unexplained_growth_day_count,
        growth_weeks.unexplained_follower_count,
        duplicate_weeks.duplicate_comment_numerator_count,
        duplicate_weeks.duplicate_comment_denominator_count,
        burst_weeks.burst_comment_numerator_count,
        burst_weeks.burst_comment_denominator_count,
        pod_weeks.pod_numerator_count,
        pod_weeks.pod_denominator_count

    from keys

    -- every right side is one row per creator and week, or per week
    inner join weeks on keys.week_start_date = weeks.week_start_date
    left join growth_weeks
        on
            keys.creator_key = growth_weeks.creator_key
            and keys.week_start_date = growth_weeks.week_start_date
    left join duplicate_weeks
        on
            keys.creator_key = duplicate_weeks.creator_key
            and keys.week_start_date = duplicate_weeks.week_start_date
    left join burst_weeks
        on
            keys.creator_key = burst_weeks.creator_key
            and keys.week_start_date = burst_weeks.week_start_date
    left join pod_weeks
        on
            keys.creator_key = pod_weeks.creator_key
            and keys.week_start_date = pod_weeks.week_start_date

)

select * from final
