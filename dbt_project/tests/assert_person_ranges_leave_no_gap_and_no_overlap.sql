-- At every moment an identity belongs to exactly one person.
with persons as (

    select * from {{ ref('int_persons__resolved') }}

),

neighbours as (

    select
        identity_key,
        valid_from_at,
        valid_to_at,
        lag(valid_to_at) over identity_history as previous_valid_to_at,
        row_number() over identity_history as range_number,
        count(*) over (partition by identity_key) as range_count

    from persons

    window identity_history as (
        partition by identity_key
        order by valid_from_at
    )

),

final as (

    select
        identity_key,
        valid_from_at

    from neighbours

    where (range_number = 1 and valid_from_at != {{ beginning_of_time() }})
        or (range_number > 1 and previous_valid_to_at is null)
        or (range_number > 1 and previous_valid_to_at != valid_from_at)
        or (range_number = range_count and valid_to_at is not null)
        or valid_to_at <= valid_from_at

)

select * from final
