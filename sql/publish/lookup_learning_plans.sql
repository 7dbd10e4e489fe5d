-- Grain: user. The look-up value: the steps of the learning plans as objects. Inputs: learning_plans. Parameters: none.
select
    user_id as id,
    to_json(list(
        {
            role: role,
            rank: rank,
            skill: skill,
            estimated_hours: estimated_hours,
            n_jobs_opened: n_jobs_opened,
            n_jobs_open: n_jobs_open,
            n_jobs_reachable: n_jobs_reachable,
            resources: resources
        }
        order by role, rank
    ))::varchar as value
from learning_plans
group by user_id
order by id
