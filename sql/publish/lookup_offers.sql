-- Grain: user. The look-up value: the user's offers as objects. Inputs: offers. Parameters: none.
with
texts as (
    select * replace (
        strftime(updated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as updated_at,
        strftime(deadline, '%Y-%m-%d') as deadline
    )
    from offers
)
select
    user_id as id,
    to_json(list(struct_pack(*columns(* exclude (user_id))) order by application_id, offer_id))::varchar as value
from texts
group by user_id
order by id
