import datetime as dt
from dataclasses import replace
from pathlib import Path
from random import Random

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.lake import Lake, atomic_path, content_hash
from features.schemas.table import Column, SchemaError, Table

NUMBERS = Table(
    "numbers",
    "Numbers; one row each",
    {"n": Column(pl.Int64, "Number"), "name": Column(pl.String, "Name")},
    key=("n",),
    personal=frozenset({"name"}),
)


def frame(*numbers: int) -> pl.DataFrame:
    return NUMBERS.conform(pl.DataFrame({"n": list(numbers), "name": [f"name {n}" for n in numbers]}))


def test_a_table_that_nothing_was_written_to_reads_as_an_empty_one(tmp_path: Path) -> None:
    assert Lake(tmp_path).scan("bronze", NUMBERS).collect().equals(NUMBERS.empty())


def test_a_replaced_table_reads_back(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("catalog", NUMBERS, frame(1, 2))
    lake.replace("catalog", NUMBERS, frame(3).lazy())
    assert lake.scan("catalog", NUMBERS).collect().equals(frame(3))


@pytest.mark.parametrize("name", ["a[1]", "{a,b}", "a*", "a?b", "[", "a]b[!c]"])
def test_signs_of_patterns_in_the_path_of_the_lake_are_no_patterns(tmp_path: Path, name: str) -> None:
    for twin in ("a1", "a", "b", "ab", "axb"):  # what the pattern would find
        Lake(tmp_path / twin).append("catalog", NUMBERS, frame(9))
    lake = Lake(tmp_path / name)
    for n in (1, 2):
        lake.append("catalog", NUMBERS, frame(n), partition="date=2026-03-01")
    lake.append_new("catalog", NUMBERS, frame(2, 3), within=["n"])
    assert lake.scan("catalog", NUMBERS).sort("n").collect().equals(frame(1, 2, 3))
    assert lake.compact("catalog", NUMBERS, more_than=1, partition="date=2026-03-01") == 1
    lake.replace("catalog", NUMBERS, frame(4))
    assert lake.scan("catalog", NUMBERS).collect().equals(frame(4))


def test_large_parts_are_left_alone_when_small_ones_are_merged(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    large = lake.append("bronze", NUMBERS, frame(*range(100, 110)))
    for n in range(4):
        lake.append("bronze", NUMBERS, frame(n))
    assert lake.compact("bronze", NUMBERS, more_than=4, most_rows=10) == 5
    assert lake.compact("bronze", NUMBERS, more_than=3, most_rows=10) == 2
    assert large in lake.files("bronze", NUMBERS.name)
    assert sorted(lake.scan("bronze", NUMBERS).collect()["n"]) == [*range(4), *range(100, 110)]
    # What was merged is one small part now.
    assert lake.compact("bronze", NUMBERS, more_than=1, most_rows=10) == 2


def test_what_is_merged_at_once_is_bounded(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for n in range(0, 60, 3):
        lake.append("bronze", NUMBERS, frame(n, n + 1, n + 2))
    assert lake.compact("bronze", NUMBERS, more_than=5, most_rows=10) == 5
    parts = lake.files("bronze", NUMBERS.name)
    assert [pl.read_parquet(part).height for part in parts] == [12] * 5
    assert sorted(lake.scan("bronze", NUMBERS).collect()["n"]) == list(range(60))


def test_the_same_rows_appended_again_change_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    first = lake.append("bronze", NUMBERS, frame(1, 2), partition="date=2026-03-01")
    again = lake.append("bronze", NUMBERS, frame(1, 2), partition="date=2026-03-01")
    lake.append("bronze", NUMBERS, frame(3))
    assert first == again
    assert sorted(lake.scan("bronze", NUMBERS).collect()["n"].to_list()) == [1, 2, 3]
    assert lake.append("bronze", NUMBERS, frame()) is None


def test_the_row_groups_of_streamed_files_do_not_depend_on_how_the_threads_get_on(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("catalog", NUMBERS, pl.LazyFrame({"n": range(100_000)}).with_columns(name=pl.lit("same")).sort("n"))
    with pq.ParquetFile(lake.file("catalog", NUMBERS.name)) as file:
        sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sizes == [32_768, 32_768, 32_768, 1_696]


def test_a_failed_write_leaves_the_old_file_and_no_leftover(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_partitions_are_replaced_one_by_one_and_dropped_when_not_kept(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for shard in ("shard=0000", "shard=0001", "shard=0002"):
        lake.replace_partition("ranking", NUMBERS, shard, frame(1))
    lake.replace_partition("ranking", NUMBERS, "shard=0001", frame(2))
    lake.drop_partitions_except("ranking", NUMBERS, ["shard=0000", "shard=0001"])
    assert lake.scan("ranking", NUMBERS).collect()["n"].to_list() == [1, 2]


def test_a_frame_of_another_shape_is_refused_with_the_difference(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"n.*Int32.*Int64"):
        Lake(tmp_path).replace("catalog", NUMBERS, frame(1).cast({"n": pl.Int32}))
    with pytest.raises(SchemaError, match=r"unknown columns \['nn'\]"):
        NUMBERS.conform(pl.DataFrame({"nn": [1]}))


def test_equal_rows_have_equal_hashes_and_other_rows_others() -> None:
    assert content_hash(frame(1, 2)) == content_hash(frame(1, 2).head(5))
    assert content_hash(frame(1, 2)) != content_hash(frame(2, 1))
    assert content_hash(frame(1)) != content_hash(frame(1).rename({"n": "m"}))


@given(st.lists(st.tuples(st.integers(0, 50) | st.none(), st.text(max_size=30) | st.none()), max_size=30), st.randoms())
def test_the_hash_of_rows_does_not_depend_on_how_they_came_about(
    rows: list[tuple[int | None, str | None]], random: Random
) -> None:
    shuffled = random.sample(rows, len(rows))
    schema = {"n": pl.Int64, "name": pl.String}
    direct, sorted_later = (
        pl.DataFrame(given, schema=schema, orient="row").sort("n", "name") for given in (rows, shuffled)
    )
    pieces = pl.concat([direct.slice(start, 1) for start in range(direct.height)] or [direct], rechunk=False)
    lists = [frame.with_columns(l=pl.concat_list("name", "name")) for frame in (direct, sorted_later, pieces)]
    assert len({content_hash(frame) for frame in (direct, sorted_later, pieces)}) == 1
    assert len({content_hash(frame) for frame in lists}) == 1


def test_leftovers_of_killed_runs_are_removed_and_never_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("bronze", NUMBERS, frame(1))
    leftover = tmp_path / "bronze" / "numbers" / ".tmp-x-part.parquet"
    leftover.write_bytes(b"half")
    assert lake.scan("bronze", NUMBERS).collect().height == 1
    written_at = dt.datetime.fromtimestamp(leftover.stat().st_mtime, dt.UTC)
    assert lake.remove_leftovers(before=written_at - dt.timedelta(seconds=1)) == []
    assert lake.remove_leftovers(before=written_at + dt.timedelta(seconds=1)) == [leftover]
    assert not leftover.exists()


def test_a_table_without_a_column_of_its_key_says_which_run_writes_it_anew(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("features", NUMBERS, frame(1))
    described = {**NUMBERS.described, "period": Column(pl.String, "Period")}
    grown = replace(NUMBERS, described=described, key=("period", "n"))
    with pytest.raises(SchemaError, match=r"features/numbers has no column period.*jobfeed run daily"):
        lake.scan("features", grown)


def test_only_the_owner_may_read_the_files_of_the_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("bronze", NUMBERS, frame(1), partition="date=2026-03-01")
    lake.append("bronze", NUMBERS, frame(2), partition="date=2026-03-01")
    lake.compact("bronze", NUMBERS, more_than=1, partition="date=2026-03-01")
    lake.replace("catalog", NUMBERS, frame(1))
    lake.replace_partition("ranking", NUMBERS, "shard=0000", frame(1))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert len(files) >= 5
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
