-- Grain: user_id, rank (1 to $n_items). The plain alternative to ranking: every job scored for every user, then sorted.
-- Inputs: users (user_id, latitude, longitude, max_distance_km, interest_tags), jobs (job_id, latitude, longitude, tags,
-- engagement, recency, poster_quality), ended (user_id, job_id: what must not be shown).
-- Parameters: $n_items. Five of the seven components of the marketplace recipe; the two of the models are left out.
with scored as (
    select
        users.user_id,
        jobs.job_id,
        0.25 * coalesce(
            exp(
                -3 / users.max_distance_km * 2 * 6371 * asin(
                    sqrt(
                        pow(sin(radians(jobs.latitude - users.latitude) / 2), 2)
                        + cos(radians(users.latitude)) * cos(radians(jobs.latitude))
                        * pow(sin(radians(jobs.longitude - users.longitude) / 2), 2)
                    )
                )
            ),
            0.5
        )
        + 0.20 * coalesce(
            len(list_intersect(users.interest_tags, jobs.tags))
            / nullif(len(list_distinct(list_concat(users.interest_tags, jobs.tags))), 0),
            0.5
        )
        + 0.15 * coalesce(jobs.engagement, 0.5)
        + 0.10 * coalesce(jobs.recency, 0.5)
        + 0.10 * coalesce(jobs.poster_quality, 0.5) as score
    from users
    cross join jobs
    left join ended on ended.user_id = users.user_id and ended.job_id = jobs.job_id
    where ended.job_id is null
),
ranked as (
    select
        user_id,
        job_id,
        score,
        row_number() over (partition by user_id order by score desc, job_id) as rank
    from scored
)
select user_id, rank, job_id, score
from ranked
where rank <= $n_items
order by user_id, rank
