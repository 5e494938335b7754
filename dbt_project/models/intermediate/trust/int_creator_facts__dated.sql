{% set age_days = var('engagement_age_days') %}
{% set counters = ['views', 'reach', 'likes', 'comments', 'shares', 'saves'] %}
{{ config(materialized='table') }}

-- Every count that a proxy or a rate of engagement divides, dated by the day on which it was
-- *known* and not changed any more: a post counts when it is `engagement_age_days` old, with what
-- it got until then; a comment when the time to answer is over; an order when the time to return it
-- is. So a sum up to some day never holds what only later days could tell, and a proxy may be asked
-- what comes after it.
with posts as (

    select * from {{ ref('dim_posts') }}

    where creator_key is not null

),

post_metrics as (

    select * from {{ ref('int_post_metrics_daily__unioned') }}

),

links as (

    select * from {{ ref('int_tracked_links__unioned') }}

),

comments as (

    select * from {{ ref('int_comments__unioned') }}

),

orders as (

    select * from {{ ref('int_orders__resolved') }}

    where not is_excluded

),

credits as (

    select * from {{ ref('int_attribution_credits__allocated') }}

    where
        model = '{{ var("default_attribution_model") }}'
        and window_days = {{ var('default_attribution_window_days') }}
        and creator_key is not null

),

customers as (

    select * from {{ ref('dim_customers') }}

),

creators as (

    select * from {{ ref('dim_creators') }}

    where not is_member

),

person_days as (

    select * from {{ ref('int_person_days__aggregated') }}

),

drops_survey_responses as (

    select * from {{ ref('stg_drops__survey_responses') }}

),

order_references as (

    select * from {{ ref('int_order_references__resolved') }}

),

-- The order an answer names may be another source's.
survey_responses as (

    select
        drops_survey_responses.creator_key,
        drops_survey_responses.asked_at,
        coalesce(order_references.order_key, drops_survey_responses.order_key) as order_key

    from drops_survey_responses
    left join order_references
        on drops_survey_responses.order_key = order_references.reference_key

),

-- Posts: what each got until it was `engagement_age_days` old. Equal ages compare, unequal do not.
aged_posts as (

    select
        post_key,
        creator_key,
        platform,
        is_sponsored,
        has_disclosure,
        follower_count,
        posted_at,
        posted_date,
        cast(posted_date + {{ age_days }} as date) as aged_date

    from posts

),

post_counters as (

    select
        aged_posts.post_key,
        {% for counter in counters %}
            cast(
                sum(case when post_metrics.metric = '{{ counter }}' then post_metrics.value end)
                as bigint
            ) as {{ counter }},
        {% endfor %}
        cast(
            coalesce(
                sum(post_metrics.value) filter (
                    where post_metrics.metric in ('likes', 'comments', 'shares', 'saves')
                ),
                sum(post_metrics.value) filter (where post_metrics.metric = 'total_interactions')
            ) as bigint
        ) as engagements

    from aged_posts

    -- fans out over the days and counters of a post and is folded at once
    inner join post_metrics
        on
            aged_posts.post_key = post_metrics.post_key
            and aged_posts.aged_date >= post_metrics.metric_date

    group by aged_posts.post_key

),

measured_posts as (

    select
        aged_posts.*,
        {% for counter in counters %}
            post_counters.{{ counter }},
        {% endfor %}
        post_counters.engagements

    from aged_posts

    -- post_key is unique on both sides
    inner join post_counters on aged_posts.post_key = post_counters.post_key

),

linked_posts as (

    select post_key
    from links
    where post_key is not null
    group by post_key

),

post_facts as (

    {% for measure, numerator, denominator, condition in [
        ('engagement_by_follower', 'engagements', 'follower_count', 'true'),
        ('engagement_by_reach', 'engagements', 'reach', 'true'),
        ('engagement_by_view', 'engagements', 'views', 'true'),
        ('sponsored_engagement', 'engagements', 'follower_count', 'is_sponsored'),
        ('organic_engagement', 'engagements', 'follower_count', 'not is_sponsored'),
        ('save_rate', 'saves', 'reach', 'true'),
        ('share_rate', 'shares', 'reach', 'true'),
    ] %}
        select
            '{{ measure }}' as measure,
            creator_key,
            platform,
            aged_date as known_date,
            posted_at as as_of_at,
            true as is_disjoint,
            1 as unit_count,
            {{ numerator }} as numerator_count,
            {{ denominator }} as denominator_count
        from measured_posts
        where {{ numerator }} is not null and {{ denominator }} > 0 and {{ condition }}

        union all
    {% endfor %}

    -- A link of its own earns commission, which is a material connection as a fee or a gift is.
    select
        'disclosure_rate' as measure,
        aged_posts.creator_key,
        aged_posts.platform,
        aged_posts.posted_date as known_date,
        aged_posts.posted_at as as_of_at,
        true as is_disjoint,
        1 as unit_count,
        case when aged_posts.has_disclosure then 1 else 0 end as numerator_count,
        1 as denominator_count

    from aged_posts

    left join linked_posts on aged_posts.post_key = linked_posts.post_key

    where
        aged_posts.is_sponsored
        or linked_posts.post_key is not null

),

