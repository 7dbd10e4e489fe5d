-- Grain: outcome (click, save, apply), dimension, value. How often users act on such jobs once these are shown to them.
-- Inputs: interactions (catalog/interactions), jobs (catalog/jobs).
-- Parameters: $min_users (smaller groups are left out, so that nobody can be recognised), $top (values a dimension).
-- The base rate is that of all pairs that were shown.
with shown as (
    select user_id, job_id, n_clicks > 0 as is_clicked, is_saved, is_applied
    from interactions
    where n_impressions > 0
),
base as (
    select
        unnest(['click', 'save', 'apply']) as outcome,
        unnest([
            count(*) filter (where is_clicked), count(*) filter (where is_saved), count(*) filter (where is_applied)
        ]) / count(*) as base_rate
    from shown
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
        labelled.dimension,
        labelled.value,
        count(distinct shown.user_id) as n_users,
        count(*) as n_shown,
        count(*) filter (where shown.is_clicked) as n_clicked,
        count(*) filter (where shown.is_saved) as n_saved,
        count(*) filter (where shown.is_applied) as n_applied
    from shown
    inner join labelled on shown.job_id = labelled.job_id
    where labelled.value is not null
    group by labelled.dimension, labelled.value
    having count(distinct shown.user_id) >= $min_users
),
largest as (
    select * from grouped
    qualify row_number() over (partition by dimension order by n_users desc, value) <= $top
),
patterns as (
    select
        unnest(['click', 'save', 'apply']) as outcome,
        dimension,
        value,
        n_users,
        n_shown,
        unnest([n_clicked, n_saved, n_applied]) as n_successes
    from largest
)
select
    patterns.outcome,
    patterns.dimension,
    patterns.value,
    patterns.n_users,
    patterns.n_shown,
    patterns.n_successes,
    base.base_rate
from patterns
inner join base on patterns.outcome = base.outcome
order by patterns.outcome, patterns.dimension, patterns.value
