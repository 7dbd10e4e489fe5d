"""What the stored feeds list, read field by field: who lists a job, and the least score of each list."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assets.ahead import in_order
from assets.increments import LayeredTable
from assets.lake import Lake
from assets.layers import IS_REMOVED, SEQUENCE
from features.schemas.ranking import FEEDS
from models.arrays import Longs

_STAGE = "ranking"
_FILES_AT_ONCE = 2
_ROWS_AT_ONCE = 1_024
_GROUPS_AHEAD = 4  # row groups differ in size: the small ones are read while a large one is
Made = TypeVar("Made")
Read = Callable[[pa.Table], pl.DataFrame]


def feeds_table(lake: Lake) -> LayeredTable:
    """The feeds: a file per shard, and layers of those that were ranked again or shortened since."""
    return LayeredTable(lake, _STAGE, FEEDS, by=FEEDS.key)


def of_layers(
    table: LayeredTable,
    make: Callable[[pa.Table], Made],
    columns: Sequence[str] | None = None,
    *,
    after: int = 0,
    users: pl.Series | None = None,
    n_ahead: int = _GROUPS_AHEAD,
) -> Iterator[Made]:
    """What `make` returns for the current feeds in layers later than `after`, for those of a row group at a time.

    Threads read row groups and call `make`, for at most `n_ahead` that were not used yet. `columns` are paths of
    Parquet columns, None for all. `users`: only their feeds.
    """
    newest = table.newest(after=after)
    if newest is None:
        return
    keys = newest.filter(~pl.col(IS_REMOVED)).select("user_id", SEQUENCE).collect()
    keys = keys if users is None else keys.filter(pl.col("user_id").is_in(users.implode()))
    groups = (group for path in table.layer_files for group in _groups_with(path, keys))
    yield from in_order(lambda group: make(group.read(columns)), groups, n_threads=_FILES_AT_ONCE, n_ahead=n_ahead)


def of_base(lake: Lake, make: Callable[[pa.Table], Made], users: pl.Series) -> Iterator[Made]:
    """What `make` returns for the feeds of these users below the layers; threads do it as in `of_layers`."""
    keys = pl.DataFrame({"user_id": users})
    groups = (group for path in lake.files(_STAGE, FEEDS.name) for group in _groups_with(path, keys) if len(users))
    yield from in_order(lambda group: make(group.read(None)), groups, n_threads=_FILES_AT_ONCE)


class _RowGroup(NamedTuple):
    """A row group of a file, and the places of the rows to read of it, ascending."""

    path: Path
    metadata: pq.FileMetaData
    number: int
    places: Longs

    def read(self, columns: Sequence[str] | None) -> pa.Table:
        """The rows. Of the others, some at a time are in memory: few feeds of many are wanted mostly."""
        first, found = 0, []
        with pq.ParquetFile(self.path, metadata=self.metadata) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, [self.number], columns, use_threads=False):
                begin, end = np.searchsorted(self.places, [first, first + len(batch)])
                if begin < end:
                    found.append(batch.take(pa.array(self.places[begin:end] - first)))
                first += len(batch)
        return pa.Table.from_batches(found)


def _groups_with(path: Path, keys: pl.DataFrame) -> Iterator[_RowGroup]:
    """The row groups of a file that have rows with these values of the columns of `keys`."""
    with pq.ParquetFile(path) as file:
        metadata, own = file.metadata, pl.DataFrame(file.read(columns=keys.columns))
    wanted = own.with_row_index("place").join(keys, on=keys.columns, how="semi")["place"].sort()
    ends = np.cumsum([metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)])
    places = wanted.to_numpy().astype(np.int64)
    for number, of_group in enumerate(np.split(places, np.searchsorted(places, ends[:-1]))):
        if len(of_group):
            yield _RowGroup(path, metadata, number, of_group - (ends[number - 1] if number else 0))


def who_lists(lake: Lake, job_ids: pl.Series, *, others: bool = False) -> pl.DataFrame:
    """user_id and job_id of the items of stored feeds that are in `job_ids`; `others`: of those that are not."""
    if job_ids.is_empty() and not others:
        return _NOBODY  # the usual case of a run without new jobs
    wanted = pa.array(job_ids.to_list(), pa.string())

    def read(feeds: pa.Table) -> pl.DataFrame:
        parts = []
        for batch in feeds.to_batches():
            items = batch.column("items")
            listed = pc.struct_field(items.flatten(), 0)
            is_wanted = pc.is_in(listed, wanted)
            hit = np.flatnonzero((pc.invert(is_wanted) if others else is_wanted).to_numpy(zero_copy_only=False))
            owner = pc.list_parent_indices(items).take(pa.array(hit))
            parts.append(pl.DataFrame({"user_id": batch.column("user_id").take(owner), "job_id": listed.take(hit)}))
        return pl.concat(parts) if parts else _NOBODY

    return pl.concat([_NOBODY, *read_feeds(lake, ["job_id"], read)]).sort("user_id", "job_id")


def least_scores(lake: Lake, *, full_items: float) -> pl.DataFrame:
    """user_id and floor of each stored feed, sorted: the least score that the recipe listed.

    It is -1 for lists of less than `full_items` items, which any job would be added to.
    """

    def read(feeds: pa.Table) -> pl.DataFrame:
        return pl.DataFrame(feeds).select("user_id", floor=_least_score(full_items))

    return pl.concat([_NO_FLOORS, *read_feeds(lake, ["score", "explored"], read)]).sort("user_id")


_NOBODY = pl.DataFrame(schema={"user_id": pl.String, "job_id": pl.String})
_NO_FLOORS = pl.DataFrame(schema={"user_id": pl.String, "floor": pl.Float32})


def _least_score(full_items: float) -> pl.Expr:
    item = pl.element()
    by_recipe = pl.when(~item.struct.field("explored")).then(item.struct.field("score"))
    least = pl.col("items").list.eval(by_recipe).list.min()
    return pl.when(pl.col("items").list.len() >= full_items).then(least).fill_null(-1).cast(pl.Float32)


def read_feeds(lake: Lake, fields: Sequence[str], read: Read) -> Iterator[pl.DataFrame]:
    """What `read` makes of the current feeds in each file: tables of user_id and items with only these fields.

    Each file is read by a thread, and the fields that are left out are not: they are most of a feed.
    """
    table = feeds_table(lake)
    newest = table.newest()
    no_keys = pl.DataFrame(schema={"user_id": pl.String, SEQUENCE: pl.Int64, IS_REMOVED: pl.Boolean})
    keys = newest.select(no_keys.columns).collect() if newest is not None else no_keys
    above, current_keys = keys["user_id"].implode(), keys.filter(~pl.col(IS_REMOVED))
    columns = ["user_id", *(f"items.list.element.{name}" for name in fields)]

    def of_base(path: Path) -> pl.DataFrame:
        with pq.ParquetFile(path) as file:
            feeds = file.read(columns=columns)
        is_above = pl.Series(feeds["user_id"]).is_in(above)
        return read(feeds.filter((~is_above).to_arrow()) if is_above.any() else feeds)

    def of_layer(path: Path) -> pl.DataFrame:
        with pq.ParquetFile(path) as file:
            feeds = file.read(columns=[*columns, SEQUENCE])
        own = pl.DataFrame(feeds.select(["user_id", SEQUENCE]))
        current = own.join(current_keys, on=["user_id", SEQUENCE], how="left", maintain_order="left")[IS_REMOVED]
        return read(feeds.filter(current.is_not_null().to_arrow()).drop_columns(SEQUENCE))

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        yield from _read_by(pool, of_base, lake.files(_STAGE, FEEDS.name))
        yield from _read_by(pool, of_layer, table.layer_files)


def _read_by(
    pool: ThreadPoolExecutor, read: Callable[[Path], pl.DataFrame], files: Sequence[Path]
) -> Iterator[pl.DataFrame]:
    """What `read` makes of the files, in order. A slow consumer finds a few in advance, not all."""
    reading: deque[Future[pl.DataFrame]] = deque()
    for path in files:
        reading.append(pool.submit(read, path))
        if len(reading) > _FILES_AT_ONCE:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()
