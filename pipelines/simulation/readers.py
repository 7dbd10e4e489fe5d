"""What a simulated market's users do with the feeds that were published for them, as a landed log of events.

Unlike the log of the market itself, these events name the generation, and their outcomes depend on the recipe.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from features.errors import JobfeedError
from models.arrays import positions
from pipelines.simulation.behaviour import JobColumns, act, utility
from pipelines.simulation.companies import make_companies
from pipelines.simulation.jobs import make_jobs
from pipelines.simulation.kinds import MARKET_KINDS
from pipelines.simulation.market import MarketSize
from pipelines.simulation.rng import IntArray, Purpose, generator
from pipelines.simulation.users import Users, make_users
from pipelines.simulation.world import load_world
from pipelines.simulation.writing import folder
from serving.contract.generation import DATABASE, GenerationError, load_manifest, read_pointer

_MOST_POSITIONS = 20
_MEAN_POSITIONS = 12
_READING_HOURS = 20
_SECONDS_PER_POSITION = 20
# Event type -> the field of Actions, and milliseconds after the impression.
_STEPS = {
    "view": ("views", 1_000),
    "click": ("clicks", 3_000),
    "save": ("saves", 6_000),
    "apply": ("applies", 9_000),
    "dismiss": ("dismisses", 4_000),
}
_FEEDS = """
    select user_id, arm, item.rank::bigint as position, item.job_id as job_id
    from (select user_id, arm, unnest(items) as item from feeds)
    where item.rank <= $most
    order by user_id, position
"""


class ReadersError(JobfeedError, ValueError):
    """The feeds can't be read as asked."""


@dataclass(frozen=True)
class ReadingSummary:
    """What was written: the generation that was read, its readers, and their events."""

    generation: str
    n_readers: int
    n_lost_readers: int
    n_events: int


def read_feeds(
    out: Path,
    published: Path,
    size: MarketSize,
    *,
    seed: int,
    until: datetime,
    lost: Mapping[str, float] | None = None,
) -> ReadingSummary:
    """Writes `out/interactions/readers-<generation>.jsonl`: a session of each reader within a day of the generation.

    `size`, `seed` and `until` are those of the market. `lost`: arm -> the share of its readers whose events are lost,
    as by a client that crashes on that arm. Raises GenerationError without a generation, ReadersError for an unknown
    arm.
    """
    name = read_pointer(published)
    if name is None:
        raise GenerationError(f"{published} has no generation to read; run `jobfeed run daily` first")
    with duckdb.connect(str(published / name / DATABASE), read_only=True) as con:
        feeds = con.sql(_FEEDS, params={"most": _MOST_POSITIONS}).pl()
    unknown = sorted(set(lost or {}) - set(feeds["arm"]))
    if unknown:
        raise ReadersError(f"no feed has the arms {unknown}; there are {feeds['arm'].unique().sort().to_list()}")
    users = make_users(load_world(), n_users=size.n_users, n_days=size.n_days, seed=seed)
    rng = generator(seed, Purpose.READERS, int.from_bytes(bytes.fromhex(name[-8:])))
    shown, n_lost = _shown(rng, feeds, users, lost or {})
    as_of = datetime.fromisoformat(load_manifest(published / name).as_of)
    events = _events(rng, shown, users, size, seed=seed, until=until, as_of=as_of)
    numbered = events.select(
        event_id=pl.format("r{}-{}", pl.lit(name), pl.int_range(pl.len())),
        generation=pl.lit(name),
        surface=pl.lit("feed"),
        **{column: pl.col(column) for column in events.columns},
    )
    numbered.write_ndjson(folder(out / "interactions") / f"readers-{name}.jsonl")
    return ReadingSummary(name, shown["user_id"].n_unique(), n_lost, len(numbered))


def _shown(
    rng: np.random.Generator, feeds: pl.DataFrame, users: Users, lost: Mapping[str, float]
) -> tuple[pl.DataFrame, int]:
    """The items that readers look at, with the row of the user in the market; and how many readers are lost."""
    readers = feeds.select("user_id", "arm").unique(maintain_order=True)
    row = positions(users.user_id, readers["user_id"])
    n = len(readers)
    reads = (row >= 0) & (users.activity[row] > 0)
    depth = rng.geometric(1 / _MEAN_POSITIONS, n).clip(2, _MOST_POSITIONS)
    is_lost = rng.random(n) < readers["arm"].replace_strict(dict(lost), default=0.0).cast(pl.Float64).to_numpy()
    chosen = readers.with_columns(
        user=pl.Series(row.astype(np.int64)), depth=pl.Series(depth), start_seconds=pl.Series(_starts(rng, n))
    ).filter(pl.Series(reads & ~is_lost))
    shown = feeds.join(chosen.drop("arm"), on="user_id", maintain_order="left")
    return shown.filter(pl.col("position") <= pl.col("depth")), int((reads & is_lost).sum())


def _starts(rng: np.random.Generator, n: int) -> IntArray:
    return rng.integers(60, _READING_HOURS * 3600, n)


def _events(
    rng: np.random.Generator,
    shown: pl.DataFrame,
    users: Users,
    size: MarketSize,
    *,
    seed: int,
    until: datetime,
    as_of: datetime,
) -> pl.DataFrame:
    """The events of shown items by time: user_id, event_type, occurred_at, job_id, position, dwell_seconds."""
    world = load_world()
    companies = make_companies(world, n_jobs=size.n_jobs, seed=seed)
    jobs = make_jobs(world, companies, n_jobs=size.n_jobs, n_days=size.n_days, until=until, seed=seed)
    row = positions(jobs.frame["job_id"], shown["job_id"]).astype(np.int64)
    known, row = shown.filter(pl.Series(row >= 0)), row[row >= 0]
    user, position = known["user"].to_numpy(), known["position"].to_numpy()
    seconds = known["start_seconds"].to_numpy() + position * _SECONDS_PER_POSITION
    at = int(as_of.timestamp()) + seconds
    worth = utility(users, JobColumns.of(jobs), MARKET_KINDS[size.kind], user=user, job=row, at_seconds=at)
    actions = act(rng, worth, position, is_decided=np.zeros(len(row), dtype=np.bool_))
    items = known.select("user_id", "job_id", "position", at_ms=pl.Series(at * 1000))
    parts = [items.with_columns(event_type=pl.lit("impression"), dwell_seconds=pl.lit(None, pl.Float64))]
    for event_type, (action, delay) in _STEPS.items():
        dwell = pl.Series(actions.dwell_seconds) if event_type == "view" else pl.lit(None, pl.Float64)
        acted = items.with_columns(pl.col("at_ms") + delay, event_type=pl.lit(event_type), dwell_seconds=dwell)
        parts.append(acted.filter(pl.Series(getattr(actions, action))))
    return (
        pl.concat(parts)
        .sort("at_ms", "user_id", "position", maintain_order=True)
        .with_columns(occurred_at=pl.from_epoch("at_ms", time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        .drop("at_ms")
    )
