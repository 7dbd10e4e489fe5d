-- Grain: surface (all: every surface; unknown: not stated). What users did with the jobs that they were shown.
-- Inputs: events (bronze/events).
-- Parameters: $since, $until (instants), $max_dwell_seconds (cap of one view).
-- A trial is a user and a job that was shown on the surface. It succeeds if the user clicked, applied or saved there.
-- A job that was not shown there is no trial, so no rate exceeds 1. Dwell is the longest view of a user and job. Events
-- that a source repeats change nothing. Whole milliseconds are added up, so sums do not depend on the order of rows.
with on_surface as (
    select
        coalesce(surface, 'unknown') as surface,
        user_id,
        job_id,
        bool_or(event_type = 'impression') as is_shown,
        bool_or(event_type = 'click') as is_clicked,
        bool_or(event_type = 'apply') as is_applied,
        bool_or(event_type = 'save') as is_saved,
        max(cast(round(1000 * least(dwell_seconds, $max_dwell_seconds)) as bigint))
            filter (where event_type in ('view', 'click') and dwell_seconds > 0) as dwell_milliseconds
    from events
    where occurred_at > $since
      and occurred_at <= $until
      and job_id is not null
      and not coalesce(is_bot, false)
    group by coalesce(surface, 'unknown'), user_id, job_id
),
overall as (
    select
        'all' as surface,
        user_id,
        job_id,
        bool_or(is_shown) as is_shown,
        bool_or(is_clicked) as is_clicked,
        bool_or(is_applied) as is_applied,
        bool_or(is_saved) as is_saved,
        max(dwell_milliseconds) as dwell_milliseconds
    from on_surface
    group by user_id, job_id
),
pairs as (
    select surface, is_shown, is_clicked, is_applied, is_saved, dwell_milliseconds from on_surface
    union all
    select surface, is_shown, is_clicked, is_applied, is_saved, dwell_milliseconds from overall
)
select
    surface,
    count(*) filter (where is_shown) as n_shown,
    count(*) filter (where is_shown and is_clicked) as n_clicked,
    count(*) filter (where is_shown and is_applied) as n_applied,
    count(*) filter (where is_shown and is_saved) as n_saved,
    count(dwell_milliseconds) as n_dwells,
    coalesce(cast(sum(dwell_milliseconds) as double), 0) as sum_dwell_milliseconds,
    coalesce(cast(sum(cast(dwell_milliseconds as hugeint) * dwell_milliseconds) as double), 0)
        as sum_square_dwell_milliseconds
from pairs
group by surface
order by surface
