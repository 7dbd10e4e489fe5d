-- Grain: user, rank. One row per item of a feed, with the reason texts in both languages and the component columns.
-- Inputs: feeds, reason_templates, jobs. Parameters: none (it is the body of a view).
with
items as (
    select user_id, generated_at, recipe, arm, source, unnest(items) as item
    from feeds
),
reasons as (
    select user_id, item.rank as rank, unnest(item.reasons) as reason, generate_subscripts(item.reasons, 1) as place
    from items
),
shown_reasons as (
    select
        reasons.user_id,
        reasons.rank,
        reasons.place,
        reasons.reason.code as code,
        coalesce(jobs.title, reasons.reason.ref, '') as ref,
        format('{:.4g}', coalesce(reasons.reason.value, 0)) as value
    from reasons
    left join jobs
        on jobs.job_id = reasons.reason.ref
        and reasons.reason.code in ('similar_to_saved', 'similar_to_applied', 'similar_to_viewed', 'also_applied')
),
texts as (
    select
        shown.user_id,
        shown.rank,
        list(replace(replace(en.template, '{value}', shown.value), '{ref}', shown.ref) order by place) as reasons_en,
        list(replace(replace(ru.template, '{value}', shown.value), '{ref}', shown.ref) order by place) as reasons_ru
    from shown_reasons as shown
    left join reason_templates as en on en.code = shown.code and en.language = 'en'
    left join reason_templates as ru on ru.code = shown.code and ru.language = 'ru'
    group by all
)
select
    items.user_id,
    items.generated_at,
    items.recipe,
    items.arm,
    items.source,
    item.rank as rank,
    item.job_id as job_id,
    item.score as score,
    cast(round(100 * item.score) as integer) as match_percent,
    item.confidence as confidence,
    item.seen as seen,
    item.explored as explored,
    item.propensity as propensity,
    texts.reasons_en,
    texts.reasons_ru,
    unnest(item.components)
from items
left join texts on texts.user_id = items.user_id and texts.rank = item.rank
