-- Grain: job. The look-up value of a job's similar jobs: [[job_id, score], ...]. Inputs: similar_jobs. Parameters: none.
select
    job_id as id,
    to_json(list_transform(items, lambda item: json_array(item.job_id, round(item.score::double, 6))))::varchar as value
from similar_jobs
order by id
