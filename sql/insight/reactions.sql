-- Grain: user_id, job_id, surface of exposures, in the first generation that showed it. What the user then did there.
-- Inputs: exposures (insight/exposures), events (bronze/events).
-- Parameters: $since, $until (instants).
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
        drawn,
        -- As the service rounds it: of the six digits that the look-up keeps, halves to even.
        cast(round_even(100 * round(score::double, 6), 0) as integer) as match_percent
    from exposures
    where shown_at > $since and shown_at <= $until
    qualify row_number() over (partition by user_id, job_id, surface order by shown_at, generation) = 1
),
acts as (
    select
        user_id,
        job_id,
        surface,
        bool_or(event_type = 'click') as is_clicked,
        bool_or(event_type = 'apply') as is_applied,
        bool_or(event_type = 'save') as is_saved
    from events
    where event_type in ('click', 'apply', 'save')
      and occurred_at > $since
      and occurred_at <= $until
      and not coalesce(is_bot, false)
    group by user_id, job_id, surface
)
select
    first_shown.*,
    coalesce(acts.is_clicked, false) as is_clicked,
    coalesce(acts.is_applied, false) as is_applied,
    coalesce(acts.is_clicked or acts.is_applied or acts.is_saved, false) as is_positive
from first_shown
left join acts
    on first_shown.user_id = acts.user_id
    and first_shown.job_id = acts.job_id
    and first_shown.surface = acts.surface
order by first_shown.user_id, first_shown.job_id, first_shown.surface
