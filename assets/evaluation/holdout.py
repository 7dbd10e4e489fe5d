"""The workspace of an evaluation: a lake without what is held out, and a lake with nothing else.

The pipeline's own assets then run on the first one as of the cut. Files that are equal are hard links.
"""

import datetime as dt
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.catalog.counting import count_days
from assets.catalog.folding import fold_days
from assets.lake import Lake, write_bytes
from assets.parts import current_parts
from assets.resources import Workspace
from assets.sql import Parts, query_in_batches
from assets.training.embedding_switch import pin_serving
from assets.training.tuning import tuned_path
from features.errors import JobfeedError
from features.schemas import bronze
from features.schemas.bronze import ERASURES, EVENTS, FEED_POSTINGS, FILE_POSTINGS, HH_POSTINGS
from features.schemas.catalog import DAILY_INTERACTIONS, DAILY_JOB_COUNTS, INTERACTIONS, JOB_VERSIONS
from features.schemas.table import Table
from features.schemas.training import TEXT_EMBEDDINGS
from models.evaluation.splits import is_drawn

_DAY = dt.timedelta(days=1)
_POSTINGS = (FEED_POSTINGS, HH_POSTINGS, FILE_POSTINGS)


class NothingHeldOutError(JobfeedError, ValueError):
    """There are no interactions to evaluate with."""


@dataclass(frozen=True)
class Replay:
    """A workspace to run the pipeline in as of `as_of`, and the lake of the held-out events up to `until`."""

    workspace: Workspace
    held_out: Lake
    as_of: dt.datetime
    until: dt.datetime

    def held_out_pairs(self) -> pl.DataFrame:
        """user_id, job_id of the held-out interactions with a positive weight, counted as the catalog counts."""
        pipeline, erasures = self.workspace.config.pipeline, self.workspace.lake.scan("bronze", ERASURES).collect()
        for count in (count_days, fold_days):
            count(
                self.held_out,
                erasures,
                as_of=self.until,
                retention_days=pipeline.event_retention_days,
                memory_limit=pipeline.duckdb_memory_limit,
            )
        positive = (pl.col("weight") > 0) & ~pl.col("is_dismissed")
        return self.held_out.scan("catalog", INTERACTIONS).filter(positive).select("user_id", "job_id").collect()


def hold_out_last_days(source: Workspace, folder: Path, *, days: int, until: dt.datetime, restate: bool) -> Replay:
    """Holds out the events of the last `days` UTC days before `until`; the cut is a midnight.

    `restate`: postings without a date that were first seen after the cut count as seen at the cut, because they were
    read from files of unknown age. Raises NothingHeldOutError if there are no events on both sides.
    """
    cut = dt.datetime.combine((until - days * _DAY + _DAY).date(), dt.time(), dt.UTC)
    replay = _replay(source, folder, as_of=cut, until=until)
    _copy_choice(source.models, replay)
    partitions = source.lake.folder("bronze", EVENTS.name)
    with source.lake.lock(f"bronze/{EVENTS.name}"):
        for day in sorted(partitions.glob("date=*")):
            is_past = dt.date.fromisoformat(day.name.removeprefix("date=")) < cut.date()
            target = replay.workspace.lake if is_past else replay.held_out
            _link(day, target.folder("bronze", EVENTS.name) / day.name)
    _link_shared(source.lake, replay.workspace.lake, as_of=cut, restate=restate)
    for table in (DAILY_JOB_COUNTS, DAILY_INTERACTIONS):
        _link_table(source.lake, replay.workspace.lake, "catalog", table)
    _require_events(replay)
    return replay


