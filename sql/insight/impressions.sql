-- Grain: user_id, job_id, surface, generation. First impressions in feeds and digests, with the generation shown.
-- Inputs: events (bronze/events), generations (generation, created_at, replaced_at: those that still exist).
-- Parameters: $since, $until (instants).
-- An event without a generation saw the one in force: created before it and replaced later or not yet. is_kept: whether
-- that generation still exists. If it was removed, its name is stated or null.
with shown as (
    select user_id, job_id, surface, generation, occurred_at, position
    from events
    where occurred_at > $since
      and occurred_at <= $until
      and event_type = 'impression'
      and surface in ('feed', 'digest')
      and job_id is not null
      and not coalesce(is_bot, false)
),
dated as (
    select
        shown.user_id,
        shown.job_id,
        shown.surface,
        case
            when shown.generation is not null then shown.generation
            when newest.replaced_at is null or shown.occurred_at < newest.replaced_at then newest.generation
        end as generation,
        shown.occurred_at,
        shown.position
    from shown
    asof left join generations as newest on shown.occurred_at >= newest.created_at
)
select
    dated.user_id,
    dated.job_id,
    dated.surface,
    dated.generation,
    generations.generation is not null as is_kept,
    min(dated.occurred_at) as shown_at,
    min(dated.position) as position
from dated
left join generations on dated.generation = generations.generation
group by dated.user_id, dated.job_id, dated.surface, dated.generation, is_kept
order by dated.generation, dated.user_id, dated.job_id, dated.surface
