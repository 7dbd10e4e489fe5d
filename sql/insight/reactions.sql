-- Grain: user_id, job_id, surface of exposures, in the first generation that showed it. What the user did there from
--   then on.
-- Inputs: exposures (insight/exposures), events (bronze/events).
-- Parameters: $since, $until (instants), $user_groups (number of groups of users by a hash, for intervals).
with first_shown as (
    select
        user_id,
        job_id,
        surface,
        recipe,
        arm,
        experiment,
        score,
        explored,
        propensity,
        position,
        drawn,
        shown_at,
        -- As the service rounds it: of the six digits that the look-up keeps, halves to even.
        cast(round_even(100 * round(score::double, 6), 0) as integer) as match_percent
    from exposures
    where shown_at > $since and shown_at <= $until
    qualify row_number() over (partition by user_id, job_id, surface order by shown_at, generation) = 1
),
reactions as (
    select
        user_id,
        job_id,
        surface,
        bool_or(event_type = 'click') as is_clicked,
        bool_or(event_type = 'apply') as is_applied,
        bool_or(event_type = 'save') as is_saved
    from events
    join first_shown using (user_id, job_id, surface)
    where event_type in ('click', 'apply', 'save')
      and occurred_at >= shown_at
      and occurred_at <= $until
      and not coalesce(is_bot, false)
    group by user_id, job_id, surface
)
select
    first_shown.*,
    hash(user_id) % $user_groups as user_group,
    coalesce(reactions.is_clicked, false) as is_clicked,
    coalesce(reactions.is_applied, false) as is_applied,
    coalesce(reactions.is_clicked or reactions.is_applied or reactions.is_saved, false) as is_positive
from first_shown
left join reactions using (user_id, job_id, surface)
order by user_id, job_id, surface
