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
),
-- Each application by itself: to sort lists of wide structs takes twice as long.
objects as (
    select
        user_id, last_event_at, application_id,
        to_json(struct_pack(*columns(* exclude (user_id))))::varchar as object
    from texts
)
select
    user_id as id,
    '[' || string_agg(object, ',' order by last_event_at desc, application_id) || ']' as value
from objects
group by user_id
order by id
