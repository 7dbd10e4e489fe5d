-- Grain: user. The look-up value: the user's interviews as objects. Inputs: interviews. Parameters: none.
with
texts as (
    select * replace (
        strftime(starts_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as starts_at,
        strftime(updated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as updated_at
    )
    from interviews
)
select
    user_id as id,
    to_json(list(struct_pack(*columns(* exclude (user_id))) order by application_id, interview_id))::varchar as value
from texts
group by user_id
order by id
