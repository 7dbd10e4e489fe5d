-- Grain: date, user_id, job_id. One day of events as counters; bots and events of no job are left out.
-- Inputs: $files (the day's Parquet files of bronze/events); event_weights (event_type, weight), registered by the caller.
-- Parameters: $day; $until (events after it are not known yet), $max_dwell_seconds (cap per event), $relevant,
--   $not_relevant (weights of feedback), $min_relevant_rating, $max_not_relevant_rating.
with known as (
    select event_id, user_id, job_id, event_type, occurred_at, dwell_seconds, is_relevant, rating
    from read_parquet($files, union_by_name = true)
    where occurred_at <= $until
      and job_id is not null
      and not coalesce(is_bot, false)
),
-- Sources repeat events; which copy of an id stays does not depend on the order of files.
events as (
    select
        user_id,
        job_id,
        event_type,
        occurred_at,
        dwell_seconds,
        case
            when event_type <> 'feedback' then null
            when is_relevant is not null then is_relevant
            when rating >= $min_relevant_rating then true
            when rating <= $max_not_relevant_rating then false
        end as is_relevant
    from known
    qualify
        row_number() over (
            partition by event_id
            order by occurred_at, user_id, job_id, event_type, dwell_seconds, is_relevant, rating
        ) = 1
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
    cast(count(*) filter (where events.event_type = 'apply') as integer) as n_applies,
    cast(count(*) filter (where events.event_type in ('dismiss', 'reject', 'ignore')) as integer) as n_dismissals,
    cast(count(*) filter (where events.is_relevant) as integer) as n_relevant,
    cast(count(*) filter (where not events.is_relevant) as integer) as n_not_relevant,
    -- Whole milliseconds are added up, so that the sum does not depend on the order of rows.
    sum(cast(round(1000 * greatest(0, least(coalesce(events.dwell_seconds, 0), $max_dwell_seconds))) as bigint))
        / 1000.0 as dwell_seconds,
    cast(
        sum(coalesce(event_weights.weight, 0))
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
