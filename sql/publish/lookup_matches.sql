-- Grain: user. The look-up value: matches as objects, the best first. Inputs: matches. Parameters: none.
select
    user_id as id,
    to_json(list(
        {
            job_id: job_id,
            rank: rank,
            compatibility: compatibility,
            confidence: round(confidence::double, 4),
            skills_score: round(skills_score::double, 4),
            experience_score: round(experience_score::double, 4),
            location_score: round(location_score::double, 4),
            salary_score: round(salary_score::double, 4),
            culture_score: round(culture_score::double, 4),
            match_factors: match_factors,
            mismatch_factors: mismatch_factors,
            reasoning_en: reasoning_en,
            reasoning_ru: reasoning_ru,
            reasoning_source: reasoning_source
        }
        order by compatibility desc, rank
    ))::varchar as value
from matches
group by user_id
order by id
