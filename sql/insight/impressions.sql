-- Grain: user_id, job_id, surface, generation. First impressions in feeds and digests, with the generation shown.
-- Inputs: events (bronze/events, of the period), generations (generation, as_of: those that still exist).
-- Parameters: none.
-- An event without a generation saw the newest one that was computed before it. Impressions of a generation that no
-- longer exists are left out.
with shown as (
    select user_id, job_id, surface, generation, occurred_at, position
    from events
    where event_type = 'impression'
      and surface in ('feed', 'digest')
      and job_id is not null
      and not coalesce(is_bot, false)
),
dated as (
    select
        shown.user_id,
        shown.job_id,
        shown.surface,
        coalesce(shown.generation, newest.generation) as generation,
        shown.occurred_at,
        shown.position
    from shown
    asof left join generations as newest on shown.occurred_at >= newest.as_of
)
select
    dated.user_id,
    dated.job_id,
    dated.surface,
    dated.generation,
    min(dated.occurred_at) as shown_at,
    min(dated.position) as position
from dated
semi join generations on dated.generation = generations.generation
group by dated.user_id, dated.job_id, dated.surface, dated.generation
order by dated.generation, dated.user_id, dated.job_id, dated.surface
