import datetime as dt
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.lake import Lake, write_part
from assets.parts import current_parts, remove_replaced, unseen
from features.schemas.table import Column, Table

NUMBERS = Table("numbers", "Numbers; one row each", {"n": Column(pl.Int64, "Number")}, key=("n",))
DAY = "date=2026-03-01"
LATER = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)


class KilledError(BaseException):
    """In place of SIGKILL: no `except Exception` catches it."""


@contextmanager
def killed_at(step: int) -> Iterator[None]:
    """The process dies instead of the call number `step` that changes a file; later calls, of `finally`, do nothing."""
    calls = itertools.count()

    def guard(change: object, *, dies: bool) -> object:
        def call(*args: object, **options: object) -> object:
            if next(calls) >= step:
                if dies:
                    raise KilledError
                return None
            return change(*args, **options)  # type: ignore[operator]

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", guard(Path.replace, dies=True))
        patch.setattr(Path, "unlink", guard(Path.unlink, dies=False))
        patch.setattr(os, "fsync", guard(os.fsync, dies=True))
        yield


def rows(*numbers: int) -> pl.DataFrame:
    return NUMBERS.conform(pl.DataFrame({"n": list(numbers)}))


def stored(lake: Lake) -> list[int]:
    return sorted(lake.scan("bronze", NUMBERS).collect()["n"].to_list())


def compact(lake: Lake, keep: int | None = None) -> int:
    def kept(found: pl.LazyFrame) -> pl.LazyFrame:
        return found if keep is None else found.filter(pl.col("n") != keep)

    return lake.compact("bronze", NUMBERS, more_than=1, partition=DAY, keep=kept)


@pytest.mark.parametrize("step", range(12))
def test_a_compaction_that_is_killed_at_any_step_counts_every_row_once(tmp_path: Path, step: int) -> None:
    lake = Lake(tmp_path)
    for n in range(4):
        lake.append("bronze", NUMBERS, rows(n, 10 + n), partition=DAY)
    compact(lake)
    for n in range(4, 7):
        lake.append("bronze", NUMBERS, rows(n), partition=DAY)
    wanted = stored(lake)
    try:
        with killed_at(step):
            compact(lake)
    except KilledError:
        assert stored(lake) == wanted
    assert compact(lake) == 1
    assert stored(lake) == wanted
    lake.remove_leftovers(before=LATER)
    assert stored(lake) == wanted
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


@given(st.lists(st.sampled_from(["append", "compact", "drop", "remove", "kill"]), max_size=14))
def test_any_order_of_appending_compacting_and_removing_keeps_exactly_the_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    lake, wanted = Lake(tmp_path_factory.mktemp("lake")), set[int]()
    for n, step in enumerate(steps):
        if step == "append":
            lake.append("bronze", NUMBERS, rows(n, 100 + n), partition=DAY)
            wanted |= {n, 100 + n}
        elif step == "remove":
            lake.remove_leftovers(before=LATER)
        elif step == "kill":
            with pytest.raises(KilledError), killed_at(n % 5):
                compact(lake)
                raise KilledError
        else:
            dropped = min(wanted, default=None) if step == "drop" else None
            if len(lake.files("bronze", NUMBERS.name)) > 1:
                wanted -= {dropped} if dropped is not None else set()
            compact(lake, keep=dropped)
        assert stored(lake) == sorted(wanted)


def test_a_run_that_has_listed_the_parts_can_read_them_after_a_compaction(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for n in range(3):
        lake.append("bronze", NUMBERS, rows(n), partition=DAY)
    listed = lake.scan("bronze", NUMBERS)
    compact(lake)
    lake.remove_leftovers(before=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
    assert sorted(listed.collect()["n"].to_list()) == stored(lake) == [0, 1, 2]


def test_a_part_that_was_merged_and_comes_again_is_read_after_its_old_file_is_gone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for n in range(3):
        lake.append("bronze", NUMBERS, rows(n), partition=DAY)
    compact(lake, keep=1)
    lake.remove_leftovers(before=LATER)
    lake.append("bronze", NUMBERS, rows(1), partition=DAY)
    assert stored(lake) == [0, 1, 2]


def test_a_list_of_a_part_that_never_came_hides_nothing(tmp_path: Path) -> None:
    part = write_part(tmp_path, rows(1))
    (tmp_path / "merged-00.json").write_text(json.dumps([part.name]))
    assert current_parts(tmp_path) == [part]


def test_a_file_that_another_run_is_writing_is_not_dropped_with_the_partitions(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace_partition("ranking", NUMBERS, "shard=0000", rows(1))
    writing = lake.folder("ranking", NUMBERS.name) / ".tmp-1-shard=0001.parquet"
    writing.write_bytes(b"half")
    lake.drop_partitions_except("ranking", NUMBERS, ["shard=0000"])
    assert writing.exists()


@given(
    before=st.lists(st.sampled_from(["append", "merge", "clean"]), max_size=6),
    after=st.lists(st.sampled_from(["append", "merge", "clean"]), max_size=6),
)
def test_what_came_since_lies_in_the_unseen_parts(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], after: list[str]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    numbers = itertools.count()

    def do(step: str) -> None:
        if step == "append":
            lake.append("bronze", NUMBERS, rows(next(numbers)), partition=DAY)
        elif step == "merge":
            lake.compact("bronze", NUMBERS, more_than=1, partition=DAY)
        else:
            remove_replaced(lake.root, before=LATER)

    for step in before:
        do(step)
    n_known, known = next(numbers), [path.name for path in lake.files("bronze", NUMBERS.name)]
    for step in after:
        do(step)
    found = unseen(lake.files("bronze", NUMBERS.name), known)
    if found is None:
        assert "merge" in after and "clean" in after
        return
    held = {n for path in found for n in pl.read_parquet(path)["n"]}
    assert held >= set(range(n_known + 1, next(numbers)))
    if "append" not in after or "merge" not in after:
        assert not any(n < n_known for n in held)


def test_parts_that_are_gone_leave_it_unknown(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    part = lake.append("bronze", NUMBERS, rows(1))
    assert part is not None
    assert unseen([], [part.name]) is None
    assert unseen([part], [part.name]) == []
    assert unseen([part], []) == [part]
