-- Grain: cell. The look-up value: [job_id, ...] by rank. Inputs: nearby. Parameters: none.
select cell as id, to_json(list(job_id order by rank))::varchar as value
from nearby
group by all
order by id
