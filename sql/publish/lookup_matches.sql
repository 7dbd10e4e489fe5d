-- Grain: user. The look-up value: matches as objects, the best first. Inputs: matches. Parameters: none.
with
-- Each match by itself: to sort lists of wide structs takes twice as long.
objects as (
    select
        user_id, compatibility, rank,
        to_json({
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
        })::varchar as object
    from matches
)
select
    user_id as id,
    '[' || string_agg(object, ',' order by compatibility desc, rank) || ']' as value
from objects
group by user_id
order by id
