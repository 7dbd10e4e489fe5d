-- Grain: event. All events up to an instant, moved to one day: each user's in their order, a minute apart.
-- Inputs: events (bronze/events).
-- Parameters: $until (instant), $day (midnight of the day). After a day's minutes, a user's events begin again.
select
    * replace (
        $day + to_minutes(
            (row_number() over (partition by user_id order by occurred_at, event_id) - 1) % 1440
        ) as occurred_at
    )
from events
where occurred_at <= $until
order by user_id, events.occurred_at, event_id
