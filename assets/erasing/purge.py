"""Removes rows of users who asked to be erased from tables that no run computes anew, whatever parts they have."""

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from assets.erasing.naming import name_any
from assets.lake import Lake, replace_parts, write_bytes, write_frames, write_parquet
from assets.llm.ledger import Ledger
from assets.notes import read_note
from assets.parts import current_parts, remove_part, remove_replaced
from features.schemas.bronze import ERASURES, QUARANTINE
from features.schemas.catalog import DAILY_INTERACTIONS

# Stages whose tables keep rows of earlier runs; all other tables of a full run are made anew from these.
KEPT_STAGES = ("bronze", "insight", "digests")
# What is served of these stages, which the short runs do not compute.
SERVED_STAGES = ("insight", "digests")
_NOT_SERVED = ("exposures",)
# When a row came about; a row from after the request belongs to a user who came back. Without it, every row goes.
_MADE_AT = {
    "events": "occurred_at", "user_records": "updated_at", "resumes": "written_at", "application_log": "occurred_at",
    "unsubscribes": "requested_at", "bounces": "occurred_at",
}  # fmt: skip
_TEXTS = ("file", "entry", "detail", "raw")
_PATH = "path"
_ANY_TIME = dt.datetime.max.replace(tzinfo=dt.UTC)


def purge_served(lake: Lake, requests: pl.DataFrame) -> int:
    """Removes the users' rows from tables that are served and that a short run does not compute; returns the number."""
    tables = (one for one in _tables(lake, SERVED_STAGES) if one[1] not in _NOT_SERVED)
    return sum(_purge_table(lake, *one, requests) for one in tables)


def purge_kept(lake: Lake, requests: pl.DataFrame) -> int:
    """Removes the users' rows from before their requests from all tables that keep rows; returns their number.

    Parts that were merged are deleted with what they hold.
    """
    if requests.is_empty():
        return 0
    # Before, so that none of them comes back when the part that replaced it is empty and goes.
    remove_replaced(lake.root, before=_ANY_TIME, keeps_lists=True)
    n_removed = sum(_purge_table(lake, *one, requests) for one in _tables(lake, KEPT_STAGES))
    counts = lake.files("catalog", DAILY_INTERACTIONS.name)  # also those of days that are counted no more
    n_removed += _purge_table(lake, "catalog", DAILY_INTERACTIONS.name, counts, requests) if counts else 0
    n_removed += _purge_quarantine(lake, requests["user_id"].to_list())
    n_removed += Ledger(lake.root).forget_users(requests["user_id"])
    remove_replaced(lake.root, before=_ANY_TIME, keeps_lists=True)
    return n_removed


def note_purged(lake: Lake, requests: pl.DataFrame, *, run_id: str) -> None:
    """Remembers which requests the run has purged, until it has published without these users."""
    rows = [(user_id, at.isoformat()) for user_id, at in requests.iter_rows()]
    write_bytes(_note(lake), json.dumps({"run_id": run_id, "requests": rows}).encode())


def purged_by(lake: Lake, *, run_id: str) -> pl.DataFrame:
    """The requests (ERASURES) that the run has purged."""
    note = read_note(_note(lake), dict)
    if note is None or note.get("run_id") != run_id:
        return ERASURES.empty()  # what was not finished is purged once more by the next run
    rows = [(user_id, dt.datetime.fromisoformat(at)) for user_id, at in note["requests"]]
    return pl.DataFrame(rows, schema=dict(ERASURES.columns), orient="row")


def forget_purged(lake: Lake) -> None:
    """Deletes the note of `note_purged`."""
    _note(lake).unlink(missing_ok=True)


def _tables(lake: Lake, stages: Iterable[str]) -> Iterator[tuple[str, str, list[Path]]]:
    """Stage, name and current files of each table that has a column `user_id`, but the requests themselves."""
    for stage in stages:
        folder = lake.root / stage
        names = {path.name.removesuffix(".parquet") for path in folder.glob("*") if not path.name.startswith(".")}
        for name in sorted(names - {ERASURES.name}):
            files = lake.files(stage, name)
            if files and "user_id" in pl.scan_parquet(files[0], glob=False).collect_schema():
                yield stage, name, files


def _purge_table(lake: Lake, stage: str, name: str, files: list[Path], requests: pl.DataFrame) -> int:
    found = (
        pl.scan_parquet(
            files,
            schema={"user_id": pl.String},
            extra_columns="ignore",  # which may differ, if an older version wrote some of the files
            include_file_paths=_PATH,
            hive_partitioning=False,
            glob=False,
        )
        .select("user_id", _PATH)
        .filter(pl.col("user_id").is_in(requests["user_id"].implode()))
        .select(pl.col(_PATH).unique())
        .collect(engine="streaming")
    )
    n_removed = 0
    for path in sorted(map(Path, found[_PATH])):
        with lake.lock(f"{stage}/{name}"), pq.ParquetFile(path) as file:
            n_before = file.metadata.num_rows
            groups = (pl.DataFrame(file.read_row_group(number)) for number in range(file.num_row_groups))
            kept = (_without_erased(rows, requests, made_at=_MADE_AT.get(name)) for rows in groups)
            if path.parent == lake.root / stage:
                write_frames(kept, path)  # all digests with their texts may lie in it
                n_removed += n_before - pq.read_metadata(path).num_rows
            else:
                rows = pl.concat(kept)
                _replace_part(path, rows)
                n_removed += n_before - len(rows)
    return n_removed


def _without_erased(rows: pl.DataFrame, requests: pl.DataFrame, *, made_at: str | None) -> pl.DataFrame:
    """The rows of users who did not ask to be erased, or did before the time in the column `made_at`."""
    newest = requests.select("user_id", erased_at="requested_at")
    erased_at = rows.join(newest, on="user_id", how="left", maintain_order="left")["erased_at"]
    is_gone = erased_at.is_not_null()
    if made_at in rows.columns:  # a row without a time counts as one from before the request
        is_gone &= ~(rows[made_at] > erased_at).fill_null(value=False)
    return rows.filter(~is_gone)


def _purge_quarantine(lake: Lake, user_ids: list[str]) -> int:
    """Removes refused entries that name one of the users anywhere."""
    n_removed = 0
    with lake.lock(f"bronze/{QUARANTINE.name}"):
        for path in current_parts(lake.folder("bronze", QUARANTINE.name)):
            rows = pl.read_parquet(path, hive_partitioning=False, glob=False)
            kept = rows.filter(~pl.any_horizontal(name_any(rows[name], user_ids) for name in _TEXTS))
            if len(kept) < len(rows):
                _replace_part(path, kept)
                n_removed += len(rows) - len(kept)
    return n_removed


def _replace_part(path: Path, rows: pl.DataFrame) -> None:
    """Puts `rows` in the place of a part, which is then gone."""
    if not path.name.startswith(("part-", "merged-")):
        write_parquet(rows, path)
    elif rows.is_empty() or replace_parts([path], rows) != path:
        remove_part(path)


def _note(lake: Lake) -> Path:
    return lake.root / ".erasing.json"
