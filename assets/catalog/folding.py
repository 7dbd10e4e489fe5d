"""Updates catalog/interactions: sums the counted days by SQL, for all users or for those whose days changed.

The table remembers for each day which parts of events were counted. By that a run knows whose rows may differ.
"""

import datetime as dt
import glob
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.catalog.counting import (
    COUNTING_VERSION,
    counted_days,
    cursor_of,
    day_file,
    event_days,
    open_engine,
    share_threads,
)
from assets.increments import PARTIAL, WHOLE, LayeredTable, Upkeep
from assets.lake import Lake, atomic_path, content_hash, file_identity, write_parquet
from assets.parts import unseen
from assets.sql import query_text
from assets.user_rows import MOST_USERS, keep_rows, rows_of_users
from features.interactions import CLOCK_SKEW, EVENT_WEIGHTS
from features.schemas.catalog import INTERACTIONS, USERS

_STAGE = "catalog"
_WRITING: Mapping[str, Any] = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
_ROWS_OF_A_GROUP = 131_072
_ROWS_OF_A_RANGE = 1_000_000
_SAMPLED_DAYS = 16
# So many users, or such a share of all, are summed by themselves.
_FEW_USERS, _FEW_OF_ALL = 20_000, 1 / 8
_EVER = "0001-01-01T00:00:00+00:00"


def fold_days(
    lake: Lake,
    erasures: pl.DataFrame,
    *,
    as_of: dt.datetime,
    retention_days: int,
    memory_limit: str,
    upkeep: Upkeep = WHOLE,
) -> int:
    """Brings catalog/interactions up to the sums of the kept days up to `as_of`; returns its number of rows.

    Only users whose days changed since the last fold are summed, if they are known and not so many that to sum all is
    less work. Readers learn of these users in any case.
    """
    table = _table(lake, upkeep)
    latest = erasures.group_by("user_id").agg(pl.col("requested_at").max()).sort("user_id")
    with table.lock():
        before, after = table.made_of, table.manifest
        days = counted_days(lake, as_of=as_of, retention_days=retention_days)
        now = _made_of(days, latest, before)
        users = _changed_users(lake, latest, before, now) if before is not None else None
        files, until = list(days.values()), as_of + CLOCK_SKEW
        with open_engine(lake, memory_limit) as engine:
            if users is not None and len(users) <= max(_FEW_USERS, _FEW_OF_ALL * lake.n_rows("catalog", USERS)):
                return _fold_users(engine, table, files, latest, users, now, until=until)
            _fold_all(engine, lake.file(_STAGE, INTERACTIONS.name), files, latest, until=until)
        return table.rebase(now, after=after, changed=users.to_frame() if users is not None else None)


def newest_event_at(lake: Lake) -> str | None:
    """When the newest event that was summed occurred, as ISO text; None without events."""
    made_of = _table(lake).made_of
    return max((record["cut_at"] for record in made_of["days"].values()), default=None) if made_of is not None else None


def _table(lake: Lake, upkeep: Upkeep = PARTIAL) -> LayeredTable:
    return LayeredTable(lake, _STAGE, INTERACTIONS, INTERACTIONS.key, upkeep)


