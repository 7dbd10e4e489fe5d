-- Grain: user. The look-up value: the user's follow-ups as objects, open ones first by when they are due, then the newest. Inputs: follow_ups. Parameters: none.
with
texts as (
    select * replace (
        strftime(begins_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as begins_at,
        strftime(due_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as due_at,
        strftime(expires_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as expires_at,
        strftime(updated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as updated_at
    )
    from follow_ups
)
select
    user_id as id,
    to_json(list(
        struct_pack(*columns(* exclude (user_id)))
        order by
            status <> 'due',
            case when status = 'due' then due_at end,
            due_at desc,
            application_id,
            sequence,
            ref,
            step
    ))::varchar as value
from texts
group by user_id
order by id
