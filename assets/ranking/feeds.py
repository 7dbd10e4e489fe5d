"""The feeds table, shard by shard: loads what a shard needs, ranks it, replaces its file if anything changed."""

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from assets.lake import Lake
from assets.ranking.inputs import Tables, encoded_jobs, users_to_rank
from assets.ranking.scope import Scope, kept_feeds, plan
from features.schemas import FEEDS
from models.als import fold_in
from models.encoding import JobTable, encode_users
from models.hashing import shard_of, stable_hash
from models.ranking import Settings, Shard, Timings, World, build_shard, build_world, rank_shard
from models.rules import forbidden_by_interactions
from models.signals import Fitted, JobSignals, job_signals, shard_signals
from models.weights import WINDOW_HALF_LIVES, weights_since

_LAYER = "ranking"
_SHARD_SALT = "shard"


@dataclass
class Report:
    """What a run did: rows in the table and ranked anew, files written, seconds and retrievers."""

    n_rows: int = 0
    n_ranked: int = 0
    n_written_shards: int = 0
    n_shards: int = 0
    timings: Timings = field(default_factory=Timings)


@dataclass(frozen=True)
class _Stage:
    """Everything that the shards of a run share."""

    tables: Tables
    jobs: JobTable
    world: World
    of_jobs: JobSignals
    fitted: Fitted
    settings: Settings
    companies: pl.DataFrame
    interactions: pl.DataFrame
    preferences: pl.DataFrame


def rank_feeds(
    tables: Tables,
    fitted: Fitted,
    *,
    lake: Lake,
    settings: Settings,
    shard_users: int,
    as_of: dt.datetime,
    scope: Scope,
    on_shard: Callable[[int, int], None] | None = None,
) -> Report:
    """Brings `ranking/feeds` up to date: one file per shard of about `shard_users` users.

    A change of the number of shards ranks everybody. `on_shard` is told shards done and in all.
    """
    started = time.perf_counter()
    users = users_to_rank(tables)
    n_shards = number_of_shards(len(users), shard_users)
    names = [f"shard={number:04d}" for number in range(n_shards)]
    written = {path.stem for path in lake.files(_LAYER, FEEDS.name)}
    feeds = lake.scan(_LAYER, FEEDS)
    again = plan(scope, feeds, users, tables).again if written == set(names) else None
    shard = shard_of(stable_hash(users["user_id"], _SHARD_SALT), n_shards)
    stage = _prepare(tables, fitted, users, settings, again=again, as_of=as_of, n_shards=n_shards)
    report = Report(n_shards=n_shards)
    report.timings.seconds["preparation"] = time.perf_counter() - started
    with threadpool_limits(limits=1, user_api="blas"):
        for number, name in enumerate(names):
            _rank_one(stage, users.filter(pl.Series(shard == number)), name, again, lake=lake, report=report)
            if on_shard is not None:
                on_shard(number + 1, n_shards)
    lake.drop_partitions_except(_LAYER, FEEDS, names)
    return report


def shard_of_users(
    tables: Tables, fitted: Fitted, users: pl.DataFrame, *, settings: Settings, as_of: dt.datetime
) -> Shard:
    """All of `users` (schema USER_PROFILES) as one shard, ready to be ranked by the models as they were fitted."""
    stage = _prepare(tables, fitted, users, settings, again=None, as_of=as_of, n_shards=1)
    return _build(stage, users, stage.interactions.drop("shard"), stage.preferences.drop("shard"))


def number_of_shards(n_users: int, shard_users: int) -> int:
    """The least power of two that keeps shards at about `shard_users`: it seldom changes as users come and go."""
    return 1 << max(0, int(np.ceil(np.log2(max(n_users, 1) / shard_users))))


def fitted_for(fitted: Fitted, interactions: pl.DataFrame, jobs: pl.LazyFrame, *, as_of: dt.datetime) -> Fitted:
    """The models with ALS factors of the users who acted since the fit, new ones among them, solved anew."""
    als = fitted.als
    fitted_at = dt.datetime.fromisoformat(als.as_of)
    if fitted_at >= as_of:
        return fitted
    weights = weights_since(
        interactions,
        fitted_at=fitted_at,
        fitted_users=als.user_ids,
        as_of=as_of,
        half_life_days=als.half_life_days,
        days=WINDOW_HALF_LIVES * als.half_life_days,
        representatives=jobs.select("job_id", "duplicate_of").collect(),
    )
    return replace(fitted, als=fold_in(als, weights, n_threads=1))


