with creator_conversions as (

    select
        *,
        numerator_count as x,
        denominator_count as n

    from {{ ref('int_creator_conversions__counted') }}

),

final as (

    {{ counts_of('person_conversion', 'rate', 'creator_conversions', has_rank=true) }}

)

select * from final
