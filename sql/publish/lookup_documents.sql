-- Grain: document. Whole small tables as one look-up value each. Inputs: market_trends, skill_demand, metrics,
-- reason_templates, recipes, display_names, company_profiles. Parameters: none.
with
trends as (
    select area, to_json(list(t order by dimension, week desc, n_jobs desc, value)) as listed
    from (
        select * from market_trends
        where week >= (select max(week) from market_trends) - interval 4 weeks
        qualify row_number() over (partition by area, dimension, week order by n_jobs desc, value) <= 50
    ) as t
    group by area
),
demand as (
    select area, to_json(list(d order by n_jobs desc, skill)) as listed
    from (
        select * from skill_demand
        qualify row_number() over (partition by area order by n_jobs desc, skill) <= 200
    ) as d
    group by area
),
markets as (
    select
        coalesce(trends.area, demand.area) as area,
        json_object('market_trends', trends.listed, 'skill_demand', demand.listed)::varchar as value
    from trends
    full join demand on trends.area = demand.area
),
names as (
    select language, kind, to_json(map(list(name order by name), list(text order by name))) as named
    from display_names
    group by language, kind
)
select 'market-' || area as id, value from markets
union all
select
    'companies' as id,
    coalesce((
        select to_json(list({'company_id': company_id, 'company': company, 'n_open_jobs': n_open_jobs}
            order by n_open_jobs desc, company_id))::varchar
        from (select * from company_profiles order by n_open_jobs desc, company_id limit 1000)
    ), '[]') as value
union all
select 'metrics' as id, coalesce((select to_json(list(m order by metric, recipe, arm, surface))::varchar from metrics as m), '[]') as value
union all
select 'reasons' as id, coalesce((select to_json(list(r order by code, language))::varchar from reason_templates as r), '[]') as value
union all
select 'recipes' as id, coalesce((select to_json(list(r order by recipe, component))::varchar from recipes as r), '[]') as value
union all
select 'names-' || language as id, to_json(map(list(kind order by kind), list(named order by kind)))::varchar as value
from names
group by language
order by id
