-- Grain: user_id, job_id. All kept days of a user's events on a job as one row, for one range of user ids.
-- Inputs: daily_interactions; erasures (user_id, requested_at), the newest request of each user.
-- Parameters: $until (later days are left out), $saved (weight of a save), $first_user and $end_user (the range:
--   first included, end excluded, null for no bound).
with days as (
    select daily.*
    from daily_interactions as daily
    left join erasures on daily.user_id = erasures.user_id
    where daily.first_at <= $until
      and ($first_user is null or daily.user_id >= $first_user)
      and ($end_user is null or daily.user_id < $end_user)
      and (erasures.requested_at is null or daily.last_at > erasures.requested_at)
),
sums as (
    select
        user_id,
        job_id,
        cast(sum(n_impressions) as integer) as n_impressions,
        cast(sum(n_views) as integer) as n_views,
        cast(sum(n_clicks) as integer) as n_clicks,
        cast(sum(n_saves) as integer) as n_saves,
        cast(sum(n_unsaves) as integer) as n_unsaves,
        cast(sum(n_shares) as integer) as n_shares,
        cast(sum(n_applies) as integer) as n_applies,
        cast(sum(n_dismissals) as integer) as n_dismissals,
        cast(sum(n_relevant) as integer) as n_relevant,
        cast(sum(n_not_relevant) as integer) as n_not_relevant,
        sum(cast(round(1000 * dwell_seconds) as bigint)) / 1000.0 as dwell_seconds,
        sum(weight) as weight,
        min(first_at) as first_at,
        max(last_at) as last_at,
        max(last_saved_at) as last_saved_at,
        max(last_unsaved_at) as last_unsaved_at
    from days
    group by user_id, job_id
)
select
    user_id,
    job_id,
    n_impressions,
    n_views,
    n_clicks,
    n_saves,
    n_unsaves,
    n_shares,
    n_applies,
    n_dismissals,
    n_relevant,
    n_not_relevant,
    dwell_seconds,
    -- An unsave takes back one save, and never more.
    cast(weight + $saved * greatest(0, n_unsaves - n_saves) as integer) as weight,
    n_views > 0 or n_clicks > 0 as is_seen,
    last_saved_at is not null and (last_unsaved_at is null or last_saved_at > last_unsaved_at) as is_saved,
    n_applies > 0 as is_applied,
    n_dismissals > 0 or n_not_relevant > 0 as is_dismissed,
    first_at,
    last_at
from sums
order by user_id, job_id
