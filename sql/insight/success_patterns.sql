-- Grain: outcome (click, save, apply), dimension, value. How often users act on such jobs once these are shown to them.
-- Inputs: interactions (catalog/interactions), jobs (catalog/jobs).
-- Parameters: $min_users (smaller groups are left out, so that nobody can be recognised), $top (values a dimension).
-- The base rate is that of all pairs that were shown.
with shown as (
    select user_id, job_id, n_clicks > 0 as is_clicked, is_saved, is_applied
    from interactions
    where n_impressions > 0
),
acted as (
    select user_id, job_id, 'click' as outcome, is_clicked as is_success from shown
    union all
    select user_id, job_id, 'save' as outcome, is_saved as is_success from shown
    union all
    select user_id, job_id, 'apply' as outcome, is_applied as is_success from shown
),
base as (
    select outcome, count(*) filter (where is_success) / count(*) as base_rate from acted group by outcome
),
labelled as (
    select job_id, 'company' as dimension, company as value from jobs
    union all
    select job_id, 'role' as dimension, unnest(list_distinct(professional_roles)) as value from jobs
    union all
    select job_id, 'skill' as dimension, unnest(list_distinct(skills)) as value from jobs
    union all
    select job_id, 'career_level' as dimension, career_level as value from jobs
    union all
    select job_id, 'city' as dimension, city as value from jobs
    union all
    select job_id, 'country' as dimension, country as value from jobs
),
grouped as (
    select
        acted.outcome,
        labelled.dimension,
        labelled.value,
        count(distinct acted.user_id) as n_users,
        count(*) as n_shown,
        count(*) filter (where acted.is_success) as n_successes
    from acted
    inner join labelled on acted.job_id = labelled.job_id
    where labelled.value is not null
    group by acted.outcome, labelled.dimension, labelled.value
)
select
    grouped.outcome,
    grouped.dimension,
    grouped.value,
    grouped.n_users,
    grouped.n_shown,
    grouped.n_successes,
    base.base_rate
from grouped
inner join base on grouped.outcome = base.outcome
where grouped.n_users >= $min_users
qualify row_number() over (
    partition by grouped.outcome, grouped.dimension order by grouped.n_users desc, grouped.value
) <= $top
order by grouped.outcome, grouped.dimension, grouped.value
