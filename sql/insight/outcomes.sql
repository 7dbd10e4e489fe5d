-- Grain: dimension (all, position, job_age, job_language, job_country), slice, recipe, arm, surface (unknown: not
--   stated), each also `all`. What users did with the jobs that they were shown.
-- Inputs: events (bronze/events), exposures (insight/exposures), jobs (catalog/jobs).
-- Parameters: $since, $until (instants), $max_dwell_seconds (cap of one view), $new_days (age up to which a job is new),
--   $max_position (later positions are left out), $user_groups (number of groups).
-- A trial is a user and a job that was shown on the surface. It succeeds if the user acted on it there after it was first
-- shown. A job that was not shown there is no trial, so no rate exceeds 1. Dwell is the longest view of a user and job.
-- Sums of squares and products are over groups of users by a hash, for intervals that know that a user's trials are
-- alike; n_groups and n_dwell_groups count the groups that have any. Events that a source
-- repeats change nothing. Whole milliseconds are added up, so sums do not depend on the order of rows.
-- Recipe and arm are those of the feed that first showed the job; where they are not known, only `all` counts it.
with on_surface as (
    select
        coalesce(surface, 'unknown') as surface,
        user_id,
        job_id,
        min(occurred_at) filter (where event_type = 'impression') as shown_at,
        min(position) filter (where event_type = 'impression' and position between 1 and $max_position) as position,
        -- The last of each: an act follows the first impression if the last one does.
        max(occurred_at) filter (where event_type = 'click') as clicked_at,
        max(occurred_at) filter (where event_type = 'apply') as applied_at,
        max(occurred_at) filter (where event_type = 'save') as saved_at,
        max(occurred_at) filter (where event_type in ('dismiss', 'reject', 'ignore')) as dismissed_at,
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
        min(shown_at) as shown_at,
        null::integer as position,
        max(clicked_at) as clicked_at,
        max(applied_at) as applied_at,
        max(saved_at) as saved_at,
        max(dismissed_at) as dismissed_at,
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
            when jobs.known_from is not null and pairs.shown_at is not null then 'old'
        end as job_age,
        jobs.language as job_language,
        jobs.country as job_country,
        pairs.shown_at is not null as is_shown,
        coalesce(pairs.clicked_at >= pairs.shown_at, false) as is_clicked,
        coalesce(pairs.applied_at >= pairs.shown_at, false) as is_applied,
        coalesce(pairs.saved_at >= pairs.shown_at, false) as is_saved,
        coalesce(pairs.dismissed_at >= pairs.shown_at, false) as is_dismissed,
        pairs.dwell_milliseconds,
        hash(pairs.user_id) % $user_groups as user_group
    from pairs
    left join dated_jobs as jobs on pairs.job_id = jobs.job_id
),
by_feed as (
    select
        user_group,
        surface,
        recipe,
        arm,
        case
            when grouping(position) = 0 then 'position'
            when grouping(job_age) = 0 then 'job_age'
            when grouping(job_language) = 0 then 'job_language'
            when grouping(job_country) = 0 then 'job_country'
            else 'all'
        end as dimension,
        case when grouping(position, job_age, job_language, job_country) = 15 then 'all'
            else coalesce(position, job_age, job_language, job_country) end as slice,
        count(*) filter (where is_shown) as n_shown,
        count(*) filter (where is_clicked) as n_clicked,
        count(*) filter (where is_applied) as n_applied,
        count(*) filter (where is_saved) as n_saved,
        count(*) filter (where is_dismissed) as n_dismissed,
        count(dwell_milliseconds) as n_dwells,
        coalesce(sum(dwell_milliseconds), 0) as dwell_milliseconds
    from sliced
    group by grouping sets (
        (user_group, surface, recipe, arm),
        (user_group, surface, recipe, arm, position),
        (user_group, surface, recipe, arm, job_age),
        (user_group, surface, recipe, arm, job_language),
        (user_group, surface, recipe, arm, job_country)
    )
),
-- The sums over recipes and arms are made of few rows, those above of all pairs.
by_group as (
    select
        dimension,
        slice,
        case when grouping(recipe) = 1 then 'all' else recipe end as recipe,
        case when grouping(arm) = 1 then 'all' else arm end as arm,
        surface,
        sum(n_shown) as n_shown,
        sum(n_clicked) as n_clicked,
        sum(n_applied) as n_applied,
        sum(n_saved) as n_saved,
        sum(n_dismissed) as n_dismissed,
        sum(n_dwells) as n_dwells,
        sum(dwell_milliseconds) as dwell_milliseconds
    from by_feed
    group by grouping sets (
        (user_group, surface, dimension, slice),
        (user_group, surface, dimension, slice, recipe),
        (user_group, surface, dimension, slice, recipe, arm)
    )
    having dimension = 'all' or grouping(arm) = 0 or grouping(recipe) = 1
)
select
    dimension,
    slice,
    recipe,
    arm,
    surface,
    cast(sum(n_shown) as bigint) as n_shown,
    cast(sum(n_clicked) as bigint) as n_clicked,
    cast(sum(n_applied) as bigint) as n_applied,
    cast(sum(n_saved) as bigint) as n_saved,
    cast(sum(n_dismissed) as bigint) as n_dismissed,
    cast(sum(n_shown * n_shown) as double) as sum_square_n_shown,
    cast(sum(n_clicked * n_clicked) as double) as sum_square_n_clicked,
    cast(sum(n_applied * n_applied) as double) as sum_square_n_applied,
    cast(sum(n_saved * n_saved) as double) as sum_square_n_saved,
    cast(sum(n_dismissed * n_dismissed) as double) as sum_square_n_dismissed,
    cast(sum(n_shown * n_clicked) as double) as sum_products_n_clicked,
    cast(sum(n_shown * n_applied) as double) as sum_products_n_applied,
    cast(sum(n_shown * n_saved) as double) as sum_products_n_saved,
    cast(sum(n_shown * n_dismissed) as double) as sum_products_n_dismissed,
    count(*) filter (where n_shown > 0) as n_groups,
    cast(sum(n_dwells) as bigint) as n_dwells,
    cast(sum(dwell_milliseconds) as double) as sum_dwell_milliseconds,
    cast(sum(dwell_milliseconds * dwell_milliseconds) as double) as sum_square_dwell_milliseconds,
    cast(sum(n_dwells * n_dwells) as double) as sum_square_dwells,
    cast(sum(n_dwells * dwell_milliseconds) as double) as sum_dwell_products,
    count(*) filter (where n_dwells > 0) as n_dwell_groups
from by_group
where slice is not null and recipe is not null and arm is not null
group by dimension, slice, recipe, arm, surface
order by dimension, slice, recipe, arm, surface
