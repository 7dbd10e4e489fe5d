-- Grain: role, skill. What the open jobs of a role ask for: the skills that at least a share of them name.
-- Inputs: jobs (catalog/jobs).
-- Parameters: $min_share (of the role's open jobs).
with open_jobs as (
    select job_id, list_distinct(skills) as skills, unnest(list_distinct(professional_roles)) as role
    from jobs
    where status = 'open' and duplicate_of is null
),
totals as (
    select role, count(*) as n_jobs from open_jobs group by role
),
asked as (
    select role, unnest(skills) as skill from open_jobs
),
shares as (
    select asked.role, asked.skill, round(count(*) / any_value(totals.n_jobs), 6) as share
    from asked
    inner join totals on asked.role = totals.role
    group by asked.role, asked.skill
)
select role, skill, share
from shares
where share >= $min_share
order by role, share desc, skill
