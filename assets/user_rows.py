"""Rows of some users in a table by user, read once: the steps of a run ask for those of the same users.

The rows are kept in the process, and only for the table as it was when they were read: whoever writes to it makes them
void. Rows come in the order of the table's key, whichever step read them first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import polars as pl

from assets.increments import Mark, mark_of
from assets.lake import Lake
from features.schemas.table import Table

MOST_USERS = 60_000  # so that memory is bounded: more are read by those who need them


@dataclass(frozen=True)
class _Kept:
    """The rows of some users of a table, as it was at `mark`."""

    mark: Mark
    users: pl.Series
    rows: pl.DataFrame


_KEPT: dict[tuple[Path, str], _Kept] = {}
_READING: dict[tuple[Path, str], Lock] = {}
_CHANGING = Lock()


def rows_of(lake: Lake, stage: str, table: Table, users: pl.Series) -> pl.DataFrame:
    """The rows of these distinct users, in the order of the key. Two steps that ask at once read them once."""
    place = lake.root, f"{stage}/{table.name}"
    with _CHANGING:
        reading = _READING.setdefault(place, Lock())
    with reading:
        mark = mark_of(lake, stage, table.name)
        kept = _KEPT.get(place)
        if kept is None or kept.mark != mark:
            kept = _Kept(mark, users.clear(), table.empty())
        missing = users.filter(~users.is_in(kept.users.implode())).sort()
        if len(kept.users) + len(missing) > MOST_USERS:
            return _read(lake, stage, table, users.sort())
        if len(missing):
            rows = _read(lake, stage, table, missing)
            if len(kept.rows):  # of other users: to merge by the first column of the key is to sort by the key
                rows = kept.rows.merge_sorted(rows, key="user_id")
            kept = _Kept(mark, pl.concat([kept.users, missing]), rows)
        _KEPT[place] = kept
    if len(kept.users) == len(users):
        return kept.rows
    return kept.rows.filter(pl.col("user_id").is_in(users.implode()))


def scan_rows_of(lake: Lake, stage: str, table: Table, users: pl.Series) -> pl.LazyFrame:
    """The same rows for a query that needs few of the columns: those of too many users to keep are read by it."""
    if len(users) > MOST_USERS:
        return rows_of_users(users.sort(), lake.scan(stage, table))
    return rows_of(lake, stage, table, users).lazy()


def keep_rows(lake: Lake, stage: str, table: Table, users: pl.Series, rows: pl.DataFrame) -> None:
    """Keeps the rows of `users`, all that the table has of them now, for those who ask next."""
    place = lake.root, f"{stage}/{table.name}"
    if len(users) <= MOST_USERS:
        _KEPT[place] = _Kept(mark_of(lake, stage, table.name), users, rows.sort(table.key))


def blocks_of_users(users: pl.Series, *, at_once: int) -> Iterator[pl.Series]:
    """The users, sorted and each once, so many at a time; one empty block if there are none."""
    ordered = users.unique().sort()
    for first in range(0, max(len(ordered), 1), at_once):
        yield ordered.slice(first, at_once)


def rows_of_users(user_ids: pl.Series, table: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of these users (sorted); the range of ids lets Parquet skip whole row groups."""
    if user_ids.is_empty():
        return table.filter(pl.lit(False))
    user = pl.col("user_id")
    return table.filter(user.is_between(pl.lit(user_ids[0]), pl.lit(user_ids[-1])), user.is_in(user_ids.implode()))


def _read(lake: Lake, stage: str, table: Table, users: pl.Series) -> pl.DataFrame:
    return rows_of_users(users, lake.scan(stage, table)).collect().sort(table.key)
