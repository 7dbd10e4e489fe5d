import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from assets.publishing.tables import is_in_order


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 2)), max_size=5))
def test_keys_in_order_are_sorted_and_distinct(keys: list[tuple[str | None, int]]) -> None:
    frame = pl.DataFrame(keys, schema={"user_id": pl.String, "n": pl.Int64}, orient="row")
    is_sorted = all(user is not None for user, _ in keys) and keys == sorted(set(keys))
    assert is_in_order(frame) == is_sorted
