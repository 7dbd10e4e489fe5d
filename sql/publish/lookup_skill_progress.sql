-- Grain: user. The look-up value: what was learned as objects, the newest first. Inputs: skill_progress. Parameters: none.
select
    user_id as id,
    to_json(list(
        {role: role, skill: skill, noticed_on: strftime(noticed_on, '%Y-%m-%d'), "before": "before", "after": "after"}
        order by noticed_on desc, role, skill
    ))::varchar as value
from skill_progress
group by user_id
order by id
