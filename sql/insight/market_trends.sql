-- Grain: dimension (skill, role, company, salary), value, area (all or a country code), week (its Monday, UTC).
-- Inputs: jobs (catalog/jobs).
-- Parameters: $as_of (instant of the run), $weeks (how many, the running one included), $top (values per dimension,
--   area and week), $salary_band (width of a salary band in USD a month), $min_jobs (the least jobs of the week before
--   for a change: of a few, a change says nothing).
-- A week counts the jobs first published in it, near-duplicates once. The running week is compared with the same part
-- of the week before, so that a Monday morning does not look like a collapse.
with published as (
    select
        job_id,
        company,
        skills,
        professional_roles,
        country,
        published_at,
        cast(date_trunc('week', published_at) as date) as week,
        (coalesce(salary_monthly_usd_min, salary_monthly_usd_max)
            + coalesce(salary_monthly_usd_max, salary_monthly_usd_min)) / 2 as salary_monthly_usd
    from jobs
    where duplicate_of is null
      and published_at <= $as_of
      -- One more week than requested, to compare the first one with.
      and published_at >= date_trunc('week', $as_of) - to_weeks(cast($weeks as integer))
),
labelled as (
    select job_id, 'skill' as dimension, unnest(list_distinct(skills)) as value from published
    union all
    select job_id, 'role' as dimension, unnest(list_distinct(professional_roles)) as value from published
    union all
    select job_id, 'company' as dimension, company as value from published where company is not null
    union all
    select
        job_id,
        'salary' as dimension,
        printf(
            '%d-%d',
            cast(floor(salary_monthly_usd / $salary_band) * $salary_band as bigint),
            cast((floor(salary_monthly_usd / $salary_band) + 1) * $salary_band as bigint)
        ) as value
    from published
    where salary_monthly_usd is not null
),
in_areas as (
    select job_id, week, published_at, salary_monthly_usd, 'all' as area from published
    union all
    select job_id, week, published_at, salary_monthly_usd, country as area from published where country is not null
),
counted as (
    select
        labelled.dimension,
        labelled.value,
        in_areas.area,
        in_areas.week,
        count(*) as n_jobs,
        count(*) filter (where in_areas.published_at + interval 7 days <= $as_of) as n_jobs_comparable,
        round(median(in_areas.salary_monthly_usd), 2) as salary_monthly_usd_median,
        count(in_areas.salary_monthly_usd) as n_salaries
    from labelled
    inner join in_areas on labelled.job_id = in_areas.job_id
    group by labelled.dimension, labelled.value, in_areas.area, in_areas.week
),
compared as (
    select
        this.dimension,
        this.value,
        this.area,
        this.week,
        this.n_jobs,
        this.salary_monthly_usd_median,
        this.n_salaries,
        case
            when before.n_jobs_comparable >= $min_jobs then round(this.n_jobs / before.n_jobs_comparable - 1, 6)
        end as change
    from counted as this
    left join counted as before
        on this.dimension = before.dimension
        and this.value = before.value
        and this.area = before.area
        and this.week = before.week + 7
)
select dimension, value, area, week, n_jobs, salary_monthly_usd_median, n_salaries, change
from compared
where week > cast(date_trunc('week', $as_of) as date) - 7 * cast($weeks as integer)
qualify row_number() over (partition by dimension, area, week order by n_jobs desc, value) <= $top
order by dimension, area, week, n_jobs desc, value
