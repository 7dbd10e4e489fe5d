"""A process that ends at any change of a file: tables hold the old rows or the new ones, and the same call goes on.

The end is a disk that takes no change any more from there on, so that no clean-up runs either.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from assets.increments import LayeredTable
from assets.lake import Lake
from features.schemas.table import Column, Table
from tests.disk_faults import DiskFault, install

USERS = Table(
    "users", "Users; one row per user", {"user_id": Column(pl.String, "User"), "n": Column(pl.Int64, "Number")},
    key=("user_id",),
)  # fmt: skip
Rows = dict[str, int]


def frame(rows: Rows) -> pl.DataFrame:
    return USERS.conform(pl.DataFrame({"user_id": list(rows), "n": list(rows.values())}))


def stored(lake: Lake) -> Rows:
    return dict(lake.scan("catalog", USERS).collect().sort("user_id").iter_rows())


def layered(lake: Lake) -> LayeredTable:
    return LayeredTable(lake, "catalog", USERS, by=USERS.key)


def replace(lake: Lake) -> None:
    layered(lake).replace(frame({"a": 10, "c": 30}), {"n": 2})


def add(lake: Lake) -> None:
    """As assets do: a whole new table unless it is known what the stored one was made of."""
    table = layered(lake)
    if table.made_of == {"n": 2}:
        return
    if table.made_of is None:
        table.replace(frame({"a": 1, "c": 3}), {"n": 2})
    else:
        table.add(frame({"c": 3}), frame({"b": 2}), {"n": 2}, n_rows_before=1)


def merge(lake: Lake) -> None:
    layered(lake).merge_layers()


def append(lake: Lake) -> None:
    lake.append_new("catalog", USERS, frame({"a": 1, "d": 4}), within=["user_id"])


def compact(lake: Lake) -> None:
    lake.compact("catalog", USERS, more_than=1)


def as_layers(lake: Lake) -> None:
    layered(lake).replace(frame({"a": 0, "b": 2}), {"n": 0})
    layered(lake).add(frame({"a": 1}), USERS.empty(), {"n": 1}, n_rows_before=1)


def as_parts(lake: Lake) -> None:
    lake.append("catalog", USERS, frame({"a": 1}))
    lake.append("catalog", USERS, frame({"b": 2}))


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (as_layers, replace, {"a": 10, "c": 30}),
        (as_layers, add, {"a": 1, "c": 3}),
        (as_layers, merge, {"a": 1, "b": 2}),
        (as_parts, append, {"a": 1, "b": 2, "d": 4}),
        (as_parts, compact, {"a": 1, "b": 2}),
    ],
)
def test_an_end_at_any_change_leaves_old_or_new_rows_and_the_next_call_the_new_ones(
    before: Callable[[Lake], None], change: Callable[[Lake], None], after: Rows, tmp_path: Path
) -> None:
    folder = tmp_path / "lake"
    at = 0
    while True:
        at += 1
        shutil.rmtree(folder, ignore_errors=True)
        lake = Lake(folder)
        before(lake)
        old = stored(lake)
        fault = DiskFault(folder, "EIO", at, lasts=True)
        uninstall = install(fault)
        try:
            change(lake)
        except OSError:
            pass
        finally:
            uninstall()
        found = stored(lake)
        assert found in (old, after), at
        change(lake)
        assert stored(lake) == after, at
        if fault.n_changes < at:
            break
    assert at > 3, "the fault met no change"


@pytest.mark.parametrize("what", ["ENOSPC", "EROFS", "EACCES"])
def test_an_error_of_the_disk_names_the_file_and_leaves_nothing_behind(what: str, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    as_layers(lake)
    files = sorted(path for path in lake.root.rglob("*") if path.is_file())
    uninstall = install(DiskFault(lake.root, what, at=2))
    try:
        with pytest.raises(OSError, match=str(lake.root)):
            replace(lake)
    finally:
        uninstall()
    assert sorted(path for path in lake.root.rglob("*") if path.is_file()) == files
    assert stored(lake) == {"a": 1, "b": 2}
