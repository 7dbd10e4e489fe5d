-- Grain: user, rank. One row per item of a feed, with the reason texts in both languages and the component columns.
-- Inputs: feeds, reason_texts, display_names, jobs. Parameters: none (it is the body of a view).
with
items as (
    select user_id, generated_at, recipe, arm, source, unnest(items) as item
    from feeds
),
reasons as (
    select user_id, item.rank as rank, unnest(item.reasons) as reason, generate_subscripts(item.reasons, 1) as place
    from items
),
names as (
    select
        user_id,
        rank,
        place,
        case reason.code
            when 'skills' then 'skill'
            when 'role' then 'role'
            when 'tags' then 'tag'
            else 'place'
        end as kind,
        unnest(string_split(reason.ref, ', ')) as name,
        generate_subscripts(string_split(reason.ref, ', '), 1) as position
    from reasons
    where reason.code in ('skills', 'role', 'tags', 'same_city', 'popular_in_area')
),
shown_names as (
    select
        names.user_id,
        names.rank,
        names.place,
        string_agg(coalesce(en.text, names.name), ', ' order by names.position) as ref_en,
        string_agg(coalesce(ru.text, names.name), ', ' order by names.position) as ref_ru
    from names
    left join display_names as en on en.kind = names.kind and en.name = names.name and en.language = 'en'
    left join display_names as ru on ru.kind = names.kind and ru.name = names.name and ru.language = 'ru'
    group by names.user_id, names.rank, names.place
),
shown_reasons as (
    select
        reasons.user_id,
        reasons.rank,
        reasons.place,
        reasons.reason.code as code,
        coalesce(jobs.title, shown_names.ref_en, reasons.reason.ref, '') as ref_en,
        coalesce(jobs.title, shown_names.ref_ru, reasons.reason.ref, '') as ref_ru,
        reasons.reason.value as value
    from reasons
    left join shown_names
        on shown_names.user_id = reasons.user_id
        and shown_names.rank = reasons.rank
        and shown_names.place = reasons.place
    left join jobs
        on jobs.job_id = reasons.reason.ref
        and reasons.reason.code in ('similar_to_saved', 'similar_to_applied', 'similar_to_viewed', 'also_applied')
),
numbered as (
    select
        user_id,
        rank,
        place,
        code,
        ref_en,
        ref_ru,
        case
            when value is null then ''
            when abs(value) >= 10 or value = trunc(value) then format('{:.0f}', value)
            else format('{:.1f}', value)
        end as number,
        case when value is null then 'none' when value = 1 then 'one' else 'other' end as form_en,
        case
            when value is null then 'none'
            when value <> trunc(value) then 'other'
            when abs(value) % 10 = 1 and abs(value) % 100 <> 11 then 'one'
            when abs(value) % 10 in (2, 3, 4) and abs(value) % 100 not in (12, 13, 14) then 'few'
            else 'many'
        end as form_ru
    from shown_reasons
),
worded as (
    select
        numbered.user_id,
        numbered.rank,
        numbered.place,
        numbered.ref_en,
        numbered.ref_ru,
        replace(coalesce(en.text, numbered.code), '{value}', numbered.number) as text_en,
        replace(coalesce(ru.text, numbered.code), '{value}', replace(numbered.number, '.', ',')) as text_ru
    from numbered
    left join reason_texts as en
        on en.code = numbered.code and en.language = 'en' and en.number_form = numbered.form_en
    left join reason_texts as ru
        on ru.code = numbered.code and ru.language = 'ru' and ru.number_form = numbered.form_ru
),
texts as (
    select
        user_id,
        rank,
        -- The reference comes last, because it is untrusted text and may hold braces itself.
        list(rtrim(replace(text_en, '{ref}', ref_en), ' :') order by place) as reasons_en,
        list(rtrim(replace(text_ru, '{ref}', ref_ru), ' :') order by place) as reasons_ru
    from worded
    group by user_id, rank
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
    -- Rounded as in the service: from the six digits that the look-up keeps, halves to even.
    cast(round_even(100 * round(item.score::double, 6), 0) as integer) as match_percent,
    item.confidence as confidence,
    item.seen as seen,
    item.explored as explored,
    item.propensity as propensity,
    texts.reasons_en,
    texts.reasons_ru,
    unnest(item.components)
from items
left join texts on texts.user_id = items.user_id and texts.rank = item.rank
