-- Grain: period, area. The look-up value: [[job_id, score], ...] by rank. Inputs: trending. Parameters: none.
select
    period || chr(10) || area as id,
    to_json(list(json_array(job_id, round(score, 6)) order by rank))::varchar as value
from trending
group by all
order by id
