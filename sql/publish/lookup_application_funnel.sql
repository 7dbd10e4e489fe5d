-- Grain: user, and all users together (empty id). The look-up value: steps of the funnel as objects. Inputs:
--   application_funnel. Parameters: none.
select
    user_id as id,
    to_json(list(struct_pack(*columns(* exclude (user_id))) order by dimension, value, position))::varchar as value
from application_funnel
group by user_id
order by id
