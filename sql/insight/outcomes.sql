-- Grain: dimension (all, position, job_age, job_language, job_country), slice, recipe, arm, surface (unknown: not
--   stated), each also `all`. What users did with the jobs that they were shown.
-- Inputs: events (bronze/events), exposures (insight/exposures), jobs (catalog/jobs).
-- Parameters: $since, $until (instants), $max_dwell_seconds (cap of one view), $new_days (age up to which a job is new),
--   $max_position (later positions are left out).
-- A trial is a user and a job that was shown on the surface. It succeeds if the user acted on it there. A job that was
-- not shown there is no trial, so no rate exceeds 1. Dwell is the longest view of a user and job. Events that a source
-- repeats change nothing. Whole milliseconds are added up, so sums do not depend on the order of rows.
-- Recipe and arm are those of the feed that first showed the job; where they are not known, only `all` counts it.
with on_surface as (
    select
        coalesce(surface, 'unknown') as surface,
        user_id,
        job_id,
        bool_or(event_type = 'impression') as is_shown,
        min(occurred_at) filter (where event_type = 'impression') as shown_at,
        min(position) filter (where event_type = 'impression' and position between 1 and $max_position) as position,
        bool_or(event_type = 'click') as is_clicked,
        bool_or(event_type = 'apply') as is_applied,
        bool_or(event_type = 'save') as is_saved,
        bool_or(event_type in ('dismiss', 'reject', 'ignore')) as is_dismissed,
        max(cast(round(1000 * least(dwell_seconds, $max_dwell_seconds)) as bigint))
            filter (where event_type in ('view', 'click') and dwell_seconds > 0) as dwell_milliseconds
    from events
    where occurred_at > $since
      and occurred_at <= $until
      and job_id is not null
      and not coalesce(is_bot, false)
    group by coalesce(surface, 'unknown'), user_id, job_id
),
first_exposures as (
    select
        user_id,
        job_id,
        surface,
        arg_min({'recipe': recipe, 'arm': arm}, {'at': shown_at, 'generation': generation}) as feed,
        min(shown_at) as shown_at
    from exposures
    where shown_at > $since and shown_at <= $until
    group by user_id, job_id, surface
),
attributed as (
    select on_surface.*, first_exposures.feed
    from on_surface
    left join first_exposures
        on on_surface.user_id = first_exposures.user_id
        and on_surface.job_id = first_exposures.job_id
        and on_surface.surface = first_exposures.surface
),
pairs as (
    select * from attributed
    union all by name
    select
        'all' as surface,
        user_id,
        job_id,
        bool_or(is_shown) as is_shown,
        min(shown_at) as shown_at,
        null::integer as position,
        bool_or(is_clicked) as is_clicked,
        bool_or(is_applied) as is_applied,
        bool_or(is_saved) as is_saved,
        bool_or(is_dismissed) as is_dismissed,
        max(dwell_milliseconds) as dwell_milliseconds,
        arg_min(feed, shown_at) filter (where feed is not null) as feed
    from attributed
    group by user_id, job_id
),
dated_jobs as (
    -- least() skips nulls.
    select job_id, language, country, least(published_at, first_seen_at) as known_from from jobs
),
sliced as (
    select
        pairs.surface,
        pairs.feed.recipe as recipe,
        pairs.feed.arm as arm,
        cast(pairs.position as varchar) as position,
        case
            when jobs.known_from > pairs.shown_at - to_days(cast($new_days as integer)) then 'new'
            when jobs.known_from is not null and pairs.is_shown then 'old'
        end as job_age,
        jobs.language as job_language,
        jobs.country as job_country,
        pairs.is_shown,
        pairs.is_shown and pairs.is_clicked as is_clicked,
        pairs.is_shown and pairs.is_applied as is_applied,
        pairs.is_shown and pairs.is_saved as is_saved,
        pairs.is_shown and pairs.is_dismissed as is_dismissed,
        pairs.dwell_milliseconds
    from pairs
    left join dated_jobs as jobs on pairs.job_id = jobs.job_id
),
counted as (
    select
        case
            when grouping(position) = 0 then 'position'
            when grouping(job_age) = 0 then 'job_age'
            when grouping(job_language) = 0 then 'job_language'
            when grouping(job_country) = 0 then 'job_country'
            else 'all'
        end as dimension,
        case when grouping(position, job_age, job_language, job_country) = 15 then 'all'
            else coalesce(position, job_age, job_language, job_country) end as slice,
        case when grouping(recipe) = 1 then 'all' else recipe end as recipe,
        case when grouping(arm) = 1 then 'all' else arm end as arm,
        surface,
        count(*) filter (where is_shown) as n_shown,
        count(*) filter (where is_clicked) as n_clicked,
        count(*) filter (where is_applied) as n_applied,
        count(*) filter (where is_saved) as n_saved,
        count(*) filter (where is_dismissed) as n_dismissed,
        count(dwell_milliseconds) as n_dwells,
        coalesce(cast(sum(dwell_milliseconds) as double), 0) as sum_dwell_milliseconds,
        coalesce(cast(sum(cast(dwell_milliseconds as hugeint) * dwell_milliseconds) as double), 0)
            as sum_square_dwell_milliseconds
    from sliced
    group by grouping sets (
        (surface), (surface, recipe), (surface, recipe, arm),
        (surface, position), (surface, recipe, arm, position),
        (surface, job_age), (surface, recipe, arm, job_age),
        (surface, job_language), (surface, recipe, arm, job_language),
        (surface, job_country), (surface, recipe, arm, job_country)
    )
)
select *
from counted
where slice is not null and recipe is not null and arm is not null
order by dimension, slice, recipe, arm, surface
