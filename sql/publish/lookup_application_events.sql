-- Grain: user. The look-up value: the events of all applications of the user as objects. Inputs: application_events. Parameters: none.
with
texts as (
    select * replace (
        strftime(occurred_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
        strftime(starts_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as starts_at,
        strftime(remind_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as remind_at,
        strftime(due_date, '%Y-%m-%d') as due_date
    )
    from application_events
),
-- Each event by itself: to sort lists of wide structs takes twice as long.
objects as (
    select user_id, application_id, position, to_json(struct_pack(*columns(* exclude (user_id))))::varchar as object
    from texts
)
select
    user_id as id,
    '[' || string_agg(object, ',' order by application_id, position) || ']' as value
from objects
group by user_id
order by id
