-- Grain: problem. What no feed may hold, with the number of items concerned; no row when all is well.
-- Inputs: feeds, fallback_feeds, jobs, interactions. Parameters: company_cap, company_cap_top.
with
personal_items as (
    select user_id, unnest(items) as item from feeds
),
fallback_items as (
    select segment, unnest(items) as item from fallback_feeds
),
all_items as (
    select 'feeds' as list, user_id as owner, item from personal_items
    union all
    select 'fallback_feeds' as list, segment as owner, item from fallback_items
),
carded as (
    select all_items.list, all_items.owner, all_items.item, jobs.status, jobs.company_id
    from all_items
    left join jobs on jobs.job_id = all_items.item.job_id
),
unknown_jobs as (
    select list || ': jobs that are not published' as problem, count(*) as n from carded where status is null group by list
),
closed_jobs as (
    select list || ': jobs that are not open' as problem, count(*) as n from carded where status <> 'open' group by list
),
forbidden_jobs as (
    select 'feeds: jobs that the user applied to or dismissed' as problem, count(*) as n
    from personal_items
    join interactions on interactions.user_id = personal_items.user_id and interactions.job_id = personal_items.item.job_id
    where interactions.is_applied or interactions.is_dismissed
),
scores as (
    select list || ': scores outside 0 to 1' as problem, count(*) as n
    from all_items
    where item.score is null or not (item.score between 0 and 1) or not (item.confidence between 0 and 1)
    group by list
),
lists as (
    select list, owner, count(*) as n_items, count(distinct item.job_id) as n_jobs, min(item.rank) as first_rank, max(item.rank) as last_rank, count(distinct item.rank) as n_ranks
    from all_items
    group by list, owner
),
repeated as (
    select list || ': jobs shown twice' as problem, count(*) as n from lists where n_jobs <> n_items group by list
),
ranks as (
    select list || ': ranks that do not count from 1' as problem, count(*) as n
    from lists
    where first_rank <> 1 or last_rank <> n_items or n_ranks <> n_items
    group by list
),
crowded as (
    select owner
    from carded
    where list = 'feeds' and item.rank <= $company_cap_top and company_id is not null
    group by owner, company_id
    having count(*) > $company_cap
),
company_caps as (
    select 'feeds: more of one company at the top than the cap allows' as problem, count(*) as n from crowded
),
problems as (
    select problem, n from unknown_jobs
    union all
    select problem, n from closed_jobs
    union all
    select problem, n from forbidden_jobs
    union all
    select problem, n from scores
    union all
    select problem, n from repeated
    union all
    select problem, n from ranks
    union all
    select problem, n from company_caps
)
select problem, n from problems where n > 0 order by problem