def _prepare(
    tables: Tables,
    fitted: Fitted,
    users: pl.DataFrame,
    settings: Settings,
    *,
    again: pl.Series | None,
    as_of: dt.datetime,
    n_shards: int,
) -> _Stage:
    jobs = encoded_jobs(
        tables.jobs,
        job_features=tables.job_features,
        skill_weights=tables.skill_weights,
        preferences=tables.preferences,
        as_of=as_of,
    )
    interactions, preferences = tables.interactions, tables.preferences
    if again is not None:
        interactions = interactions.filter(pl.col("user_id").is_in(again.implode()))
        preferences = preferences.filter(pl.col("user_id").is_in(again.implode()))
    rows = interactions.filter(_counts_for_ranking()).collect()
    fitted = fitted_for(fitted, rows, tables.jobs, as_of=as_of)
    of_jobs = job_signals(fitted, jobs)
    return _Stage(
        tables=tables,
        jobs=jobs,
        world=build_world(
            jobs,
            profiles=users,
            trending=tables.trending.collect(),
            job_vectors=of_jobs.content,
            limits=settings.limits,
            as_of=as_of,
        ),
        of_jobs=of_jobs,
        fitted=fitted,
        settings=settings,
        companies=_companies(jobs),
        interactions=_by_shard(rows, n_shards),
        preferences=_by_shard(preferences.collect(), n_shards),
    )


def _rank_one(
    stage: _Stage, users: pl.DataFrame, name: str, again: pl.Series | None, *, lake: Lake, report: Report
) -> None:
    """Ranks whom the plan names of one shard and replaces its file, unless nothing changed."""
    path = lake.folder(_LAYER, FEEDS.name) / f"{name}.parquet"
    wanted = users if again is None else users.filter(pl.col("user_id").is_in(again.implode()))
    kept = FEEDS.empty()
    if again is not None:
        before = pl.read_parquet(path)
        kept = kept_feeds(
            before,
            users=users["user_id"],
            again=wanted["user_id"],
            companies=stage.companies,
            cap=stage.settings.company_cap,
        )
        if wanted.is_empty() and kept.equals(before):
            report.n_rows += len(before)
            return
    ranked = _rank_users(stage, wanted, shard=int(name.removeprefix("shard=")), report=report)
    frame = pl.concat([ranked, kept]).sort("user_id")
    lake.replace_partition(_LAYER, FEEDS, name, frame)
    report.n_written_shards += 1
    report.n_ranked += len(ranked)
    report.n_rows += len(frame)


def _rank_users(stage: _Stage, profiles: pl.DataFrame, *, shard: int, report: Report) -> pl.DataFrame:
    started = time.perf_counter()
    interactions, preferences = (
        frame.filter(pl.col("shard") == shard).drop("shard") for frame in (stage.interactions, stage.preferences)
    )
    built = _build(stage, profiles, interactions, preferences)
    report.timings.add(Timings({"encoding": time.perf_counter() - started}))
    made = rank_shard(built, now=time.perf_counter)
    report.timings.add(made.timings)
    return made.feeds


def _build(stage: _Stage, profiles: pl.DataFrame, interactions: pl.DataFrame, preferences: pl.DataFrame) -> Shard:
    users = encode_users(profiles, stage.jobs)
    signals = shard_signals(
        users,
        stage.jobs,
        interactions=interactions,
        preferences=preferences,
        fitted=stage.fitted,
        of_jobs=stage.of_jobs,
    )
    forbidden = forbidden_by_interactions(interactions, users=users.ids, jobs=stage.jobs)
    return build_shard(stage.world, users, signals, forbidden=forbidden, settings=stage.settings)


def _by_shard(frame: pl.DataFrame, n_shards: int) -> pl.DataFrame:
    """`frame` with the shard of its users, sorted by it, so that a shard's rows lie together."""
    distinct = frame.select("user_id").unique()
    shard = pl.Series("shard", shard_of(stable_hash(distinct["user_id"], _SHARD_SALT), n_shards))
    return frame.join(distinct.with_columns(shard), on="user_id").sort("shard").set_sorted("shard")


def _counts_for_ranking() -> pl.Expr:
    """Interactions that were no more than impressions tell ranking nothing."""
    return (
        (pl.col("weight") != 0) | pl.col("is_seen") | pl.col("is_applied") | pl.col("is_dismissed") | pl.col("is_saved")
    )


def _companies(jobs: JobTable) -> pl.DataFrame:
    """The jobs to show and their companies, as the cap counts them."""
    code = pl.Series("company", jobs.company)
    return pl.DataFrame({"job_id": jobs.ids, "company": code.set(code < 0, None)})
