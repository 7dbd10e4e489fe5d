-- Grain: user and date. The look-up value: the digest as an object; `other_id` names the user's newest one without its
-- date. Inputs: digests. Parameters: none.
select
    user_id || chr(10) || strftime(digest_date, '%Y-%m-%d') as id,
    to_json(digests)::varchar as value,
    case when digest_date = max(digest_date) over (partition by user_id) then user_id end as other_id
from digests
order by id