-- Comments: those of others, spam and hidden ones left out; nobody owes them an answer.
post_comments as (

    select
        comments.comment_key,
        comments.commenter_pid,
        comments.is_creator,
        comments.parent_comment_key,
        coalesce(comments.is_question, false) as is_question,
        coalesce(comments.is_hidden, false) or coalesce(comments.is_spam_like, false) as is_ignored,
        comments.commented_date,
        comments.commented_at,
        posts.post_key,
        posts.creator_key,
        posts.platform,
        posts.posted_at

    from comments

    -- post_key is unique in posts
    inner join posts on comments.post_key = posts.post_key

),

answers as (

    select
        post_comments.comment_key,
        min(replies.commented_at) as answered_at

    from post_comments

    -- fans out over the creator's answers and is folded at once: the first one counts
    inner join post_comments as replies
        on
            post_comments.comment_key = replies.parent_comment_key
            and post_comments.commented_at <= replies.commented_at
            and replies.is_creator

    group by post_comments.comment_key

),

answerable_comments as (

    select
        post_comments.creator_key,
        post_comments.platform,
        post_comments.posted_at,
        post_comments.is_question,
        {{ business_date(dbt.dateadd('hour', var('reply_hours'), 'post_comments.commented_at')) }}
            as known_date,
        case
            when
                answers.answered_at <= {{ dbt.dateadd(
                    'hour', var('reply_hours'), 'post_comments.commented_at'
                ) }}
                then 1
            else 0
        end as answered_count

    from post_comments

    -- comment_key is unique in answers
    left join answers on post_comments.comment_key = answers.comment_key

    where not post_comments.is_creator and not post_comments.is_ignored

),

