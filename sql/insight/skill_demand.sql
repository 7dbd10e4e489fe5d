-- Grain: skill, area (all or a country code). What the open jobs ask for, near-duplicates counted once.
-- Inputs: jobs (catalog/jobs).
-- Parameters: $as_of (instant of the run), $period_days (length of the two periods that `change` compares), $min_jobs (the
--   least jobs of the first period for a change: of a few, a change says nothing).
-- change: jobs published in the last period against those of the period before, of any status.
with known as (
    select
        job_id,
        list_distinct(skills) as skills,
        country,
        status = 'open' as is_open,
        published_at > $as_of - to_days(cast($period_days as integer)) as is_new,
        published_at > $as_of - to_days(2 * cast($period_days as integer))
            and published_at <= $as_of - to_days(cast($period_days as integer)) as is_before,
        (coalesce(salary_monthly_usd_min, salary_monthly_usd_max)
            + coalesce(salary_monthly_usd_max, salary_monthly_usd_min)) / 2 as salary_monthly_usd
    from jobs
    where duplicate_of is null
      and (published_at is null or published_at <= $as_of)
),
in_areas as (
    select *, 'all' as area from known
    union all
    select *, country as area from known where country is not null
),
totals as (
    select area, count(*) as n_open_jobs from in_areas where is_open group by area
),
asked as (
    select area, unnest(skills) as skill, is_open, is_new, is_before, salary_monthly_usd from in_areas
),
demand as (
    select
        skill,
        area,
        count(*) filter (where is_open) as n_jobs,
        round(median(salary_monthly_usd) filter (where is_open), 2) as salary_monthly_usd_median,
        count(salary_monthly_usd) filter (where is_open) as n_salaries,
        count(*) filter (where is_new) as n_new,
        count(*) filter (where is_before) as n_before
    from asked
    group by skill, area
)
select
    demand.skill,
    demand.area,
    demand.n_jobs,
    round(demand.n_jobs / totals.n_open_jobs, 6) as share,
    demand.salary_monthly_usd_median,
    demand.n_salaries,
    case when demand.n_before >= $min_jobs then round(demand.n_new / demand.n_before - 1, 6) end as change
from demand
inner join totals on demand.area = totals.area
where demand.n_jobs > 0
order by demand.area, demand.n_jobs desc, demand.skill
