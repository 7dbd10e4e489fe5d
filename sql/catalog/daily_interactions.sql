-- Grain: date, user_id, job_id. One day of events as counters, without bots and without events that name no job.
-- Inputs: $files (the day's Parquet files of bronze/events, each event_id once); event_weights (event_type, weight) and
--   erasures (user_id, requested_at) of this day, registered by the caller.
-- Parameters: $day; $until (later events are left out), $max_dwell_seconds (cap per event), $relevant,
--   $not_relevant (weights of feedback), $applied (weight of an application), $min_relevant_rating,
--   $max_not_relevant_rating, $max_opened_a_minute (jobs that a person can view or click in a minute).
with known as (
    select
        logged.user_id,
        logged.job_id,
        logged.event_type,
        logged.occurred_at,
        logged.dwell_seconds,
        case
            when logged.event_type <> 'feedback' then null
            when logged.is_relevant is not null then logged.is_relevant
            when logged.rating >= $min_relevant_rating then true
            when logged.rating <= $max_not_relevant_rating then false
        end as is_relevant
    from read_parquet($files, union_by_name = true) as logged
    left join erasures on logged.user_id = erasures.user_id
    where logged.occurred_at <= $until
      and logged.job_id is not null
      and not coalesce(logged.is_bot, false)
      and (erasures.requested_at is null or logged.occurred_at > erasures.requested_at)
),
-- Minutes in which a script used the account. On most days no user opens that many jobs at all.
busy_users as (
    select user_id
    from known
    where event_type in ('view', 'click')
    group by user_id
    having count(*) > $max_opened_a_minute
),
scripted_minutes as (
    select known.user_id, date_trunc('minute', known.occurred_at) as minute
    from known
    semi join busy_users on known.user_id = busy_users.user_id
    where known.event_type in ('view', 'click')
    group by all
    having count(*) > $max_opened_a_minute
),
-- Impressions, views and clicks of such a minute are ignored; saves, applications and dismissals count.
events as (
    select known.*
    from known
    left join scripted_minutes
        on known.user_id = scripted_minutes.user_id
        and date_trunc('minute', known.occurred_at) = scripted_minutes.minute
    where scripted_minutes.user_id is null
       or known.event_type not in ('impression', 'view', 'click')
)
select
    cast($day as date) as date,
    events.user_id,
    events.job_id,
    cast(count(*) filter (where events.event_type = 'impression') as integer) as n_impressions,
    cast(count(*) filter (where events.event_type = 'view') as integer) as n_views,
    cast(count(*) filter (where events.event_type = 'click') as integer) as n_clicks,
    cast(count(*) filter (where events.event_type = 'save') as integer) as n_saves,
    cast(count(*) filter (where events.event_type = 'unsave') as integer) as n_unsaves,
    cast(count(*) filter (where events.event_type = 'share') as integer) as n_shares,
    -- An application that only the log of applications tells of counts like one that the app logged itself.
    cast(
        greatest(
            count(*) filter (where events.event_type = 'apply'),
            least(1, count(*) filter (where events.event_type = 'applied'))
        ) as integer
    ) as n_applies,
    cast(count(*) filter (where events.event_type in ('dismiss', 'reject', 'ignore')) as integer) as n_dismissals,
    cast(count(*) filter (where events.is_relevant) as integer) as n_relevant,
    cast(count(*) filter (where not events.is_relevant) as integer) as n_not_relevant,
    -- Whole milliseconds are summed, so that the result does not depend on the order of rows.
    sum(cast(round(1000 * greatest(0, least(coalesce(events.dwell_seconds, 0), $max_dwell_seconds))) as bigint))
        / 1000.0 as dwell_seconds,
    cast(
        sum(coalesce(event_weights.weight, 0))
        + case
            when bool_or(events.event_type = 'applied') and not bool_or(events.event_type = 'apply') then $applied
            else 0
        end
        + $relevant * count(*) filter (where events.is_relevant)
        + $not_relevant * count(*) filter (where not events.is_relevant)
        as integer
    ) as weight,
    max(events.occurred_at) as last_at,
    min(events.occurred_at) as first_at,
    max(events.occurred_at) filter (where events.event_type = 'save') as last_saved_at,
    max(events.occurred_at) filter (where events.event_type = 'unsave') as last_unsaved_at
from events
left join event_weights on events.event_type = event_weights.event_type
group by events.user_id, events.job_id
order by events.user_id, events.job_id
