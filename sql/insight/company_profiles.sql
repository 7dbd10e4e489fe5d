-- Grain: company. What its own postings show, near-duplicates counted once.
-- Inputs: jobs (catalog/jobs), companies (features/companies).
-- Parameters: $as_of (instant of the run), $weeks (of the history, the running one included), $period_days (length of the
--   two periods that `change` compares; also how long a skill counts as new), $min_before (jobs of the period before
--   from which on a change is told), $top (values per list), $min_salaries (of the market, to compare pay with),
--   $history_days (how far back a company without an open job must have published).
with postings as (
    select
        job_id,
        company_id,
        company,
        status = 'open' as is_open,
        published_at,
        cast(date_trunc('week', published_at) as date) as week,
        skills,
        professional_roles,
        city,
        country,
        work_format,
        employment_type,
        career_level,
        language,
        (coalesce(salary_monthly_usd_min, salary_monthly_usd_max)
            + coalesce(salary_monthly_usd_max, salary_monthly_usd_min)) / 2 as salary_monthly_usd
    from jobs
    where duplicate_of is null
      and company_id is not null
      and (published_at is null or published_at <= $as_of)
),
known as (
    select company_id
    from postings
    group by company_id
    having bool_or(is_open) or max(published_at) >= $as_of - to_days(cast($history_days as integer))
),
sums as (
    select
        company_id,
        count(*) as n_jobs,
        count(*) filter (where is_open) as n_open_jobs,
        count(*) filter (where published_at > $as_of - to_days(cast($period_days as integer))) as n_new,
        count(*) filter (
            where published_at > $as_of - to_days(2 * cast($period_days as integer))
              and published_at <= $as_of - to_days(cast($period_days as integer))
        ) as n_before,
        min(published_at) as first_published_at,
        count(salary_monthly_usd) filter (where is_open) as n_salaries,
        round(median(salary_monthly_usd) filter (where is_open), 2) as salary_monthly_usd_median
    from postings
    semi join known using (company_id)
    group by company_id
),
weekly as (
    select company_id, list({'week': week, 'n_jobs': n} order by week) as weeks
    from (
        select company_id, week, count(*) as n
        from postings
        where week > cast(date_trunc('week', $as_of) as date) - 7 * cast($weeks as integer)
        group by company_id, week
    )
    group by company_id
),
labelled as (
    select company_id, 'roles' as dimension, unnest(list_distinct(professional_roles)) as value from postings where is_open
    union all
    select company_id, 'cities', city from postings where is_open
    union all
    select company_id, 'countries', country from postings where is_open
    union all
    select company_id, 'work_formats', work_format from postings where is_open
    union all
    select company_id, 'employment_types', employment_type from postings where is_open
    union all
    select company_id, 'career_levels', career_level from postings where is_open
    union all
    select company_id, 'languages', language from postings where is_open
),
counted as (
    select company_id, dimension, value, count(*) as n
    from labelled
    where value is not null
    group by company_id, dimension, value
    qualify row_number() over (partition by company_id, dimension order by n desc, value) <= $top
),
lists as (
    select
        counted.company_id,
        counted.dimension,
        list(
            {'value': value, 'n_jobs': n, 'share': round(n / n_open_jobs, 6)}
            order by n desc, value
        ) as counts
    from counted
    inner join sums using (company_id)
    group by counted.company_id, counted.dimension
),
asked as (
    select company_id, unnest(list_distinct(skills)) as skill, is_open, published_at from postings
),
skilled as (
    select
        asked.company_id,
        skill,
        count(*) filter (where is_open) as n,
        -- New is only what a company that published before did not ask for then.
        min(asked.published_at) > $as_of - to_days(cast($period_days as integer))
            and any_value(sums.first_published_at) <= $as_of - to_days(cast($period_days as integer)) as is_new
    from asked
    inner join sums on asked.company_id = sums.company_id
    group by asked.company_id, skill
    having count(*) filter (where is_open) > 0
    qualify row_number() over (partition by asked.company_id order by n desc, skill) <= $top
),
skill_lists as (
    select
        skilled.company_id,
        list(
            {'skill': skill, 'n_jobs': n, 'share': round(n / n_open_jobs, 6), 'is_new': coalesce(is_new, false)}
            order by n desc, skill
        ) as skills
    from skilled
    inner join sums using (company_id)
    group by skilled.company_id
),
market as (
    select professional_roles[1] as role, country, median(salary_monthly_usd) as salary_monthly_usd
    from postings
    where is_open and salary_monthly_usd is not null
    group by all
    having count(*) >= $min_salaries
),
compared as (
    select
        postings.company_id,
        round(median(market.salary_monthly_usd), 2) as market_salary_monthly_usd_median,
        round(median(postings.salary_monthly_usd / market.salary_monthly_usd), 6) as salary_ratio,
        count(*) as n_compared
    from postings
    inner join market
        on postings.professional_roles[1] = market.role and postings.country = market.country
    where is_open and postings.salary_monthly_usd is not null
    group by postings.company_id
)
select
    sums.company_id,
    companies.company,
    sums.n_jobs,
    sums.n_open_jobs,
    sums.first_published_at,
    coalesce(weekly.weeks, []) as weeks,
    case when sums.n_before >= $min_before then round(sums.n_new / sums.n_before - 1, 6) end as change,
    sums.n_new,
    sums.n_before,
    roles.counts as roles,
    cities.counts as cities,
    countries.counts as countries,
    work_formats.counts as work_formats,
    employment_types.counts as employment_types,
    career_levels.counts as career_levels,
    languages.counts as languages,
    skill_lists.skills,
    sums.n_salaries,
    sums.salary_monthly_usd_median,
    compared.market_salary_monthly_usd_median,
    compared.salary_ratio,
    coalesce(compared.n_compared, 0) as n_compared,
    companies.repost_share
from sums
inner join companies on sums.company_id = companies.company_id
left join weekly on sums.company_id = weekly.company_id
left join lists as roles on sums.company_id = roles.company_id and roles.dimension = 'roles'
left join lists as cities on sums.company_id = cities.company_id and cities.dimension = 'cities'
left join lists as countries on sums.company_id = countries.company_id and countries.dimension = 'countries'
left join lists as work_formats on sums.company_id = work_formats.company_id and work_formats.dimension = 'work_formats'
left join lists as employment_types
    on sums.company_id = employment_types.company_id and employment_types.dimension = 'employment_types'
left join lists as career_levels
    on sums.company_id = career_levels.company_id and career_levels.dimension = 'career_levels'
left join lists as languages on sums.company_id = languages.company_id and languages.dimension = 'languages'
left join skill_lists on sums.company_id = skill_lists.company_id
left join compared on sums.company_id = compared.company_id
order by sums.company_id
