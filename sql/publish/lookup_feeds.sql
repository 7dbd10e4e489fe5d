-- Grain: user. The look-up value of one feed: a JSON array, see serving/contract.py.
-- Inputs: feeds. Parameters: none.
select
    user_id as id,
    json_array(
        strftime(generated_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ'),
        recipe,
        arm,
        source,
        list_transform(items, lambda item: json_array(
            item.job_id,
            round(item.score::double, 6),
            round(item.confidence::double, 4),
            item.seen::integer + 2 * item.explored::integer,
            round(item.propensity::double, 6),
            list_transform(item.reasons, lambda reason: json_array(reason.code, reason.ref, round(reason.value::double, 3)))
        ))
    )::varchar as value
from feeds
order by id
