-- Grain: role, skill. What the open jobs of a role ask for: the skills that at least a share of them name, and that they
-- name more often than other open jobs do. What every trade asks for, such as spreadsheets, is no skill of a developer.
-- Inputs: jobs (catalog/jobs).
-- Parameters: $min_share (of the role's open jobs), $min_lift (that share over the share of the other open jobs).
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
everywhere as (
    select skill, count(*) as n_jobs
    from (
        select unnest(list_distinct(skills)) as skill from jobs where status = 'open' and duplicate_of is null
    )
    group by skill
),
shares as (
    select
        asked.role,
        asked.skill,
        count(*) / any_value(totals.n_jobs) as share,
        (any_value(everywhere.n_jobs) - count(*)) / nullif(any_value(n_open.n_jobs) - any_value(totals.n_jobs), 0)
            as share_elsewhere
    from asked
    inner join totals on asked.role = totals.role
    inner join everywhere on asked.skill = everywhere.skill
    cross join (select count(*) as n_jobs from jobs where status = 'open' and duplicate_of is null) as n_open
    group by asked.role, asked.skill
)
select role, skill, round(share, 6) as share
from shares
where round(share, 6) >= $min_share
  and (share_elsewhere is null or share >= $min_lift * share_elsewhere)
order by role, share desc, skill