comment_facts as (

    {% for measure, condition in [('reply_rate', 'true'), ('question_reply_rate', 'is_question')] %}
        select
            '{{ measure }}' as measure,
            creator_key,
            platform,
            known_date,
            posted_at as as_of_at,
            true as is_disjoint,
            1 as unit_count,
            answered_count as numerator_count,
            1 as denominator_count
        from answerable_comments
        where {{ condition }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Repeat commenters: over the last ten posts, told anew by every post from the tenth on; only every
-- tenth run shares no post with the one before.
numbered_posts as (

    select
        aged_posts.*,
        row_number() over (
            partition by aged_posts.creator_key, aged_posts.platform
            order by aged_posts.posted_at, aged_posts.post_key
        ) as post_number

    from aged_posts

),

run_commenters as (

    select
        runs.post_key,
        post_comments.commenter_pid,
        count(distinct post_comments.post_key) as commented_post_count

    from numbered_posts as runs

    -- fans out over the posts of a run and their comments, folded by commenter
    inner join numbered_posts as members
        on
            runs.creator_key = members.creator_key
            and runs.platform = members.platform
            and runs.post_number >= members.post_number
            and runs.post_number - {{ var('repeat_run_post_count') }} < members.post_number
    inner join post_comments
        on
            members.post_key = post_comments.post_key
            and runs.aged_date >= post_comments.commented_date

    where
        runs.post_number >= {{ var('repeat_run_post_count') }}
        and not post_comments.is_creator
        and not post_comments.is_ignored

    group by runs.post_key, post_comments.commenter_pid

),

run_counts as (

    select
        post_key,
        count(*) as commenter_count,
        count(*) filter (where commented_post_count >= {{ var('repeat_post_count') }})
            as repeat_commenter_count

    from run_commenters

    group by post_key

),

run_facts as (

    select
        'repeat_commenter_rate' as measure,
        numbered_posts.creator_key,
        numbered_posts.platform,
        numbered_posts.aged_date as known_date,
        numbered_posts.posted_at as as_of_at,
        numbered_posts.post_number % {{ var('repeat_run_post_count') }} = 0 as is_disjoint,
        {{ var('repeat_run_post_count') }} as unit_count,
        run_counts.repeat_commenter_count as numerator_count,
        run_counts.commenter_count as denominator_count

    from numbered_posts

    -- post_key is unique on both sides
    inner join run_counts on numbered_posts.post_key = run_counts.post_key

),

-- Customers: those whose first order a creator won.
won_persons as (

    select
        customers.person_key,
        customers.acquiring_creator_key as creator_key

    from customers

    -- creator_key is unique in creators; two accounts of a person name the same creator
    inner join creators on customers.acquiring_creator_key = creators.creator_key

    group by customers.person_key, customers.acquiring_creator_key

),

won_orders as (

    select
        won_persons.creator_key,
        orders.person_key,
        orders.order_date,
        orders.ordered_at,
        orders.customer_order_number,
        orders.discount_amount > 0 as has_discount

    from won_persons

    -- a person has many orders and one acquiring creator
    inner join orders on won_persons.person_key = orders.person_key

    where orders.cancelled_at is null and orders.gross_sales_amount > 0

),

first_orders as (

    select
        creator_key,
        person_key,
        ordered_at,
        order_date,
        cast(order_date + {{ var('return_days') }} as date) as known_date

    from won_orders

    where customer_order_number = 1

),

returned_persons as (

    select first_orders.person_key

    from first_orders

    -- fans out over the days of a person and is folded at once
    inner join person_days
        on
            first_orders.person_key = person_days.person_key
            and first_orders.order_date < person_days.activity_date
            and first_orders.known_date >= person_days.activity_date

    group by first_orders.person_key

),

discounted_persons as (

    select first_orders.person_key

    from first_orders

    -- fans out over the later orders of a person and is folded at once
    inner join won_orders
        on
            first_orders.person_key = won_orders.person_key
            and first_orders.ordered_at < won_orders.ordered_at
            and first_orders.known_date >= won_orders.order_date

    where won_orders.has_discount

    group by first_orders.person_key

),

order_facts as (

    select
        'full_price_rate' as measure,
        creator_key,
        'all' as platform,
        order_date as known_date,
        ordered_at as as_of_at,
        true as is_disjoint,
        1 as unit_count,
        case when has_discount then 0 else 1 end as numerator_count,
        1 as denominator_count
    from won_orders
    where customer_order_number > 1

    union all

    select
        'undiscounted_return_rate' as measure,
        first_orders.creator_key,
        'all' as platform,
        first_orders.known_date,
        first_orders.ordered_at as as_of_at,
        true as is_disjoint,
        1 as unit_count,
        case
            when returned_persons.person_key is not null and discounted_persons.person_key is null
                then 1
            else 0
        end as numerator_count,
        1 as denominator_count
    from first_orders
    left join returned_persons on first_orders.person_key = returned_persons.person_key
    left join discounted_persons on first_orders.person_key = discounted_persons.person_key

    union all

    select
        'refund_rate' as measure,
        credits.creator_key,
        'all' as platform,
        cast(orders.order_date + {{ var('refund_maturity_days') }} as date) as known_date,
        orders.ordered_at as as_of_at,
        true as is_disjoint,
        1 as unit_count,
        case
            when
                orders.first_refunded_date
                <= cast(orders.order_date + {{ var('refund_maturity_days') }} as date)
                then 1
            else 0
        end as numerator_count,
        1 as denominator_count
    from credits
    -- order_key is unique in orders
    inner join orders on credits.order_key = orders.order_key

    union all

    select
        'survey_named_rate' as measure,
        credits.creator_key,
        'all' as platform,
        {{ business_date('survey_responses.asked_at') }} as known_date,
        orders.ordered_at as as_of_at,
        true as is_disjoint,
        1 as unit_count,
        case when survey_responses.creator_key = credits.creator_key then 1 else 0 end
            as numerator_count,
        1 as denominator_count
    from survey_responses
    -- one row per creator credited with the order that the answer belongs to
    inner join credits on survey_responses.order_key = credits.order_key
    inner join orders on survey_responses.order_key = orders.order_key

),

facts as (

    select * from post_facts

    union all

    select * from comment_facts

    union all

    select * from run_facts

    union all

    select * from order_facts

),

final as (

    select
        measure,
        creator_key,
        platform,
        known_date,
        as_of_at,
        is_disjoint,
        cast(sum(unit_count) as bigint) as unit_count,
        cast(sum(numerator_count) as bigint) as numerator_count,
        cast(sum(denominator_count) as bigint) as denominator_count

    from facts

    where known_date <= {{ data_through_date() }}

    group by measure, creator_key, platform, known_date, as_of_at, is_disjoint

)

select * from final
