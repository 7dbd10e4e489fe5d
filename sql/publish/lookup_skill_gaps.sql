-- Grain: user. The look-up value: skill gaps by role as objects. Inputs: skill_gaps. Parameters: none.
select user_id as id, to_json(list(gap order by role))::varchar as value
from (
    select
        user_id,
        role,
        {role: role, has: has, "partial": "partial", missing: missing, coverage_share: round(coverage_share::double, 4), estimated_hours: estimated_hours, verdict: verdict} as gap
    from skill_gaps
)
group by user_id
order by id