def hold_out_pairs(
    source: Workspace, folder: Path, *, share: float, seed: int, salt: str, until: dt.datetime
) -> Replay:
    """Holds out all events of a random `share` of the pairs of user and job, for data without meaningful times.

    All events are moved to the day before the cut, each user's in their order a minute apart, and postings without a
    date are taken to be known: nothing decays and nothing falls out of a window. The collaborative model is chosen anew
    in the replay, as the choice in use was made on all pairs. Each caller has a `salt` of its own, because one may run
    in the replay of another, and so that the choice of the model draws other pairs. Raises NothingHeldOutError.
    """
    as_of = dt.datetime.combine(until.date() + _DAY, dt.time(), dt.UTC)
    replay = _replay(source, folder, as_of=as_of, until=as_of)
    for events in query_in_batches(
        "evaluation/events_on_one_day",
        frames={"events": Parts(EVENTS, source.lake.files("bronze", EVENTS.name))},
        params={"until": until, "day": as_of - _DAY},
        memory_limit=source.config.pipeline.duckdb_memory_limit,
    ):
        held_out = is_drawn(events.select("user_id", "job_id"), share=share, seed=seed, salt=salt)
        parts = ((replay.workspace.lake, events.filter(~held_out)), (replay.held_out, events.filter(held_out)))
        for lake, part in parts:
            lake.append("bronze", EVENTS, EVENTS.conform(part), partition=f"date={(as_of - _DAY).date()}")
    _link_shared(source.lake, replay.workspace.lake, as_of=as_of, restate=True)
    _require_events(replay)
    return replay


def last_event_at(lake: Lake, *, before: dt.datetime) -> dt.datetime:
    """When the newest event up to `before` occurred. Raises NothingHeldOutError if there is none."""
    events = lake.scan("bronze", EVENTS).filter(pl.col("occurred_at") <= before, pl.col("job_id").is_not_null())
    last = events.select(pl.col("occurred_at").max()).collect(engine="streaming").item()
    if not isinstance(last, dt.datetime):
        raise NothingHeldOutError(f"{lake.root}: has no interaction events up to {before:%Y-%m-%d %H:%M} to hold out")
    return last


def _replay(source: Workspace, folder: Path, *, as_of: dt.datetime, until: dt.datetime) -> Replay:
    workspace = Workspace(data_dir=str(folder / "replay"), config_dir=source.config_dir)
    return Replay(workspace, Lake(folder / "held_out"), as_of, until)


def _copy_choice(models: Path, replay: Replay) -> None:
    """Copies the choice of the collaborative model, unless it was made after the cut and knows what is held out."""
    tuned = tuned_path(models)
    if tuned.is_file() and dt.datetime.fromisoformat(json.loads(tuned.read_bytes())["as_of"]) <= replay.as_of:
        write_bytes(tuned_path(replay.workspace.models), tuned.read_bytes())


def _link_shared(source: Lake, target: Lake, *, as_of: dt.datetime, restate: bool) -> None:
    """All of bronze but the events, and what depends on single postings and texts only."""
    tables = [table for table in vars(bronze).values() if isinstance(table, Table) and table is not EVENTS]
    undated = [table for table in _POSTINGS if restate and _has_undated(source, table, as_of)]
    names = {table.name for table in undated}
    for table in {table.name: table for table in tables if table.name not in names}.values():
        _link_table(source, target, "bronze", table)
    for table in undated:
        known = pl.when(_is_undated() & (pl.col("seen_at") > as_of)).then(pl.lit(as_of)).otherwise("seen_at")
        target.append("bronze", table, source.scan("bronze", table).with_columns(seen_at=known).collect())
    if not undated:
        _link_table(source, target, "catalog", JOB_VERSIONS)
    _link_table(source, target, "training", TEXT_EMBEDDINGS)
    pin_serving(source, target)


def _has_undated(lake: Lake, table: Table, as_of: dt.datetime) -> bool:
    late = lake.scan("bronze", table).filter(_is_undated(), pl.col("seen_at") > as_of)
    return bool(late.select(pl.len() > 0).collect().item())


def _is_undated() -> pl.Expr:
    return pl.col("published_at").is_null() & pl.col("initial_created_at").is_null()


def _require_events(replay: Replay) -> None:
    for lake, part in ((replay.workspace.lake, "before"), (replay.held_out, "after")):
        if not lake.exists("bronze", EVENTS.name):
            raise NothingHeldOutError(
                f"no event lies {part} the cut at {replay.as_of:%Y-%m-%d %H:%M}; hold out more or fewer days"
            )


def _link_table(source: Lake, target: Lake, layer: str, table: Table) -> None:
    with source.lock(f"{layer}/{table.name}"):
        if source.file(layer, table.name).exists():
            _link_file(source.file(layer, table.name), target.file(layer, table.name))
        _link(source.folder(layer, table.name), target.folder(layer, table.name))


def _link(source: Path, target: Path) -> None:
    """Links every current part of a folder. The lake never writes into an existing file, so that links are safe."""
    for path in current_parts(source):
        _link_file(path, target / path.relative_to(source))


def _link_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
