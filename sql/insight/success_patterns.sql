-- Grain: outcome (click, save, apply), dimension, value. How often users act on such jobs once these are shown to them.
-- Inputs: interactions (catalog/interactions), jobs (catalog/jobs), industries (role, industry: the family of a role).
-- Parameters: $min_users (smaller groups are left out, so that nobody can be recognised), $top (values a dimension),
--   $user_groups (number of groups of users by a hash).
-- The base rate is that of all pairs that were shown. Sums of squares and products are over groups of users, for
-- intervals that know that a user's pairs are alike; n_groups counts the groups that were shown such jobs.
with shown as (
    select
        user_id,
        job_id,
        n_clicks > 0 as is_clicked,
        is_saved,
        is_applied,
        hash(user_id) % $user_groups as user_group
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
    select distinct roles.job_id, 'industry' as dimension, industries.industry as value
    from (select job_id, unnest(professional_roles) as role from jobs) as roles
    inner join industries on roles.role = industries.role
    union all
    select job_id, 'skill' as dimension, unnest(list_distinct(skills)) as value from jobs
    union all
    select job_id, 'career_level' as dimension, career_level as value from jobs
    union all
    select job_id, 'city' as dimension, city as value from jobs
    union all
    select job_id, 'country' as dimension, country as value from jobs
),
by_group as (
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
    group by labelled.dimension, labelled.value, shown.user_group
),
grouped as (
    select
        dimension,
        value,
        cast(sum(n_users) as bigint) as n_users,
        cast(sum(n_shown) as bigint) as n_shown,
        cast(sum(n_shown * n_shown) as double) as sum_square_n_shown,
        count(*) as n_groups,
        [sum(n_clicked), sum(n_saved), sum(n_applied)] as n_successes,
        [sum(n_clicked * n_clicked), sum(n_saved * n_saved), sum(n_applied * n_applied)] as squares,
        [sum(n_shown * n_clicked), sum(n_shown * n_saved), sum(n_shown * n_applied)] as products
    from by_group
    group by dimension, value
    having sum(n_users) >= $min_users
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
        cast(unnest(n_successes) as bigint) as n_successes,
        sum_square_n_shown,
        cast(unnest(squares) as double) as sum_square_n_successes,
        cast(unnest(products) as double) as sum_products_n_successes,
        n_groups
    from largest
)
select patterns.*, base.base_rate
from patterns
inner join base on patterns.outcome = base.outcome
order by patterns.outcome, patterns.dimension, patterns.value
