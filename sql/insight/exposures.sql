-- Grain: user_id, job_id, surface. What the feeds of one generation said of jobs that were shown to their users.
-- Inputs: impressions (query insight/impressions, of this generation), feeds (of the generation).
-- Parameters: none.
-- Users without a feed of their own, who got a fallback feed, are left out.
-- Drawn jobs stand in explored ranks in random order, also those of twenty ranks among each other. Of all ranks together
-- there would be so many that hardly any slot shows the one that a recipe would have chosen.
with readers as (
    select distinct user_id from impressions
),
found as (
    select feeds.user_id, feeds.recipe, feeds.arm, feeds.items
    from feeds
    semi join readers on feeds.user_id = readers.user_id
),
listed as (
    select user_id, unnest(items) as item from found
),
drawn_jobs as (
    select
        user_id,
        (item.rank - 1) // 20 as stretch,
        list(
            struct_pack(job_id := item.job_id, propensity := item.propensity, components := item.components)
            order by item.rank
        ) as drawn
    from listed
    where item.explored and item.components is not null
    group by user_id, stretch
)
select
    impressions.user_id,
    impressions.job_id,
    impressions.surface,
    impressions.generation,
    impressions.shown_at,
    impressions.position,
    found.recipe,
    found.arm,
    listed.item.rank as rank,
    listed.item.score as score,
    listed.item.explored as explored,
    listed.item.propensity as propensity,
    case when listed.item.explored and listed.item.components is not null then drawn_jobs.drawn end as drawn
from impressions
inner join found on impressions.user_id = found.user_id
left join listed on impressions.user_id = listed.user_id and impressions.job_id = listed.item.job_id
left join drawn_jobs
    on impressions.user_id = drawn_jobs.user_id and drawn_jobs.stretch = (listed.item.rank - 1) // 20
order by impressions.user_id, impressions.job_id, impressions.surface
