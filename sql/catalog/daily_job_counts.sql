-- Grain: date, job_id. The counters of a day's interactions by all users.
-- Inputs: $file (the day's Parquet file of catalog/daily_interactions).
select
    date,
    job_id,
    cast(sum(n_impressions) as bigint) as n_impressions,
    cast(sum(n_applies) as bigint) as n_applies,
    cast(sum(n_dismissals) as bigint) as n_dismissals,
    cast(sum(weight) as bigint) as weight,
    max(last_at) as last_at
from read_parquet($file)
group by date, job_id
order by job_id
