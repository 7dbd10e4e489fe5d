-- Grain: user. The look-up value: learned preferences as objects. Inputs: preferences. Parameters: none.
select
    user_id as id,
    to_json(list(
        {dimension: dimension, value: value, affinity: round(affinity::double, 4), confidence: round(confidence::double, 4), n: n}
        order by dimension, abs(affinity) desc, value
    ))::varchar as value
from preferences
group by user_id
order by id