def _made_of(days: Mapping[dt.date, Path], erasures: pl.DataFrame, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the sums are made of. Only the files of days that changed are opened for what they were counted from."""
    known = before["days"] if before is not None else {}
    found = {}
    for day, path in days.items():
        identity = file_identity([path])
        record = known.get(str(day))
        if record is None or record["identity"] != identity:
            counted = pl.read_parquet_metadata(path)
            record = {"identity": identity, "cut_at": counted["cut_at"], "parts": json.loads(counted["parts"])}
        found[str(day)] = record
    return {"version": COUNTING_VERSION, "erasures": content_hash(erasures), "days": found}


def _changed_users(
    lake: Lake, erasures: pl.DataFrame, before: Mapping[str, Any], now: Mapping[str, Any]
) -> pl.Series | None:
    """The sorted ids of the users whose sums may differ; None if the difference is not known."""
    if before["version"] != now["version"]:
        return None
    users = [erasures["user_id"]] if before["erasures"] != now["erasures"] else []
    events = event_days(lake)
    for day, record in now["days"].items():
        last = before["days"].get(day, {"identity": "", "cut_at": _EVER, "parts": []})
        if last["identity"] == record["identity"]:
            continue
        # The day may have been counted before a request that the last fold knew, and is now without what was before it.
        users.append(erasures.filter(pl.col("requested_at").dt.date() == dt.date.fromisoformat(day))["user_id"])
        parts = {path.name: path for path in events.get(dt.date.fromisoformat(day), [])}
        if not parts.keys() >= set(record["parts"]) or _instant(record) < _instant(last):
            return None  # merged or replayed meanwhile
        counted = [parts[name] for name in record["parts"]]
        fresh = unseen(counted, last["parts"])
        if fresh is None:
            return None
        users += [_users(pl.scan_parquet(path, glob=False)) for path in fresh]
        known = [path for path in counted if path not in fresh]
        if record["cut_at"] != last["cut_at"] and known:
            users.append(_users(pl.scan_parquet(known, glob=False).filter(pl.col("occurred_at") > _instant(last))))
    for day in before["days"].keys() - now["days"].keys():
        path = day_file(lake, dt.date.fromisoformat(day))
        if not path.exists():
            return None
        users.append(_users(pl.scan_parquet(path, glob=False)))
    return pl.concat([pl.Series("user_id", [], pl.String), *users]).unique().sort()


def _instant(record: Mapping[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(record["cut_at"])


def _users(rows: pl.LazyFrame) -> pl.Series:
    return rows.select(pl.col("user_id").unique()).collect()["user_id"]


def _fold_users(
    engine: duckdb.DuckDBPyConnection,
    table: LayeredTable,
    files: Sequence[Path],
    erasures: pl.DataFrame,
    users: pl.Series,
    made_of: Mapping[str, Any],
    *,
    until: dt.datetime,
) -> int:
    """Adds a layer of what differs for `users`; returns the number of rows of the table."""
    key, rows, n_before = list(INTERACTIONS.key), [INTERACTIONS.empty()], 0
    gone = [INTERACTIONS.empty().select(key)]
    known: pl.DataFrame | None = None  # all rows of all users, if they are few
    nothing = _arrow_schema().empty_table()
    share_threads(engine, 1)
    for first in range(0, len(users), MOST_USERS):
        some = users.slice(first, MOST_USERS)
        old = rows_of_users(some, table.lake.scan(_STAGE, INTERACTIONS)).collect()
        folded = _fold(engine, erasures, files, {"until": until}, users=some) if files else nothing
        new = INTERACTIONS.conform(pl.DataFrame(folded))
        differing = new.join(old, on=new.columns, how="anti", nulls_equal=True)
        removed = old.select(key).join(new.select(key), on=key, how="anti")
        n_before += len(removed) + len(differing.join(old.select(key), on=key, how="semi"))
        rows.append(differing)
        gone.append(removed)
        if len(some) == len(users):
            known = new
    n_rows = table.add(pl.concat(rows).sort(key), pl.concat(gone), made_of, n_rows_before=n_before)
    if known is not None:
        keep_rows(table.lake, _STAGE, INTERACTIONS, users, known)
    return n_rows


def _fold_all(
    engine: duckdb.DuckDBPyConnection,
    target: Path,
    files: Sequence[Path],
    erasures: pl.DataFrame,
    *,
    until: dt.datetime,
) -> None:
    if not files:
        write_parquet(INTERACTIONS.empty(), target)
        return
    schema = _arrow_schema()
    ranges = [{"until": until, "first_user": first, "end_user": end} for first, end in _user_ranges(files)]
    n_threads = share_threads(engine, len(ranges))
    with (
        atomic_path(target) as temporary,
        ThreadPoolExecutor(n_threads) as pool,
        pq.ParquetWriter(temporary, schema, **_WRITING) as writer,
    ):
        for first in range(0, len(ranges), n_threads):
            for folded in pool.map(lambda one: _fold(engine, erasures, files, one), ranges[first : first + n_threads]):
                writer.write_table(folded.cast(schema), row_group_size=_ROWS_OF_A_GROUP)
    INTERACTIONS.validate(pl.scan_parquet(target, glob=False))


def _arrow_schema() -> pa.Schema:
    """The table's schema. Made when asked for: it starts Polars's threads, which an importing process may not want."""
    return INTERACTIONS.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _fold(
    engine: duckdb.DuckDBPyConnection,
    erasures: pl.DataFrame,
    files: Sequence[Path],
    parameters: Mapping[str, object],
    *,
    users: pl.Series | None = None,
) -> pa.Table:
    """The sums of one range of users, or of `users` only."""
    bounds = {"first_user": None, "end_user": None, "saved": EVENT_WEIGHTS["save"]}
    with cursor_of(engine) as cursor:
        cursor.execute("set TimeZone = 'UTC'")
        cursor.register("erasures", erasures)
        if users is None:
            days = cursor.read_parquet([glob.escape(str(path)) for path in files], hive_partitioning=False)
        else:  # Polars finds the rows of a few users in half the time
            found = rows_of_users(users, pl.scan_parquet(list(files), hive_partitioning=False, glob=False))
            days = found.collect().to_arrow()
        cursor.register("daily_interactions", days)
        return cursor.sql(query_text("catalog/interactions"), params={**bounds, **parameters}).to_arrow_table()


def _user_ranges(files: Sequence[Path]) -> list[tuple[str | None, str | None]]:
    """(first, end) of ranges of users with about _ROWS_OF_A_RANGE daily rows each, to bound the memory of a fold."""
    n_rows = pl.scan_parquet(list(files), glob=False).select(pl.len()).collect().item()
    n_ranges = -(-n_rows // _ROWS_OF_A_RANGE)
    if n_ranges < 2:
        return [(None, None)]
    sampled = files[:: -(-len(files) // _SAMPLED_DAYS)]
    users = pl.scan_parquet(list(sampled), glob=False).select(pl.col("user_id").sort()).collect().to_series()
    bounds = users.gather([len(users) * n // n_ranges for n in range(1, n_ranges)]).unique(maintain_order=True)
    edges = [None, *bounds.to_list(), None]
    return list(pairwise(edges))
