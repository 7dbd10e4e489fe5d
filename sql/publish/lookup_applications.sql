-- Grain: user. The look-up value: the user's applications, the newest first as objects. Inputs: applications. Parameters: none.
with
texts as (
    select * replace (
        strftime(state_since at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as state_since,
        strftime(applied_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as applied_at,
        strftime(last_event_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as last_event_at,
        strftime(next_action_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as next_action_at
    )
    from applications
)
select
    user_id as id,
    to_json(list(struct_pack(*columns(* exclude (user_id))) order by last_event_at desc, application_id))::varchar as value
from texts
group by user_id
order by id
