from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.publishing.lookup import blocks
from assets.publishing.lookup.blocks import key_blocks, rows_in_batches


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 9), max_size=12), limit=st.integers(1, 400), batch=st.integers(1, 7))
def test_blocks_hold_every_row_once_and_no_user_twice(
    tmp_path: Path, lengths: list[int], limit: int, batch: int
) -> None:
    users = [f"u{n:02d}" for n, length in enumerate(lengths) for _ in range(length)]
    frame = pl.DataFrame({"user_id": users, "n": range(len(users))}, schema={"user_id": pl.String, "n": pl.Int64})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=5)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "_BLOCK_BYTES", limit)
        patched.setattr(blocks, "_KEY_BATCH_ROWS", batch)
        made = [pl.DataFrame(block) for block in key_blocks(tmp_path / "rows.parquet", "user_id")]

    assert [row for block in made for row in block.rows()] == frame.rows()
    seen = [user for block in made for user in block["user_id"].unique()]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("row_group_size", [1, 3, 4, 100])
def test_batches_do_not_depend_on_row_groups(tmp_path: Path, row_group_size: int) -> None:
    frame = pl.DataFrame({"a": range(10), "b": range(10)})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=row_group_size)
    made = [pl.DataFrame(rows)["a"].to_list() for rows in rows_in_batches([tmp_path / "rows.parquet"], ["a"], 4)]
    assert made == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
