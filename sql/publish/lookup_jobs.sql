-- Grain: job. The texts of a job: id and title as JSON one after the other, its card, and lengths in bytes, see
-- serving/contract/text_tables.py. A job that is not open has no card, because it is never shown. The card lacks its end:
-- what it says in the language of the reader. The columns that this is made of come with it.
-- Inputs: jobs. Parameters: none.
with
texts as (
    select
        job_id,
        to_json(job_id)::varchar as id_text,
        -- Without quotes, because it becomes a part of a sentence.
        (to_json(coalesce(nullif(title, ''), job_id))::varchar)[2:-2] as title_text,
        case
            when status = 'open' then (to_json({
                job_id: job_id,
                title: title,
                company: company,
                company_id: company_id,
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
                board: board,
                published_at: strftime(published_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ'),
                status: status
            })::varchar)[:-2]
            else ''
        end as card_text,
        city,
        city_ru,
        country,
        work_format,
        employment_type,
        career_level,
        salary_min,
        salary_max,
        salary_currency,
        salary_period,
        salary_gross
    from jobs
)
select
    * exclude (id_text, title_text),
    concat(id_text, title_text) as title_text,
    strlen(id_text) as id_length,
    strlen(title_text) as title_length,
    strlen(card_text) as card_length,
    strlen(rtrim(title_text, ' :')) as title_length_at_end
from texts
order by job_id
