-- Grain: company. The look-up value: its profile with every column. Inputs: company_profiles. Parameters: none.
with
texts as (
    select * replace (
        strftime(as_of at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') as as_of,
        list_transform(
            facts,
            lambda fact: struct_update(
                fact, observed_at := strftime(fact.observed_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ')
            )
        ) as facts,
        list_transform(
            news,
            lambda entry: struct_update(
                entry, published_at := strftime(entry.published_at at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ')
            )
        ) as news
    )
    from company_profiles
)
select company_id as id, to_json(texts)::varchar as value
from texts
order by id
