-- Grain: user. The look-up value: the component values of the first items in the order of the contract's COMPONENTS,
-- [[value, ...], ...] by rank, null where unknown. Inputs: feeds. Parameters: none.
select
    user_id as id,
    to_json(list_transform(
        list_filter(items, lambda item: item.components is not null),
        lambda item: list_transform(
            [
                item.components.location, item.components.tags, item.components.engagement, item.components.recency,
                item.components.poster_quality, item.components.collaborative, item.components.content,
                item.components.skills, item.components.experience, item.components.salary,
                item.components.location_match, item.components.culture, item.components.growth,
                item.components.neighbours, item.components.also_applied, item.components.affinity,
                item.components.trending
            ],
            lambda value: round(value::double, 4)
        )
    ))::varchar as value
from feeds
order by id
