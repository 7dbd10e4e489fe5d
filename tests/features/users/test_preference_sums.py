import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.users import preference_sums as value_sums

VALUES = pl.DataFrame(
    {
        "job_id": ["a", "a", "b", "b", "c", "c"],
        "group": [0, 1, 0, 1, 0, 1],
        "value": ["x", "red", "x", "blue", "y", "red"],
        "weight": [1.0, 2.0, 1.0, 3.0, 1.0, 2.0],
    },
    schema_overrides={"group": pl.UInt8},
)


def by_size(total, n, weight, group):
    return np.abs(total) / (np.abs(total) + 10.0)


def obvious(signals, values):
    """The same sums by a loop over pairs."""
    sums = {}
    for user, job, amount in signals.iter_rows():
        for value_job, group, value, _ in values.iter_rows():
            if job == value_job:
                total, n = sums.get((user, group, value), (0, 0))
                sums[user, group, value] = (total + amount, n + 1)
    return {key: found for key, found in sums.items() if found[0] != 0}


def found(signals, per_group=100):
    table = value_sums.strongest_values(signals, VALUES, strength=by_size, per_group=per_group)
    return {
        (row["user_id"], row["group"], row["value"]): (row["total"], row["n"]) for row in table.iter_rows(named=True)
    }


def signals(pairs):
    rows = [(user, job, amount) for (user, job), amount in pairs.items()]
    return pl.DataFrame(rows, schema={"user_id": pl.String, "job_id": pl.String, "amount": pl.Int64}, orient="row")


pairs = st.dictionaries(
    st.tuples(st.sampled_from("uvw"), st.sampled_from("abcz")), st.integers(-20, 20).filter(bool), max_size=12
)


@given(pairs)
def test_sums_agree_with_the_loop_over_pairs(made):
    assert found(signals(made)) == obvious(signals(made), VALUES)


@given(pairs)
def test_blocks_of_one_user_change_nothing(made):
    whole = value_sums.strongest_values(signals(made), VALUES, strength=by_size, per_group=2)
    before = value_sums.USERS_AT_ONCE
    try:
        value_sums.USERS_AT_ONCE = 1
        assert value_sums.strongest_values(signals(made), VALUES, strength=by_size, per_group=2).equals(whole)
    finally:
        value_sums.USERS_AT_ONCE = before


def test_the_strongest_of_each_group_stay_and_ties_go_by_value():
    made = {("u", "a"): 3, ("u", "b"): -7, ("u", "c"): 3}
    table = value_sums.strongest_values(signals(made), VALUES, strength=by_size, per_group=1)
    assert table.select("group", "value", "total", "n", "weight").rows() == [(0, "x", -4, 2, 1), (1, "blue", -7, 1, 3)]


def test_users_without_known_jobs_have_no_rows():
    assert found(signals({("u", "z"): 1})) == {}
