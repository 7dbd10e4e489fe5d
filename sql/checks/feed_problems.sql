-- Grain: problem. What no feed may hold, with the number of items concerned; no row when all is well.
-- Inputs: checked_feeds and checked_fallbacks (a block of each), carded_jobs (job_id, status, company_id), barred (user_id,
-- job_id: applied to or dismissed). Parameters: company_cap, company_cap_top.
with
all_lists as (
    select 'feeds' as list, user_id as owner, items from checked_feeds
    union all
    select 'fallback_feeds' as list, owner, items from checked_fallbacks
),
all_items as (
    select list, owner, item.rank as rank, item.job_id as job_id, item.score as score, item.confidence as confidence
    from (select list, owner, unnest(items) as item from all_lists)
),
carded as (
    select all_items.list, all_items.owner, all_items.rank, carded_jobs.status, carded_jobs.company_id
    from all_items
    left join carded_jobs on carded_jobs.job_id = all_items.job_id
),
unknown_jobs as (
    select list || ': jobs that are not published' as problem, count(*) as n from carded where status is null group by list
),
closed_jobs as (
    select list || ': jobs that are not open' as problem, count(*) as n from carded where status <> 'open' group by list
),
forbidden_jobs as (
    select 'feeds: jobs that the user applied to or dismissed' as problem, count(*) as n
    from all_items
    join barred on barred.user_id = all_items.owner and barred.job_id = all_items.job_id
    where all_items.list = 'feeds'
),
scores as (
    select list || ': scores outside 0 to 1' as problem, count(*) as n
    from all_items
    where score is null or not (score between 0 and 1) or not (confidence between 0 and 1)
    group by list
),
repeated as (
    select list || ': jobs shown twice' as problem, count(*) as n
    from all_lists
    where len(items) <> len(list_distinct(list_transform(items, lambda item: item.job_id)))
    group by list
),
ranks as (
    select list || ': ranks that do not count from 1' as problem, count(*) as n
    from all_lists
    where list_transform(items, lambda item: item.rank::bigint) is distinct from range(1, len(items) + 1)
    group by list
),
crowded as (
    select owner
    from carded
    where list = 'feeds' and rank <= $company_cap_top and company_id is not null
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
