-- Grain: arm. Sums over the users of a running experiment: shown jobs, those clicked and applied to, second moments.
-- Inputs: reactions (query insight/reactions). Parameters: $experiment (its name).
-- A job that feed and digest both showed counts once.
with pairs as (
    select
        user_id,
        job_id,
        min(arm) as arm,
        bool_or(is_clicked) as is_clicked,
        bool_or(is_applied) as is_applied
    from reactions
    where experiment = $experiment
    group by user_id, job_id
),
users as (
    select
        user_id,
        min(arm) as arm,
        count(*) as n_shown,
        count(*) filter (where is_clicked) as n_clicked,
        count(*) filter (where is_applied) as n_applied
    from pairs
    group by user_id
)
select
    arm,
    count(*) as n_users,
    cast(sum(n_shown) as bigint) as n_shown,
    cast(sum(n_clicked) as bigint) as n_clicked,
    cast(sum(n_applied) as bigint) as n_applied,
    cast(sum(n_shown * n_shown) as bigint) as sum_square_shown,
    cast(sum(n_clicked * n_clicked) as bigint) as sum_square_clicked,
    cast(sum(n_applied * n_applied) as bigint) as sum_square_applied,
    cast(sum(n_shown * n_clicked) as bigint) as sum_shown_clicked,
    cast(sum(n_shown * n_applied) as bigint) as sum_shown_applied
from users
group by arm
order by arm
