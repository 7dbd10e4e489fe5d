-- Grain: job. The look-up value of a job card: the columns that lists show. Inputs: jobs. Parameters: none.
select
    job_id as id,
    to_json({
        job_id: job_id,
        title: title,
        company: company,
        city: city,
        country: country,
        work_format: work_format,
        employment_type: employment_type,
        career_level: career_level,
        salary_min: salary_min,
        salary_max: salary_max,
        salary_currency: salary_currency,
        salary_period: salary_period,
        skills: skills,
        url: url,
        source: source,
        published_at: strftime(published_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ'),
        status: status
    })::varchar as value
from jobs
order by id
