-- Grain: segment. The look-up value of one fallback feed: a JSON array, see serving/contract.py.
-- Inputs: fallback_feeds. Parameters: as_of (text).
select
    segment as id,
    json_array(
        $as_of,
        'fallback',
        'default',
        case when segment = 'all' then 'global' else 'segment' end,
        list_transform(items, lambda item: json_array(
            item.job_id,
            round(item.score::double, 6),
            round(item.confidence::double, 4),
            0,
            round(item.propensity::double, 6),
            list_transform(item.reasons, lambda reason: json_array(reason.code, reason.ref, round(reason.value::double, 3)))
        ))
    )::varchar as value
from fallback_feeds
order by id
