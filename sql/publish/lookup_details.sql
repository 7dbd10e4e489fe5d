-- Grain: job. The look-up value of a job with every column. Inputs: jobs. Parameters: none.
with
texts as (
    select * replace (
        strftime(published_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as published_at,
        strftime(first_seen_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as first_seen_at,
        strftime(last_seen_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as last_seen_at,
        strftime(expires_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as expires_at,
        strftime(closed_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as closed_at
    )
    from jobs
)
select job_id as id, to_json(texts)::varchar as value
from texts
order by id
