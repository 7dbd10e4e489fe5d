-- Grain: user, and user and date. The look-up value: the digest as an object. Inputs: digests. Parameters: none.
with
digest_values as (
    select user_id, digest_date, to_json(digests)::varchar as value
    from digests
),
by_date as (
    select user_id || chr(10) || strftime(digest_date, '%Y-%m-%d') as id, value
    from digest_values
),
newest as (
    select user_id as id, arg_max(value, digest_date) as value
    from digest_values
    group by user_id
)
select id, value from by_date
union all
select id, value from newest
order by id
